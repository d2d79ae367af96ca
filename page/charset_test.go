package page

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/html/charset"
)

// encoded returns s in the named encoding.
func encoded(t *testing.T, label, s string) []byte {
	t.Helper()
	e, _ := charset.Lookup(label)
	if e == nil {
		t.Fatalf("no encoding %q", label)
	}
	b, err := e.NewEncoder().Bytes([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCharset(t *testing.T) {
	pad := strings.Repeat("<p>", 500)
	for _, test := range []struct {
		name, contentType, label, before, title, after string // body is before+title+after in the encoding label
		wantCharset, wantTitle                         string
	}{
		{"header", "text/html; charset=windows-1251", "windows-1251", "", "Привет", "", "windows-1251", "Привет"},
		{"header alias in quotes", `text/html;Charset = "CP1251"`, "windows-1251", "", "Привет", "", "windows-1251", "Привет"},
		{"header with a fault", "text/html; charset=windows-1251; charset=x; =", "windows-1251", "", "Привет", "", "windows-1251", "Привет"},
		{"meta", "text/html", "shift_jis", "<meta charset=Shift_JIS>", "日本語ソ", "", "shift_jis", "日本語ソ"},
		{"meta by pragma", "", "gb18030", "<meta http-equiv=Content-Type content='text/html; charset=gb18030'>", "你好㐂", "", "gb18030", "你好㐂"},
		{"gb2312 is gbk", "text/html; charset=gb2312", "gbk", "", "你好", "", "gbk", "你好"},
		{"latin1 is windows-1252", "text/html; charset=ISO-8859-1", "windows-1252", "", "€ é", "", "windows-1252", "€ é"},
		{"euc-kr", "text/html; charset=euc-kr", "euc-kr", "", "한국어", "", "euc-kr", "한국어"},
		{"header over meta", "text/html; charset=koi8-r", "koi8-r", "<meta charset=utf-8>", "Привет", "", "koi8-r", "Привет"},
		{"unknown header label", "text/html; charset=foo", "windows-1251", "<meta charset=windows-1251>", "Привет", "", "windows-1251", "Привет"},
		{"unknown labels", "text/html; charset=foo", "utf-8", "<meta charset=bar>", "Привет", "", "utf-8", "Привет"},
		{"UTF-8 by mark over header", "text/html; charset=windows-1251", "utf-8", "\uFEFF", "Привет", "", "utf-8", "Привет"},
		{"UTF-16 by mark over header", "text/html; charset=utf-8", "utf-16le", "\uFEFF", "Привет", "", "utf-16le", "Привет"},
		{"UTF-16 big-endian by mark", "", "utf-16be", "\uFEFF", "Привет", "", "utf-16be", "Привет"},
		{"UTF-16 by header", "text/html; charset=utf-16", "utf-16le", "", "Привет", "", "utf-16le", "Привет"},
		{"UTF-16 in meta is a lie", "", "utf-8", "<meta charset=utf-16>", "Привет", "", "utf-8", "Привет"},
		{"UTF-8 without label", "text/html", "utf-8", "", "Привет", "", "utf-8", "Привет"},
		{"UTF-8 that begins late without label", "text/html", "utf-8", pad, "Привет", "", "utf-8", "Привет"},
		{"UTF-8 that is cut without label", "text/html", "utf-8", pad, "Привет", "<p>\xD0", "utf-8", "Привет"},
		{"UTF-8 under a Western label", "", "utf-8", "<meta charset=iso-8859-1>", "Привет", "", "utf-8", "Привет"},
		{"ASCII", "text/html", "utf-8", "", "Hello", "", "utf-8", "Hello"},
		{"Western without label", "", "windows-1252", pad, "é", "", "windows-1252", "é"},
		{"UTF-8 with faults", "text/html; charset=utf-8", "utf-8", "", "Привет", "<p>\xff", "utf-8", "Привет"},
		{"header against the page", "text/html; charset=utf-8", "utf-8", "<meta charset=windows-1251>", "Привет", "", "utf-8", "Привет"},
		{"header in error wins over the page", "text/html; charset=koi8-r", "windows-1251", "<meta charset=windows-1251>", "Привет", "", "koi8-r", "оПХБЕР"},
		{"euc-jp by meta", "", "euc-jp", "<meta charset=x-euc-jp>", "日本語テスト", "", "euc-jp", "日本語テスト"},
		{"iso-2022-jp by header", "text/html; charset=ISO-2022-JP", "iso-2022-jp", "", "日本語テスト", "", "iso-2022-jp", "日本語テスト"},
		{"iso-2022-jp by meta", "", "iso-2022-jp", "<meta charset=iso-2022-jp>", "日本語テスト", "", "iso-2022-jp", "日本語テスト"},
		{"shift_jis by another name", "text/html; charset=Windows-31J", "shift_jis", "", "表示ソ", "", "shift_jis", "表示ソ"},
		{"big5 by meta", "", "big5", "<meta charset=big5-hkscs>", "中文許功蓋", "", "big5", "中文許功蓋"},
		{"euc-kr by meta", "", "euc-kr", "<meta charset=ks_c_5601-1987>", "한국어 똠방각하", "", "euc-kr", "한국어 똠방각하"},
		{"gb18030 by header", "text/html; charset=GB18030", "gb18030", "", "你好㐂😀", "", "gb18030", "你好㐂😀"},
		{"gbk by another name", "text/html; charset=x-gbk", "gbk", "", "你好", "", "gbk", "你好"},
		{"koi8-r by meta", "", "koi8-r", "<meta charset=koi>", "Привет", "", "koi8-r", "Привет"},
		{"koi8-u", "text/html; charset=koi8-ru", "koi8-u", "", "Їжак", "", "koi8-u", "Їжак"},
		{"ibm866", "text/html; charset=cp866", "ibm866", "", "Привет", "", "ibm866", "Привет"},
		{"iso-8859-2", "", "iso-8859-2", "<meta charset=latin2>", "Łódź", "", "iso-8859-2", "Łódź"},
		{"latin5 is windows-1254", "text/html; charset=iso-8859-9", "windows-1254", "", "Işık", "", "windows-1254", "Işık"},
		{"tis-620 is windows-874", "text/html; charset=tis-620", "windows-874", "", "ไทย", "", "windows-874", "ไทย"},
		{"UTF-16 big-endian by header", "text/html; charset=utf-16be", "utf-16be", "", "Привет", "", "utf-16be", "Привет"},
		{"UTF-16 mark over other UTF-16 header", "text/html; charset=utf-16be", "utf-16le", "\uFEFF", "Привет", "", "utf-16le", "Привет"},
		{"UTF-16 without mark or label", "text/html", "utf-16le", "", "Привет", "", "utf-16le", "Привет"},
		{"UTF-16 big-endian without mark or label", "", "utf-16be", "", "Привет", "", "utf-16be", "Привет"},
		{"utf-7 is unknown", "text/html; charset=utf-7", "utf-8", "", "+ADw-", "", "utf-8", "+ADw-"},
		{"utf-7 in meta is unknown", "", "windows-1251", "<meta charset=utf-7><meta charset=windows-1251>", "Привет", "", "windows-1251", "Привет"},
		{"utf-32 is unknown", "text/html; charset=utf-32", "utf-8", "", "Привет", "", "utf-8", "Привет"},
		{"x-user-defined by header", "text/html; charset=x-user-defined", "x-user-defined", "", "a\uf7ff", "", "x-user-defined", "a\uf7ff"},
		{"x-user-defined in meta is Western", "", "windows-1252", "<meta charset=x-user-defined>", "é", "", "windows-1252", "é"},
		{"label with spaces and quotes", `text/html; charset=" 'windows-1251' "`, "windows-1251", "", "Привет", "", "windows-1251", "Привет"},
		{"empty label", "text/html; charset=", "windows-1251", "<meta charset=windows-1251>", "Привет", "", "windows-1251", "Привет"},
		{"meta in capitals, in a comment too", "", "windows-1251", "<!-- <meta charset=koi8-r> --><META CHARSET='WINDOWS-1251'>", "Привет", "", "windows-1251", "Привет"},
		{"meta in a script", "", "windows-1251", "<script>'<meta charset=koi8-r>'</script><meta charset=windows-1251>", "Привет", "", "windows-1251", "Привет"},
		{"meta content without pragma", "", "windows-1252", "<meta content='text/html; charset=koi8-r'>", "é", "", "windows-1252", "é"},
		{"meta content with faults", "", "windows-1251", `<meta content="charset; CharSet = 'windows-1251' x" http-equiv=content-type>`, "Привет", "", "windows-1251", "Привет"},
		{"meta content that repeats itself", "", "windows-1251", "<meta http-equiv=Content-Type content='" + strings.Repeat("charset", 40) + "=windows-1251'>", "Привет", "", "windows-1251", "Привет"},
		{"meta after 1024 bytes", "", "windows-1251", "<!--" + strings.Repeat("x", 5000) + "--><meta charset=windows-1251>", "Привет", "", "windows-1251", "Привет"},
		{"meta across 1024 bytes", "", "windows-1251", strings.Repeat(" ", 1015) + "<meta charset=windows-1251>", "Привет", "", "windows-1251", "Привет"},
		{"meta after 1024 bytes of a page in UTF-8", "", "utf-8", "<!--" + strings.Repeat("x", 5000) + "--><meta charset=windows-1251>", "Привет", "", "utf-8", "Привет"},
		{"meta too late", "", "windows-1252", "<!--" + strings.Repeat("x", lateSniffLength) + "--><meta charset=windows-1251>", "é", "", "windows-1252", "é"},
		{"XML declaration", "text/html", "windows-1251", `<?xml version="1.0" encoding="windows-1251"?>`, "Привет", "", "windows-1251", "Привет"},
		{"XML declaration in other quotes", "text/html", "windows-1251", `<?xml version='1.0' encoding = 'WINDOWS-1251' ?>`, "Привет", "", "windows-1251", "Привет"},
		{"XML declaration without encoding", "text/html", "windows-1252", `<?xml version="1.0"?><x encoding="koi8-r">`, "é", "", "windows-1252", "é"},
		{"XML declaration is not the first", "text/html", "windows-1252", ` <?xml version="1.0" encoding="koi8-r"?>`, "é", "", "windows-1252", "é"},
		{"meta over XML declaration", "text/html", "windows-1251", `<?xml version="1.0" encoding="koi8-r"?><meta charset=windows-1251>`, "Привет", "", "windows-1251", "Привет"},
		{"XML declaration over meta in XHTML", "application/xhtml+xml", "windows-1251", `<?xml version="1.0" encoding="windows-1251"?><meta charset="koi8-r"/>`, "Привет", "", "windows-1251", "Привет"},
		{"XHTML without declaration", "application/xhtml+xml", "utf-8", `<meta charset="koi8-r"/>`, "Привет", "", "utf-8", "Привет"},
		{"replacement", "text/html; charset=hz-gb-2312", "utf-8", "", "Hello", "", "replacement", "Hello"},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := test.before + "<title>" + test.title + "</title><a href=/b>"
			in := Input{URL: "http://x.org/", ContentType: test.contentType, Body: []byte(body)}
			if test.label != "utf-8" {
				in.Body = encoded(t, test.label, body)
			}
			in.Body = append(in.Body, test.after...)
			page := parseInput(t, in)
			if page.Charset != test.wantCharset || page.Title != test.wantTitle || len(page.Links) != 1 {
				t.Errorf("got %q, %q, %d links, want %q, %q, 1 link",
					page.Charset, page.Title, len(page.Links), test.wantCharset, test.wantTitle)
			}
		})
	}
}

func TestWrongCharsetIsCleaned(t *testing.T) {
	sp := newSpeller(t)
	body := encoded(t, "windows-1251", "<title>Привет</title><h1>Привет</h1><meta name=description content=Привет><a href=/привет?привет>Привет</a>")
	for _, label := range []string{"utf-8", "utf-16le", "utf-16be", "shift_jis", "gb18030", "iso-2022-jp", "big5", "euc-kr", "x-user-defined", "macintosh"} {
		page := parseInput(t, Input{URL: "http://x.org/", ContentType: "text/html; charset=" + label, Body: body})
		if page.Charset != label {
			t.Errorf("charset %q, want %q", page.Charset, label)
		}
		checkPage(t, sp, page)
	}
}

func TestUTF8IsNotCopied(t *testing.T) {
	body := []byte("<title>Привет</title>")
	for _, contentType := range []string{"text/html; charset=utf-8", "text/html; charset=UTF8", "text/html", ""} {
		if text, _, _ := decode(body, contentType); &text[0] != &body[0] {
			t.Errorf("%q: the body was copied", contentType)
		}
	}
	if n := testing.AllocsPerRun(10, func() { decode(body, "text/html; charset=utf-8") }); n > 0 {
		t.Errorf("%v allocations for UTF-8 by header", n)
	}
}

func TestQueryEncoding(t *testing.T) {
	for _, test := range []struct{ label, href, want string }{
		{"utf-8", "/п?q=п", "http://x.org/%D0%BF?q=%D0%BF"},
		{"windows-1251", "/п?q=п#п", "http://x.org/%D0%BF?q=%EF"},
		{"windows-1251", "?a=b&amp;q=я+%ef", "http://x.org/?a=b&q=%FF+%ef"},
		{"windows-1252", "?q=é", "http://x.org/?q=%E9"},
		{"shift_jis", "?q=ソ", `http://x.org/?q=%83\`},
		{"gb18030", "?q=你", "http://x.org/?q=%C4%E3"},
		{"windows-1252", "?q=&#x43f;x", "http://x.org/?q=%26%231087%3Bx"},
		{"utf-16le", "?q=п", "http://x.org/?q=%D0%BF"},
		{"windows-1251", "/b", "http://x.org/b"},
		{"windows-1251", "/b#?п", "http://x.org/b"},
	} {
		page := parseInput(t, Input{
			URL: "http://x.org/", ContentType: "text/html; charset=" + test.label, Body: encoded(t, test.label, `<a href="`+test.href+`">`),
		})
		if len(page.Links) != 1 || page.Links[0].URL.String() != test.want {
			t.Errorf("%s %s: got %v, want %s", test.label, test.href, page.Links, test.want)
		}
	}
}

func TestBodyIsNotChanged(t *testing.T) {
	body := []byte("<A HREF='/B?&amp;\r\n&lt;'>A&amp;B\r\n&lt;</A><TITLE>&amp;\r\n</TITLE>\xff")
	before := bytes.Clone(body)
	parseInput(t, Input{URL: "http://x.org/", ContentType: "text/html; charset=utf-8", Body: body})
	if !bytes.Equal(before, body) {
		t.Errorf("the body was changed to %q", body)
	}
}
