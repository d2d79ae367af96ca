package hostile

import (
	"strconv"
	"strings"
)

// pages are sound answers with a content that lies, or is far too much. The
// exchange goes well; a crawl must come through each in bounded time and
// memory.
func pages() []Fault {
	const lie = "not crash, and make the best of it"
	small := func(name, contentType, body string) Fault {
		return Fault{Name: name, Must: lie, Status: 200, answer: keeps(ok, "Content-Type: ", contentType, "\r\nContent-Length: ", itoa(len(body)), "\r\n\r\n", body)}
	}
	// large sends a page of a size that is not kept anywhere.
	large := func(name, must, head, piece string, size int64) Fault {
		return Fault{Name: name, Must: must, Status: 200, Truncated: true, Fresh: true, Body: head, answer: pours(ok+"Content-Type: text/html\r\nContent-Length: "+strconv.FormatInt(size+int64(len(head)), 10)+"\r\n\r\n"+head, piece, size)}
	}
	const html = "<!DOCTYPE html><title>page</title>"
	// heading sends a page with a header of 200 KB, less than what is refused.
	heading := func(name, line string, times int) Fault {
		return Fault{Name: name, Must: "bound what is kept of a header", Status: 200, Body: html, answer: keeps(ok, "Content-Type: text/html\r\n", strings.Repeat(line, times), "Content-Length: ", itoa(len(html)), "\r\n\r\n", html)}
	}
	wide := strings.Repeat("x", 200_000)
	return []Fault{
		small("an image called HTML", "text/html", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR<a href=/x>x</a>"),
		small("HTML called an image", "image/png", html+"<a href=/fine>x</a>"),
		small("noise called HTML", "text/html", strings.Repeat("\xfe\x00<\xff>\x80\"'", 1000)),
		small("NUL bytes called HTML", "text/html", strings.Repeat("\x00", 10_000)),
		small("type of 10 KB", "text/html; "+strings.Repeat("x", 10_000), html),
		small("type of nonsense", ";;;/=\"", html),
		small("charset that is none", "text/html; charset=x-nothing", html),
		small("UTF-16 called UTF-8", "text/html; charset=utf-8", "<\x00t\x00i\x00t\x00l\x00e\x00>\x00x\x00"),
		small("windows-1251 called UTF-8", "text/html; charset=utf-8", "<title>\xcf\xf0\xe8\xe2\xe5\xf2</title>"),
		small("UTF-8 called UTF-16", "text/html; charset=utf-16", html),
		heading("validators of 200 KB", "ETag: \""+wide+"\"\r\nLast-Modified: x\r\n", 1),
		heading("X-Robots-Tag of 200 KB", "X-Robots-Tag: "+wide+"\r\n", 1),
		heading("X-Robots-Tag of 5,000 lines", "X-Robots-Tag: noarchive, otherbot: none\r\n", 5_000),
		heading("Link header of 200 KB", "Link: "+strings.Repeat("</fine>; rel=next, ", 10_000)+"\r\n", 1),
		heading("Link header of brackets", "Link: "+strings.Repeat("<", 200_000)+"\r\n", 1),
		heading("Link header of quotes", "Link: </fine>; rel=\""+strings.Repeat("\\\"", 100_000)+"\r\n", 1),
		heading("Link headers of 5,000 lines", "Link: </fine>; rel=next; title=\"x\"\r\n", 5_000),
		heading("cookie of 200 KB", "Set-Cookie: a="+wide+"\r\n", 1),
		heading("5,000 cookies", "Set-Cookie: a=b; Path=/; Max-Age=1000\r\n", 5_000),
		heading("Content-Language of 200 KB", "Content-Language: "+wide+"\r\n", 1),
		heading("Retry-After of 200 KB", "Retry-After: "+strings.Repeat("9", 200_000)+"\r\n", 1),
		small("base to a script", "text/html", html+"<base href='javascript:alert(1)//'><a href=x>x</a>"),
		small("refresh to itself", "text/html", html+"<meta http-equiv=refresh content=0>"),
		small("10,000 nested elements", "text/html", html+strings.Repeat("<div>", 10_000)+"<a href=/fine>x</a>"),
		large("50 MB of one line", "cut it at the body's limit", html, "one line and no end ", 50<<20),
		large("50 MB of a title", "cut it at the body's limit", "<title>", "title ", 50<<20),
		large("50 MB of a comment", "cut it at the body's limit", html+"<!--", "-- >", 50<<20),
		large("50 MB of a script", "cut it at the body's limit", html+"<script>", "</scrip", 50<<20),
		large("50 MB of one entity", "cut it at the body's limit", html+"&", "amp", 50<<20),
		large("50 MB of unclosed tags", "cut it at the body's limit", html, "<", 50<<20),
		large("50 MB of attributes", "cut it at the body's limit", html+"<a", " href=/fine", 50<<20),
		large("50 MB of a srcset", "cut it at the body's limit", html+"<img srcset=\"", "/fine 1x, ", 50<<20),
		large("50 MB of tiny tags", "cut it at the body's limit", html, "<b>", 50<<20),
		large("50 MB of an attribute", "cut it at the body's limit", html+"<a href=\"", "xxxxxxxxxxxxxxxx", 50<<20),
		large("50 MB of links without end", "bound what is kept of one page", html, "<a href=/fine>", 50<<20),
		{Name: "a million links", Must: "bound what is kept of one page", Status: 200, Truncated: true, Fresh: true, Body: html, answer: func(c *call) {
			// Of few pages, so that a crawl is not led on.
			c.say(ok, "Content-Type: text/html\r\nConnection: close\r\n\r\n", html)
			block := make([]byte, 0, 64<<10)
			for i := range 1_000_000 {
				block = strconv.AppendInt(append(block, "<a href=/fine?"...), int64(i%7), 10)
				block = append(block, "#"...)
				block = strconv.AppendInt(block, int64(i), 36)
				block = append(block, ">x</a>"...)
				if len(block) > 63<<10 || i == 999_999 {
					if _, err := c.Write(block); err != nil {
						return
					}
					block = block[:0]
				}
			}
		}},
	}
}
