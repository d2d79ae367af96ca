package hostile

import (
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

// lengths are answers whose Content-Length is not the length (RFC 9112 section
// 6.3).
func lengths() []Fault {
	const must = "not believe any part of the answer"
	length := func(value string) func(*call) { return keeps(ok, "Content-Length: ", value, "\r\n\r\nbody") }
	return []Fault{
		{Name: "length longer than the body", Must: "call it lost, and keep what came", Class: "reset", Status: 200, Fresh: true, Body: "body", answer: says(ok, "Content-Length: 10\r\n\r\nbody")},
		{Name: "length shorter than the body", Must: "cut the body there and give the connection up", Status: 200, Fresh: true, Body: "body", answer: keeps(ok, "Content-Length: 4\r\n\r\nbody and more of it")},
		{Name: "length of none before a body", Must: "cut the body there and give the connection up", Status: 200, Fresh: true, answer: keeps(ok, "Content-Length: 0\r\n\r\nbody")},
		{Name: "length below zero", Must: must, Class: "protocol", Fresh: true, answer: length("-4")},
		{Name: "length with a sign", Must: must, Class: "protocol", Fresh: true, answer: length("+4")},
		{Name: "length of words", Must: must, Class: "protocol", Fresh: true, answer: length("four")},
		{Name: "length in hexadecimal", Must: must, Class: "protocol", Fresh: true, answer: length("0x4")},
		{Name: "length beyond 64 bits", Must: must, Class: "protocol", Fresh: true, answer: length("18446744073709551620")},
		{Name: "length of a thousand digits", Must: must, Class: "protocol", Fresh: true, answer: length(strings.Repeat("4", 1000))},
		{Name: "two different lengths", Must: must, Class: "protocol", Fresh: true, answer: length("4\r\nContent-Length: 5")},
		{Name: "two different lengths on one line", Must: must, Class: "protocol", Fresh: true, answer: length("4, 5")},
		{Name: "two equal lengths", Must: "take them for one", Status: 200, Body: "body", answer: length("4\r\nContent-Length: 4")},
		{Name: "length and chunks", Must: "go by the chunks", Status: 200, Body: "body", answer: keeps(ok, "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n")},
		{Name: "unknown transfer coding", Must: must, Class: "protocol", Fresh: true, answer: keeps(ok, "Transfer-Encoding: cowbell\r\n\r\nbody")},
		{Name: "chunked twice", Must: must, Class: "protocol", Fresh: true, answer: keeps(ok, "Transfer-Encoding: chunked, chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n")},
		{Name: "length of a body that is not sent", Must: "wait no longer than for a byte of a body", Class: "timeout", Status: 200, Fresh: true, answer: hangs(ok, "Content-Length: 4\r\n\r\n")},
	}
}

// chunks are bodies whose chunks are broken (RFC 9112 section 7.1).
func chunks() []Fault {
	const must = "keep what came and call it broken"
	chunked := ok + "Transfer-Encoding: chunked\r\n\r\n"
	fault := func(name, class, body string) Fault {
		return Fault{Name: name, Must: must, Class: class, Status: 200, Fresh: true, Body: "body", answer: says(chunked, "4\r\nbody\r\n", body)}
	}
	flood := func(name, head, piece string) Fault {
		return Fault{Name: name, Must: "give up at a bound", Class: "protocol", Status: 200, Fresh: true, Body: "body", answer: pours(chunked+"4\r\nbody\r\n"+head, piece, 10<<20)}
	}
	return []Fault{
		fault("chunk without a size", "protocol", "\r\n0\r\n\r\n"),
		fault("chunk size of words", "protocol", "four\r\nbody\r\n0\r\n\r\n"),
		fault("chunk size below zero", "protocol", "-4\r\nbody\r\n0\r\n\r\n"),
		fault("chunk size with a prefix", "protocol", "0x4\r\nbody\r\n0\r\n\r\n"),
		fault("chunk size beyond 64 bits", "protocol", "fffffffffffffffff\r\nbody\r\n"),
		fault("chunk of 4 EB", "reset", "4000000000000000\r\nbody"),
		fault("chunk longer than its size", "protocol", "2\r\nbody\r\n0\r\n\r\n"),
		fault("chunk cut short", "reset", "8\r\nbo"),
		fault("no last chunk", "reset", ""),
		fault("no end of the trailer", "reset", "0\r\n"),
		flood("chunk extension of 10 MB", "4;", filler),
		flood("chunk extensions of 4 KB on each byte", "", "1;"+strings.Repeat("x", 4000)+"\r\nx\r\n"),
		flood("trailer line of 10 MB", "0\r\nX: ", filler),
		flood("trailer lines without end", "0\r\n", "X: y\r\n"),
		{Name: "trailer with a status of its own", Must: "take no header from a trailer", Status: 200, Body: "body", answer: keeps(chunked, "4\r\nbody\r\n0\r\nLocation: /x\r\nContent-Length: 1\r\nSet-Cookie: a=b\r\n\r\n")},
	}
}
