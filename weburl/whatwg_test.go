package weburl

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/idna"
)

// The test data of the URL standard, which browsers are tested with, comes with the parser's module. What the standard has
// changed since is told apart here; all else has to be as the data says.

// changedURLs are addresses whose spelling has changed. Since June 2026 a host name of ASCII letters is only put in lower
// case: browsers do not look into its punycode, and such names are registered (https://github.com/whatwg/url/pull/914).
var changedURLs = map[string]string{
	"http://a.b.c.xn--pokxncvks":  "http://a.b.c.xn--pokxncvks/",
	"http://a.b.c.Xn--pokxncvks":  "http://a.b.c.xn--pokxncvks/",
	"http://a.b.c.XN--pokxncvks":  "http://a.b.c.xn--pokxncvks/",
	"http://10.0.0.xn--pokxncvks": "http://10.0.0.xn--pokxncvks/",
	"http://10.0.0.xN--pokxncvks": "http://10.0.0.xn--pokxncvks/",
	"http://10.0.0.XN--pokxncvks": "http://10.0.0.xn--pokxncvks/",
	"https://xn--/":               "https://xn--/",
}

// isChangedName reports whether a name that the data calls invalid has become valid by the same change.
func isChangedName(name string) bool {
	return isASCII(name) && strings.Contains(strings.ToLower(name), "xn--") && !strings.ContainsAny(name, "%?")
}

