package hostile

import (
	"crypto/tls"
	"io"
)

// Forged is the title of every answer that a poisoned connection holds for a
// request that was not made yet.
const Forged = "forged"

// poisons are connections that hold more than was asked for. What follows the
// answer must never be taken for the answer to another request.
func poisons() []Fault {
	const (
		must   = "give the connection up"
		answer = ok + "Content-Type: text/html\r\nContent-Length: 4\r\n\r\nbody"
		last   = ok + "Connection: close\r\nContent-Length: 4\r\n\r\nbody"
		forged = ok + "Content-Type: text/html\r\nContent-Length: 21\r\n\r\n<title>" + Forged + "</title>"
	)
	fault := func(name string, answer func(*call)) Fault {
		return Fault{Name: name, Must: must, Status: 200, Fresh: true, Body: "body", answer: answer}
	}
	secure := fault("forged answer behind an answer over TLS", keeps(answer, forged))
	secure.TLS = true
	empty := func(name string, status int, text string) Fault {
		f := fault(name, keeps(text, forged))
		f.Status, f.Body = status, ""
		return f
	}
	return []Fault{
		fault("forged answer behind an answer", keeps(answer, forged)),
		fault("forged answer behind chunks", keeps(ok, "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", forged)),
		fault("two forged answers", keeps(answer, forged, forged)),
		fault("noise behind an answer", keeps(answer, "\x00\xff\x1b]0;owned\a")),
		fault("408 behind an answer", keeps(answer, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")),
		fault("body behind an answer without end", pours(answer+filler, filler, endless)),
		secure,
		empty("forged answer behind 204", 204, "HTTP/1.1 204 No Content\r\n\r\n"),
		empty("forged answer behind an empty body", 200, ok+"Content-Length: 0\r\n\r\n"),
		{Name: "answer before the request", Must: "take it for the answer to the first request at most", Whole: true, Status: 200, Body: "body", connect: func(c *call) {
			c.say(last)
			_, _ = c.request()
			_ = c.tcp.CloseWrite()
			c.hang()
		}},
		{Name: "answer before the request over TLS", Must: "take it for the answer to the first request at most", TLS: true, Whole: true, Status: 200, Body: "body", Or: "protocol", connect: func(c *call) {
			cert, err := certificate()
			if err != nil {
				return
			}
			secure := tls.Server(c.Conn, &tls.Config{Certificates: []tls.Certificate{cert}})
			if secure.Handshake() == nil {
				_, _ = io.WriteString(secure, last)
				_, _ = io.Copy(io.Discard, secure)
			}
		}},
		{Name: "answer to half of the request", Must: "take the answer", Whole: true, Status: 200, Body: "body", connect: func(c *call) {
			_, _ = io.ReadFull(c.in, make([]byte, 1))
			c.say(last)
			c.hang()
		}},
	}
}
