package page

import (
	"bytes"
	"io"
)

// feed gives a Tokenizer its bytes, in pieces that leave it with nothing more than the token it returns, as a rule: then the
// Parser can read on without it.
type feed struct {
	body  []byte
	next  int  // offset in body of what comes next
	raw   bool // the next token is raw text, which ends before an end tag
	least int  // bytes that the next piece has at least
	given int  // bytes in all; more than the length of body when some were given again
}

// token makes ready for the next token.
func (f *feed) token(raw bool) { f.raw, f.least = raw, 0 }

// Read gives what there is up to the end of a tag. When that was not the end of the token, as in a comment, twice as much
// follows: a Tokenizer moves all that it has of the token for each piece.
func (f *feed) Read(b []byte) (int, error) {
	piece := f.body[f.next:]
	if len(piece) == 0 {
		return 0, io.EOF
	}
	piece = piece[:min(len(piece), len(b))]
	from := min(f.least, len(piece))
	if f.raw {
		if i := bytes.Index(piece[from:], []byte("</")); i >= 0 {
			from += i
		} else {
			from = len(piece)
		}
	}
	if i := bytes.IndexByte(piece[from:], '>'); i >= 0 {
		piece = piece[:from+i+1]
	}
	n := copy(b, piece)
	f.next += n
	f.given += n
	f.least += n
	return n, nil
}
