package hostile

import (
	"strconv"
	"strings"
)

// ChainLength is how many redirects the chain has.
const ChainLength = 100

// redirects are redirects that lead nowhere, or where nobody should go. The
// exchange itself goes well; what a crawl must do is in Must.
func redirects() []Fault {
	to := func(name, must, location string) Fault {
		return Fault{Name: name, Must: must, Status: 302, Location: location, answer: func(c *call) {
			c.redirect(strings.ReplaceAll(location, "*", c.server.Root))
		}}
	}
	const (
		inside  = "not connect: the user did not name that host"
		foreign = "record it and not follow: it is no web address"
	)
	large := "/" + strings.Repeat("x", 100_000)
	return []Fault{
		{Name: "redirect to itself", Must: "stop at the limit of redirects in a row", Status: 302, Location: "/", Row: "failed protocol", answer: func(c *call) { c.redirect("/") }},
		{Name: "redirect there and back", Must: "ask for each once", Status: 302, Location: "/there", answer: func(c *call) {
			if c.path == "/there" {
				c.redirect("/")
			} else {
				c.redirect("/there")
			}
		}},
		{Name: "redirect to a growing query", Must: "stop at the limit of redirects in a row", Status: 302, Location: "/?x&x", answer: func(c *call) {
			query, _ := strings.CutPrefix(c.path, "/?x")
			c.redirect("/?x&x" + query)
		}},
		{Name: "redirect chain of a hundred", Must: "stop at the limit of redirects in a row", Status: 302, Location: "/hop-1", answer: func(c *call) {
			n, _ := strconv.Atoi(strings.TrimPrefix(c.path, "/hop-"))
			if n == ChainLength {
				c.redirect("/fine")
				return
			}
			c.redirect("/hop-" + strconv.Itoa(n+1))
		}},
		to("redirect to a file", foreign, "file:///etc/passwd"),
		to("redirect to ftp", foreign, "ftp://127.0.0.1/"),
		to("redirect to a script", foreign, "javascript:alert(1)"),
		to("redirect to data", foreign, "data:text/html,<a href=/x>x</a>"),
		to("redirect to gopher", foreign, "gopher://127.0.0.1:25/_HELO"),
		to("redirect to nonsense", foreign, "http://[::1"),
		to("redirect to a port that is none", foreign, "http://127.0.0.1:99999/"),
		to("redirect to the metadata of a cloud", inside, "http://169.254.169.254/latest/meta-data/"),
		to("redirect to loopback", inside, "http://127.0.0.2:9/"),
		to("redirect to loopback by number", inside, "http://2130706434:9/"),
		to("redirect to loopback in octal", inside, "http://0177.0.0.2:9/"),
		to("redirect to loopback of IPv6", inside, "http://[::1]:9/"),
		to("redirect to loopback mapped into IPv6", inside, "http://[::ffff:127.0.0.2]:9/"),
		to("redirect to no address", inside, "http://0.0.0.0:9/"),
		to("redirect to localhost", inside, "http://localhost:9/"),
		{Name: "redirect to the other scheme", Must: "ask there, by TLS, and find none", Status: 302, Location: "https://", answer: func(c *call) {
			c.redirect("https" + strings.TrimPrefix(c.server.Root, "http"))
		}},
		{Name: "redirect with control characters", Must: "not take it for an answer", Class: "protocol", Fresh: true, answer: func(c *call) { c.redirect("/\x01\x1b[31m\t\x7f") }},
		to("redirect with bytes beyond ASCII", "escape them", "/\xff\xfe\u202e\u00fc"),
		{Name: "redirect of 100 KB", Must: "refuse the target for its length", Status: 302, Location: "/xxxx", answer: func(c *call) { c.redirect(large) }},
		{Name: "redirect to nothing", Must: "call it a broken answer", Status: 302, Row: "failed protocol", answer: func(c *call) { c.redirect("") }},
		{Name: "redirect without a target", Must: "call it a broken answer", Status: 302, Row: "failed protocol", answer: keeps("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")},
		{Name: "redirect to several", Must: "take the first", Status: 302, Location: "/fine", answer: keeps("HTTP/1.1 302 Found\r\nLocation: /fine\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n")},
	}
}

func (c *call) redirect(location string) {
	c.keep = c.say("HTTP/1.1 302 Found\r\nLocation: ", location, "\r\nContent-Length: 0\r\n\r\n")
}