// testData reads a file of the parser's module.
func testData(t *testing.T, name string, into any) {
	t.Helper()
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("the go tool is needed to find the test data of the URL standard: ", err)
	}
	dir, err := exec.Command(tool, "list", "-m", "-f", "{{.Dir}}", "github.com/nlnwa/whatwg-url").Output()
	if err != nil {
		t.Fatal("find the module with the test data: ", err)
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

// plainSpeller drops no parameters, so that it spells as browsers do.
func plainSpeller(t testing.TB) *Speller {
	t.Helper()
	s, err := New(Rules{Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// withoutUserinfo returns a serialised address without userinfo and fragment.
func withoutUserinfo(href string) string {
	href, _, _ = strings.Cut(href, "#")
	scheme, rest, _ := strings.Cut(href, "://")
	authority, path, _ := strings.Cut(rest, "/")
	return scheme + "://" + authority[strings.LastIndexByte(authority, '@')+1:] + "/" + path
}

func isWebAddress(addr string) bool {
	scheme, _ := cutScheme(addr)
	return isWeb(scheme)
}

func TestURLsOfTheStandard(t *testing.T) {
	var entries []json.RawMessage
	testData(t, "urltestdata.json", &entries)
	s := plainSpeller(t)
	var cases, notOurs, changed int
	for _, entry := range entries {
		var c struct {
			Input, Href string
			Base        *string
			Failure     bool
		}
		if entry[0] != '{' {
			continue // a comment
		}
		if err := json.Unmarshal(entry, &c); err != nil {
			t.Fatal(err)
		}
		base := ""
		if c.Base != nil {
			base = *c.Base
		}
		if base != "" && !isWebAddress(base) && !isWebAddress(c.Input) {
			notOurs++ // resolved against an address that no page here can have
			continue
		}
		cases++
		want, wantErr := "", ErrInvalid
		switch {
		case isWebAddress(c.Href):
			want, wantErr = withoutUserinfo(c.Href), nil
		case !c.Failure:
			wantErr = ErrScheme
		}
		if now, ok := changedURLs[c.Input]; ok {
			if !c.Failure {
				t.Errorf("%q is in the data as it has changed", c.Input)
			}
			changed++
			want, wantErr = now, nil
		}
		got, err := s.Parse(c.Input)
		raw := string(got)
		if isWebAddress(base) {
			var b *Base
			if b, err = s.NewBase(base); err == nil {
				checkSameWays(t, b, c.Input)
				var out []byte
				out, err = b.Append(nil, []byte(c.Input))
				got = URL(out)
				var errRaw error
				if raw, errRaw = b.Raw(c.Input); !errors.Is(errRaw, err) && errRaw.Error() != err.Error() {
					t.Errorf("%q on %q: error %v, but when asked for %v", c.Input, base, err, errRaw)
				}
			}
		}
		if string(got) != want || raw != want || err != wantErr && (wantErr != ErrInvalid || err == nil) {
			t.Errorf("%q on %q:\n got %q, raw %q, %v\nwant %q, %v", c.Input, base, got, raw, err, want, wantErr)
		}
	}
	t.Logf("%d cases, of which the standard has changed %d; %d more do not concern http", cases, changed, notOurs)
	if cases < 600 {
		t.Errorf("only %d cases", cases)
	}
}

// inHostOf writes what the standard's tests of names put between the slashes of an address.
var inHostOf = strings.NewReplacer(":", "%3A", "/", "%2F", "?", "%3F", "#", "%23", "[", "%5B", "]", "%5D", "@", "%40", `\`, "%5C")

func TestNamesOfTheStandard(t *testing.T) {
	s := plainSpeller(t)
	for _, file := range []string{"toascii.json", "IdnaTestV2.json"} {
		t.Run(file, func(t *testing.T) {
			var entries []json.RawMessage
			testData(t, file, &entries)
			var cases, changed int
			for _, entry := range entries {
				var c struct {
					Input  string
					Output *string
				}
				if entry[0] != '{' {
					continue
				}
				if err := json.Unmarshal(entry, &c); err != nil {
					t.Fatal(err)
				}
				if c.Input == "" {
					continue // no name
				}
				cases++
				want := ""
				switch {
				case c.Output != nil:
					want = "https://" + *c.Output + "/x"
				case isChangedName(c.Input):
					changed++
					want = "https://" + strings.ToLower(c.Input) + "/x"
				}
				got, err := s.Parse("https://" + inHostOf.Replace(c.Input) + "/x")
				if string(got) != want || (err == nil) != (want != "") {
					t.Errorf("%+q: got %q, %v, want %q", c.Input, got, err, want)
				}
			}
			t.Logf("%d cases, of which the standard has changed %d", cases, changed)
			if cases < 39 {
				t.Errorf("only %d cases", cases)
			}
		})
	}
}

// TestNamesOfNewerUnicode holds what newer test data has than the parser's module. Some of it needs the tables of Unicode
// 17, which the IDNA package has when it is built with Go 1.27.
func TestNamesOfNewerUnicode(t *testing.T) {
	s := plainSpeller(t)
	waiting := 0
	for _, tt := range []struct {
		name, host, want string
		newTables        bool
	}{
		{"stroke over an equals sign", "=\u0338", "xn--1ch", false},
		{"stroke over less-than", "<\u0338", "xn--gdh", false},
		{"the same around a soft hyphen", ">\u00ad\u0338", "xn--hdh", false},
		{"final sigma", "βόλος.com", "xn--nxasmm1c.com", false},
		{"joiner and vowel sign", "ශ්\u200dරී.com", "xn--10cl1a0b660p.com", false},
		{"hyphenation point", "a\u2027net", "xn--anet-vc7a", false},
		{"two dot leader", "a\u2025net", "", false},
		{"word joiner", "a\u2060b.net", "ab.net", false},
		{"byte order mark", "a\ufeffb.net", "ab.net", false},
		{"acute tone mark", "foo\u0341.net", "xn--fo-6ja.net", false},
		{"override of direction", "a\u202eb.net", "", false},
		{"language tag", "a\U000e0001b.net", "", false},
		{"unassigned", "\u0378.net", "", false},
		{"left-to-right label that ends right to left", "a\u0627", "", false},
		{"digit before a right-to-left letter", "1\u0627", "", false},
		{"Arabic digit alone", "\u0660", "", false},
		{"punycode that does not decode", "xn--0.com", "xn--0.com", false},
		{"vowel separator", "a\u180eb.net", "ab.net", true},
		{"shaping mark", "a\u206bb.net", "ab.net", true},
		{"palochka", "\u04c0.com", "xn--s5a.com", true},
		{"compatibility ideograph", "\U0002f868.com", "xn--snl.com", true},
		{"reversed C", "\u2183.com", "xn--r5g.com", true},
		{"capital sharp s", "\u1e9e.com", "xn--zca.com", true},
	} {
		if tt.newTables && idna.UnicodeVersion == "15.0.0" {
			waiting++
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			if want != "" {
				want = "https://" + want + "/"
			}
			if got, err := s.Parse("https://" + tt.host); string(got) != want || (err == nil) != (want != "") {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
	t.Logf("%d cases wait for newer tables than those of Unicode %s", waiting, idna.UnicodeVersion)
}
