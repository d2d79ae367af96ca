package weburl

import "testing"

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"/events/{n}/{n}", "/events/2026/11", true},
		{"/events/{n}/{n}", "/events/2026/11/", false},
		{"/events/{n}/{n}", "/events/2026/11/22", false},
		{"/events/{n}/{n}", "/events/2026", false},
		{"/events/{n}/{n}", "/events/2026/nov", false},
		{"/events/{n}/{n}", "/events/2026/11?view=day", false},
		{"/page-{n}", "/page-17", true},
		{"/page-{n}", "/page-x", false},
		{"/{n}-{n}-{n}.html", "/2026-11-22.html", true},
		{"/{n}-{n}-{n}.html", "/2026-11-22.pdf", false},
		{"/s/{id}/page-{n}", "/s/7f3a9c1b/page-3", true},
		{"/s/{id}/page-{n}", "/s/decade/page-3", false},
		{"/s/{id}", "/s/123e4567-e89b-12d3-a456-426614174000", true},
		{"/s/{id}", "/s/aZ3kP0q9Lm2Xw81Y", true},
		{"/s/{id}", "/s/20261122", false},
		{"/s/{id}", "/s/chapter-12-of-99-parts", false},
		{"/word/*", "/word/apple", true},
		{"/word/*", "/word/apple-7", true},
		{"/word/*", "/word/", true},
		{"/word/*", "/word", false},
		{"/word/*", "/word/apple/pie", false},
		{"/*/*/**", "/a/b/c", true},
		{"/*/*/**", "/a/b/c/d/e", true},
		{"/*/*/**", "/a/b/", true},
		{"/*/*/**", "/a/b", false},
		{"/**", "/", true},
		{"/", "/", true},
		{"/", "/a", false},
		{"/shop?color&size", "/shop?size=m&color=red", true},
		{"/shop?color&size", "/shop?size=m&color=red&color=blue", true},
		{"/shop?color&size", "/shop?size=m", false},
		{"/shop?color&size", "/shop?size=m&color=red&sort=up", false},
		{"/shop?color&size", "/shop", false},
		{"/shop?page", "/shop?page=2", true},
		{"/shop?*", "/shop?anything", true},
		{"/shop?*", "/shop", false},
		{"/shop?*", "/shop?", false},
		{"/shop", "/shop?", true},
		{"/shop", "/shop?a=1", false},
	} {
		p, err := ParsePattern(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		shape := URL("https://example.com" + c.path).Shape()
		if got := p.Matches(&shape); got != c.want {
			t.Errorf("%s matches %s: %v, want %v", c.pattern, c.path, got, c.want)
		}
		if p.String() != c.pattern {
			t.Errorf("%s is written %s", c.pattern, p.String())
		}
	}
	for _, text := range []string{"", "a", "?a"} {
		if _, err := ParsePattern(text); err == nil {
			t.Errorf("%q is taken for a pattern", text)
		}
	}
}

// Every address matches the pattern made of its own shapes.
func FuzzPattern(f *testing.F) {
	for _, path := range []string{"/", "/a/b?x=1&y", "/2026/11/22.html", "/s/7f3a9c1b/", "//", "/?", "/?&&=", "/*/**", "/{n}"} {
		f.Add(path)
	}
	speller, err := New(DefaultRules())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		u, err := speller.Parse("http://h.example/" + path)
		if err != nil {
			return
		}
		shape := u.Shape()
		p, err := ParsePattern(shape.String())
		if err != nil || !p.Matches(&shape) {
			t.Errorf("%s does not match %s: %v", u, shape.String(), err)
		}
	})
}
