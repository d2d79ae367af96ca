package hostile

import "io"

// losses are connections that are reset or closed at every stage.
func losses() []Fault {
	const must = "call it lost, and ask once"
	secure := func(f Fault) Fault { f.TLS = true; return f }
	lost := func(name string, status int, texts ...string) Fault {
		return Fault{Name: name, Must: must, Class: "reset", Status: status, Fresh: true, answer: resets(texts...)}
	}
	body := ok + "Content-Length: 10\r\n\r\n"
	return []Fault{
		{Name: "reset at the connection", Must: must, Class: "reset", Or: "connect", Whole: true, connect: func(c *call) { c.reset() }},
		{Name: "closed at the connection", Must: must, Class: "reset", Whole: true, connect: func(*call) {}},
		{Name: "closed at the request", Must: must, Class: "reset", Fresh: true, answer: says()},
		lost("reset at the request", 0),
		{Name: "closed in the body", Must: must, Class: "reset", Status: 200, Fresh: true, Body: "half", answer: says(body, "half")},
		// What was cut there cannot be told from what is malformed there.
		{Name: "reset in the status line", Must: must, Class: "protocol", Or: "reset", Fresh: true, answer: resets("HTTP/1.1 20")},
		{Name: "reset in the header", Must: must, Class: "protocol", Or: "reset", Fresh: true, answer: resets(ok, "Content-Ty")},
		lost("reset between header and body", 200, body),
		lost("reset in the body", 200, body, "half"),
		lost("reset in a chunk", 200, ok, "Transfer-Encoding: chunked\r\n\r\n8\r\nhalf"),
		lost("reset in a gzip body", 200, ok, "Content-Encoding: gzip\r\nContent-Length: 99\r\n\r\n", gzipHeader),
		secure(lost("reset after the TLS handshake", 0)),
		secure(lost("reset in a body over TLS", 200, body, "half")),
		{Name: "reset in the TLS hello", Must: must, TLS: true, Whole: true, Class: "reset", connect: func(c *call) {
			_, _ = c.in.ReadByte()
			c.reset()
		}},
		{Name: "closed in the TLS hello", Must: must, TLS: true, Whole: true, Class: "reset", connect: func(c *call) {
			_, _ = io.ReadFull(c.in, make([]byte, 5))
			c.say("\x16\x03\x03\x00\x40\x02")
			_ = c.tcp.CloseWrite()
			c.hang()
		}},
	}
}
