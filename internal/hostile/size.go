package hostile

import "strconv"

// sizes are servers that send far too much.
func sizes() []Fault {
	const (
		header = "give up at a bound on the header, without keeping it"
		body   = "cut the body at its limit and give the connection up"
	)
	return []Fault{
		{Name: "header of 100 MB", Must: header, Class: "protocol", Fresh: true, answer: pours(ok, "X-Filler: "+filler+"\r\n", 100<<20)},
		{Name: "header without end", Must: header, Class: "protocol", Fresh: true, answer: pours(ok, "X: y\r\n", endless)},
		{Name: "100,000 headers", Must: header, Class: "protocol", Fresh: true, answer: manyHeaders},
		{Name: "header line of 10 MB", Must: header, Class: "protocol", Fresh: true, answer: pours(ok+"X: ", filler, 10<<20)},
		{Name: "header name of 10 MB", Must: header, Class: "protocol", Fresh: true, answer: pours(ok, filler, 10<<20)},
		{Name: "header line folded for ever", Must: header, Class: "protocol", Fresh: true, answer: pours(ok+"X: y\r\n", " y\r\n", 10<<20)},
		{Name: "status line of 10 MB", Must: header, Class: "protocol", Fresh: true, answer: pours("HTTP/1.1 200 ", filler, 10<<20)},
		{Name: "blank lines without end", Must: header, Class: "protocol", Fresh: true, answer: pours("", "\r\n", 10<<20)},

		{Name: "body without end", Must: body, Status: 200, Truncated: true, Fresh: true, Body: filler, answer: pours(ok+"\r\n", filler, endless)},
		{Name: "body without end in chunks", Must: body, Status: 200, Truncated: true, Fresh: true, Body: filler, answer: pours(ok+"Transfer-Encoding: chunked\r\n\r\n", "40\r\n"+filler+"\r\n", endless)},
		{Name: "body without end in chunks of a byte", Must: body, Status: 200, Truncated: true, Fresh: true, Body: "xxxx", answer: pours(ok+"Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", endless)},
		{Name: "body of 4 EB by its length", Must: body, Status: 200, Truncated: true, Fresh: true, Body: filler, answer: pours(ok+"Content-Length: 4611686018427387904\r\n\r\n", filler, endless)},
		{Name: "error page without end", Must: body, Status: 404, Truncated: true, Fresh: true, answer: pours("HTTP/1.1 404 Not Found\r\n\r\n", filler, endless)},
		{Name: "redirect with a body without end", Must: body, Status: 302, Location: "/fine", Truncated: true, Fresh: true, answer: pours("HTTP/1.1 302 Found\r\nLocation: /fine\r\n\r\n", filler, endless)},
		{Name: "promise of 4 EB", Must: "take no memory for a promise", Class: "reset", Status: 200, Fresh: true, Body: "half", answer: says(ok, "Content-Length: 4611686018427387904\r\n\r\nhalf")},
	}
}

// filler is 64 bytes.
const filler = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

// manyHeaders sends headers of different names, which take more memory than
// others do.
func manyHeaders(c *call) {
	block := []byte(ok)
	for i := range 100_000 {
		block = strconv.AppendInt(append(block, 'h'), int64(i), 36)
		block = append(block, ":\r\n"...)
		if len(block) > 1<<10 || i == 100_000-1 {
			if _, err := c.Write(block); err != nil {
				return
			}
			block = block[:0]
		}
	}
	c.hang()
}
