package hostile

// drips are servers that take their time: each byte comes before a wait for
// the next one would be over.
func drips() []Fault {
	const must = "end the exchange when the time for all of it is over"
	chunked := ok + "Transfer-Encoding: chunked\r\n\r\n"
	return []Fault{
		{Name: "status line drip", Must: must, Class: "timeout", Fresh: true, answer: dripping("HTTP/1.1 200 ", "O")},
		{Name: "header drip", Must: must, Class: "timeout", Fresh: true, answer: dripping(ok+"X: ", "x")},
		{Name: "header line drip", Must: must, Class: "timeout", Fresh: true, answer: dripping(ok, "X: y\r\n")},
		{Name: "body drip", Must: must, Class: "timeout", Status: 200, Fresh: true, answer: dripping(ok+"Content-Length: 1000000\r\n\r\n", "x")},
		{Name: "body drip up to the end of the connection", Must: must, Class: "timeout", Status: 200, Fresh: true, answer: dripping(ok+"\r\n", "x")},
		{Name: "chunk drip", Must: must, Class: "timeout", Status: 200, Fresh: true, answer: dripping(chunked, "1\r\nx\r\n")},
		{Name: "chunk extension drip", Must: must, Class: "timeout", Status: 200, Fresh: true, answer: dripping(chunked+"4;", "x")},
		{Name: "trailer drip", Must: must, Class: "timeout", Status: 200, Fresh: true, answer: dripping(chunked+"4\r\nbody\r\n0\r\nX: ", "y")},
		{Name: "gzip drip", Must: must, Class: "timeout", Status: 200, Fresh: true, answer: dripping(ok+"Content-Encoding: gzip\r\n\r\n"+gzipHeader, emptyBlock)},
		{Name: "silence at the connection", Must: must, Class: "timeout", Whole: true, connect: func(c *call) { c.hang() }},
		{Name: "silence to the request", Must: must, Class: "timeout", Fresh: true, answer: hangs()},
		{Name: "silence in the header", Must: must, Class: "timeout", Fresh: true, answer: hangs(ok, "Content-Ty")},
		{Name: "silence for a body", Must: must, Class: "timeout", Status: 200, Fresh: true, answer: hangs(ok, "Content-Length: 10\r\n\r\n")},
		{Name: "silence in the body", Must: must, Class: "timeout", Status: 200, Fresh: true, Body: "half", answer: hangs(ok, "Content-Length: 10\r\n\r\nhalf")},
		{Name: "silence before the last chunk", Must: must, Class: "timeout", Status: 200, Fresh: true, Body: "body", answer: hangs(chunked, "4\r\nbody\r\n")},
	}
}
