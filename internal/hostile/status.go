package hostile

import "strings"

// statuses are answers that do not begin as HTTP does, or have a status that
// is none.
func statuses() []Fault {
	const must = "not take it for an answer"
	bad := func(name, answer string) Fault {
		return Fault{Name: name, Must: must, Class: "protocol", Fresh: true, answer: says(answer)}
	}
	const sized = "Content-Length: 4\r\n\r\nbody"
	return []Fault{
		bad("status of words", "HTTP/1.1 abc\r\n"+sized),
		bad("status of two digits", "HTTP/1.1 20 OK\r\n"+sized),
		bad("status of four digits", "HTTP/1.1 2000 OK\r\n"+sized),
		bad("status below zero", "HTTP/1.1 -20 OK\r\n"+sized),
		bad("status 000", "HTTP/1.1 000 Nothing\r\n"+sized),
		bad("status 099", "HTTP/1.1 099 Nothing\r\n"+sized),
		bad("status line of SHOUTcast", "ICY 200 OK\r\n"+sized),
		bad("status line of nothing", "\r\n"+sized),
		bad("status line of another version", "HTTP/9.9.9 200 OK\r\n"+sized),
		bad("HTTP/0.9", "<!DOCTYPE html>\n<title>old</title>\n"),
		bad("another protocol", "SSH-2.0-OpenSSH_9.9\r\n"),
		bad("HTTP/2 without being asked", "\x00\x00\x00\x04\x00\x00\x00\x00\x00"),
		bad("NUL bytes in the status line", "HTTP/1.1 2\x000 OK\r\n"+sized),
		bad("NUL bytes alone", strings.Repeat("\x00", 5000)),
		bad("NUL byte in a header name", ok+"X\x00Y: z\r\n"+sized),
		bad("header without a colon", ok+"Content-Type text/html\r\n"+sized),
		bad("header that begins with a fold", ok+" folded: yes\r\n"+sized),
		{Name: "NUL byte in a header value", Must: "not show it", Class: "protocol", Fresh: true, answer: says(ok, "Content-Type: text/\x00html\r\n", sized)},
		{Name: "header with bare line feeds", Must: "read it as others do", Status: 200, Body: "body", answer: keeps("HTTP/1.1 200 OK\nContent-Length: 4\n\nbody")},
		{Name: "header with a blank before its colon", Must: "read it as others do", Status: 200, Body: "body", answer: keeps(ok, "X : y\r\n", sized)},
		{Name: "status 999", Must: "take it for a failure", Status: 999, Body: "body", answer: keeps("HTTP/1.1 999 Denied\r\n", sized)},
		{Name: "status 600", Must: "take it for a failure", Status: 600, Body: "body", answer: keeps("HTTP/1.1 600 What\r\n", sized)},

		{Name: "interim answers without end", Must: "give up at a bound", Class: "protocol", Fresh: true, answer: pours("", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", endless)},
		{Name: "some interim answers", Must: "wait for the answer", Status: 200, Body: "body", answer: keeps("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n", ok, sized)},
		{Name: "100 without being asked", Must: "wait for the answer", Status: 200, Body: "body", answer: keeps("HTTP/1.1 100 Continue\r\n\r\n", ok, sized)},
		{Name: "100 and no more", Must: "give up when time is over", Class: "timeout", Fresh: true, answer: hangs("HTTP/1.1 100 Continue\r\n\r\n")},
		{Name: "interim answers in a drip", Must: "give up at a bound or when time is over", Class: "timeout", Fresh: true, answer: dripping("", "HTTP/1.1 103 Early Hints\r\n\r\n")},
		{Name: "101 without being asked", Must: "not change the protocol", Class: "protocol", Fresh: true, answer: hangs("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")},
		{Name: "204 with a body", Must: "take no body, and give the connection up", Status: 204, Fresh: true, answer: keeps("HTTP/1.1 204 No Content\r\n", sized)},
		{Name: "304 with a body", Must: "take no body, and give the connection up", Status: 304, Fresh: true, Row: "failed protocol", answer: keeps("HTTP/1.1 304 Not Modified\r\n", sized)},
		{Name: "304 without being asked", Must: "not take it for the page", Status: 304, Row: "failed protocol", answer: keeps("HTTP/1.1 304 Not Modified\r\n\r\n")},
		{Name: "206 without being asked", Must: "take what came", Status: 206, Body: "body", answer: keeps("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-3/9\r\n", sized)},
	}
}
