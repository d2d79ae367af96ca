package page

import (
	"bytes"

	"golang.org/x/net/html"
)

// Tokens are the tokens of a page, for those who look for more than a Parser does. It is a Tokenizer that takes time linear in
// the length of the page, which one of html does not after a tag with very many attributes: it clears the map of their names
// for each tag that follows. Use it as one; it is for one goroutine.
type Tokens struct {
	*html.Tokenizer
	text  []byte
	end   int  // of the current token in text
	raw   bool // raw text may follow
	stale bool
}

// NewTokens returns the tokens of a text, which is not changed.
func NewTokens(text []byte) *Tokens {
	return &Tokens{Tokenizer: html.NewTokenizer(bytes.NewReader(text)), text: text}
}

// Next goes on to the next token, and returns its type.
func (t *Tokens) Next() html.TokenType {
	if t.stale && !t.raw {
		t.Tokenizer = html.NewTokenizer(bytes.NewReader(t.text[t.end:]))
		t.stale = false
	}
	token := t.Tokenizer.Next()
	raw := t.Raw()
	t.end += len(raw)
	t.raw = false
	if token == html.StartTagToken || token == html.SelfClosingTagToken {
		t.stale = t.stale || hasManyAttrs(raw)
		t.raw = t.stale && tagOf(tagName(raw, len("<"))).startsRaw()
	}
	return token
}
