package hostile

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"io"
	"strings"
)

// streams are servers that speak HTTP/2 and say nothing in it, or no end of it.
func streams() []Fault {
	const (
		settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
		ping     = "\x00\x00\x08\x06\x00\x00\x00\x00\x00rataplan"
		update   = "\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x01"
		unknown  = "\x00\x00\x08\xee\x00\x00\x00\x00\x00whatever"
	)
	fault := func(name, class string, serve func(*call)) Fault {
		return Fault{Name: name, Must: "give up when time is over, or before", TLS: true, Whole: true, Class: class, connect: func(c *call) {
			cert, err := certificate()
			if err != nil {
				return
			}
			secure := tls.Server(c.Conn, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}})
			if secure.Handshake() != nil {
				return
			}
			c.Conn, c.in = secure, bufio.NewReader(secure)
			if c.say(settings) && c.untilHeaders() {
				c.server.asked.Add(1)
				serve(c)
			}
		}}
	}
	// flood sends a frame without end and reads what comes back.
	flood := func(frame string) func(*call) {
		return func(c *call) {
			c.server.running.Go(c.hang)
			c.pour(frame, endless)
		}
	}
	body := fault("HTTP/2 body without end", "", func(c *call) {
		c.server.running.Go(c.hang)
		if c.say("\x00\x00\x01\x01\x04\x00\x00\x00\x01\x88") {
			c.pour("\x00\x40\x00\x00\x00\x00\x00\x00\x01"+strings.Repeat("x", 16<<10), endless)
		}
	})
	body.Must, body.Status, body.Truncated, body.Body = "cut the body, and take no more of it than that", 200, true, "xxxx"
	return []Fault{
		body,
		fault("HTTP/2 and silence", "timeout", func(c *call) { c.hang() }),
		fault("HTTP/2 pings without end", "timeout", flood(ping)),
		fault("HTTP/2 settings without end", "timeout", flood(settings)),
		fault("HTTP/2 window updates without end", "timeout", flood(update)),
		fault("HTTP/2 unknown frames without end", "timeout", flood(unknown)),
		fault("HTTP/2 pings and never reading", "timeout", func(c *call) { c.pour(ping, endless) }),
		fault("HTTP/2 frame beyond its size", "protocol", func(c *call) { c.say("\xff\xff\xff\x01\x04\x00\x00\x00\x01"); c.pour(filler, endless) }),
		fault("HTTP/1.1 after agreeing on HTTP/2", "protocol", func(c *call) { c.say(ok, "Content-Length: 4\r\n\r\nbody"); c.hang() }),
		fault("HTTP/2 answer to a request not made", "timeout", func(c *call) { c.say("\x00\x00\x01\x01\x05\x00\x00\x00\x09\x88"); c.hang() }),
		fault("HTTP/2 closed at the request", "reset", func(*call) {}),
	}
}

// untilHeaders reads frames up to the headers of a request.
func (c *call) untilHeaders() bool {
	if _, err := c.in.Discard(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")); err != nil {
		return false
	}
	var head [9]byte
	for {
		if _, err := io.ReadFull(c.in, head[:]); err != nil {
			return false
		}
		size := binary.BigEndian.Uint32(head[:4]) >> 8
		if _, err := c.in.Discard(int(size)); err != nil {
			return false
		}
		if head[3] == 1 {
			return true
		}
	}
}
