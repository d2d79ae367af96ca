package weburl

import "testing"

func TestSmoke(t *testing.T) {
	s, err := New(DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	b, _ := s.NewBase("http://u:p@Example.org:80/a/b?utm_x=1&c=2#f")
	for _, r := range []string{"", "#x", "?utm_a=1", "?a=1&utm_b=1&c", "../x;jsessionid=123?a", "//HÖST/ü", "mailto:x", "http:", "https:", "http:x", "..", "/..;jsessionid=1/x", "/a;jsessionid=1;b/c^", "http://[", "http://1.2.3/?"} {
		o, err := b.Append(nil, []byte(r))
		raw, err2 := b.Raw(r)
		t.Logf("%q %q %v %q %v", r, o, err, raw, err2)
	}
}
