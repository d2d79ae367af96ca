package hostile

import "strings"

// handshakes are servers on a TLS port that do not speak TLS.
func handshakes() []Fault {
	const must = "give up in the handshake; no request may go out"
	fault := func(name, class string, connect func(*call)) Fault {
		return Fault{Name: name, Must: must, TLS: true, Whole: true, Class: class, connect: func(c *call) {
			_, _ = c.in.ReadByte() // of the hello
			connect(c)
		}}
	}
	said := func(texts ...string) func(*call) {
		return func(c *call) {
			c.say(texts...)
			c.hang()
		}
	}
	return []Fault{
		fault("plain HTTP on a TLS port", "tls", said("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")),
		fault("noise on a TLS port", "tls", said("\x8f\x02\xc1\x77\x00\x3a\x9e\x11\xfe\xed")),
		fault("TLS record of junk", "tls", said("\x16\x03\x03\x40\x00", strings.Repeat("\xa5", 16<<10))),
		fault("TLS record beyond its size", "tls", said("\x16\x03\x03\xff\xff", strings.Repeat("\xa5", 16<<10))),
		fault("TLS message of 16 MB", "tls", said("\x16\x03\x03\x00\x04\x02\xff\xff\xff")),
		fault("TLS alert", "tls", said("\x15\x03\x03\x00\x02\x02\x28")),
		fault("TLS warnings without end", "tls", func(c *call) { c.pour("\x15\x03\x03\x00\x02\x01\x5a", endless) }),
		fault("empty TLS records without end", "tls", func(c *call) { c.pour("\x17\x03\x03\x00\x00", endless) }),
		fault("TLS handshake drip", "timeout", func(c *call) {
			c.say("\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
			c.drip("\x00")
		}),
		fault("silence in the TLS handshake", "timeout", said()),
	}
}
