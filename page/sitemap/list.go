package sitemap

import "bytes"

// readText reads a list of addresses, one a line. That it is one is known by its first line, for there is to be no header.
func (p *parser) readText(truncated bool) {
	p.report.Kind = Text
	for !p.stop {
		line, whole, ok := p.scanner.line()
		if !ok || !whole && (truncated || p.report.Cut || !p.scanner.ended()) {
			return
		}
		line = p.values.clean(bytes.TrimPrefix(p.values.utf8(line), []byte(byteOrderMark)))
		if len(line) == 0 {
			continue
		}
		if !isWeb(line) {
			p.report.Malformed++
			continue
		}
		// Addresses hold no tabs: what follows is another column.
		line, _, _ = bytes.Cut(line, []byte("\t"))
		p.add(line, false)
		p.flush()
	}
}
