package field

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxJSONNodes = 250_000 // values of all JSON-LD of a page
	maxJSONDepth = 500
)

var (
	errJSON      = errors.New("JSON-LD does not parse")
	errJSONNodes = errors.New("JSON-LD has more than 250000 values")
	errJSONDepth = errors.New("JSON-LD is nested more than 500 deep")
)

// linked is all the JSON-LD of a page.
//
// It is read by a reader of its own: values must stay in the order in which they stand, and what pages hold is not always
// JSON, but has comments of HTML around it, line feeds in strings and commas before closing brackets.
type linked struct {
	nodes []jsonNode
	tops  []int // nodes
	ids   map[string]int
	err   error // why some of it could not be read
}

// jsonNode is a value.
type jsonNode struct {
	key   string // in the object that it is in
	text  string // of a string; else as it stands
	kind  byte   // '{', '[', '"', '0', 't' or 'n'
	child int32  // the first value in it, 0 if there is none
	next  int32  // the next value in what it is in, 0 if there is none
}

func readLinked(scripts []string) *linked {
	l := &linked{nodes: make([]jsonNode, 1)}
	for _, script := range scripts {
		r := jsonReader{linked: l, text: script, i: skipWrapping(script)}
		if r.i == len(script) {
			continue
		}
		known := len(l.nodes)
		top, err := r.value(0)
		if err != nil {
			l.nodes = l.nodes[:known]
			l.err = err
			continue
		}
		l.tops = append(l.tops, top)
	}
	return l
}

// skipWrapping returns where the value starts in a script: comments and CDATA signs may stand before it.
func skipWrapping(s string) int {
	i := 0
	for {
		i = skipJSONSpace(s, i)
		n := 0
		for _, sign := range [...]string{"<!--", "<![CDATA[", "//", "/*", "*/", "\ufeff"} {
			if strings.HasPrefix(s[i:], sign) {
				n = len(sign)
			}
		}
		if n == 0 {
			return i
		}
		i += n
	}
}

func skipJSONSpace(s string, i int) int {
	for i < len(s) && (s[i] <= ' ' || strings.HasPrefix(s[i:], "\u00a0")) {
		if s[i] > ' ' {
			i++
		}
		i++
	}
	return i
}

type jsonReader struct {
	*linked
	text string
	i    int
}

// value reads the value that starts at the reader's place, and returns its node.
func (r *jsonReader) value(depth int) (int, error) {
	if len(r.nodes) == maxJSONNodes {
		return 0, errJSONNodes
	}
	if depth > maxJSONDepth {
		return 0, errJSONDepth
	}
	if r.i >= len(r.text) {
		return 0, errJSON
	}
	start := r.i
	id := len(r.nodes)
	r.nodes = append(r.nodes, jsonNode{})
	n := jsonNode{kind: r.text[start]}
	var err error
	switch n.kind {
	case '{', '[':
		n.child, err = r.members(n.kind, depth)
		n.text = r.text[start:r.i]
	case '"':
		n.text, err = r.string()
	default:
		for r.i < len(r.text) && strings.IndexByte(",]} \t\r\n", r.text[r.i]) < 0 {
			r.i++
		}
		n.text = r.text[start:r.i]
		switch {
		case n.text == "true" || n.text == "false" || n.text == "null":
		case isMachineNumber(n.text):
			n.kind = '0'
		default:
			err = errJSON
		}
	}
	r.nodes[id] = n
	return id, err
}

// members reads what is in an object or an array, and returns the first of it.
func (r *jsonReader) members(kind byte, depth int) (int32, error) {
	closing := byte(']')
	if kind == '{' {
		closing = '}'
	}
	first, last := int32(0), 0
	for r.i++; ; {
		r.i = skipJSONSpace(r.text, r.i)
		if r.i >= len(r.text) {
			return 0, errJSON
		}
		if r.text[r.i] == closing {
			r.i++
			return first, nil
		}
		key := ""
		if kind == '{' {
			if r.text[r.i] != '"' {
				return 0, errJSON
			}
			var err error
			if key, err = r.string(); err != nil {
				return 0, err
			}
			if r.i = skipJSONSpace(r.text, r.i); r.i >= len(r.text) || r.text[r.i] != ':' {
				return 0, errJSON
			}
			r.i = skipJSONSpace(r.text, r.i+1)
		}
		id, err := r.value(depth + 1)
		if err != nil {
			return 0, err
		}
		r.nodes[id].key = key
		if last == 0 {
			first = int32(id)
		} else {
			r.nodes[last].next = int32(id)
		}
		last = id
		if r.i = skipJSONSpace(r.text, r.i); r.i < len(r.text) && r.text[r.i] == ',' {
			r.i++
		} else if r.i >= len(r.text) || r.text[r.i] != closing {
			return 0, errJSON
		}
	}
}

// string reads the string that starts at the reader's place.
func (r *jsonReader) string() (string, error) {
	r.i++
	start := r.i
	n := strings.IndexAny(r.text[start:], `"\`)
	if n < 0 {
		return "", errJSON
	}
	if r.text[start+n] == '"' {
		r.i = start + n + 1
		return r.text[start : start+n], nil
	}
	var b strings.Builder
	for {
		n := strings.IndexAny(r.text[r.i:], `"\`)
		if n < 0 {
			return "", errJSON
		}
		b.WriteString(r.text[r.i : r.i+n])
		r.i += n + 1
		if r.text[r.i-1] == '"' {
			return b.String(), nil
		}
		if r.i == len(r.text) {
			return "", errJSON
		}
		r.i++
		switch c := r.text[r.i-1]; c {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			b.WriteRune(r.codePoint())
		default:
			b.WriteByte(c)
		}
	}
}

// codePoint reads what follows \u, and a second half of a pair of surrogates.
func (r *jsonReader) codePoint() rune {
	c, ok := hex4(r.text[r.i:])
	if !ok {
		return utf8.RuneError
	}
	r.i += 4
	if !utf16.IsSurrogate(c) {
		return c
	}
	if strings.HasPrefix(r.text[r.i:], `\u`) {
		if low, ok := hex4(r.text[r.i+2:]); ok {
			if pair := utf16.DecodeRune(c, low); pair != utf8.RuneError {
				r.i += 6
				return pair
			}
		}
	}
	return utf8.RuneError
}

func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:4], 16, 16)
	return rune(n), err == nil
}

// find yields the values at a path, in the order in which they stand, until yield wants no more. The path begins with the type
// of an object, which may be anywhere; or else, if there is no object of that type, with a key of an object that is in none.
func (l *linked) find(path []string, b *budget, yield func(jsonNode) bool) {
	w := linkedWalk{linked: l, budget: b, yield: yield}
	typed := false
	for id := 1; id < len(l.nodes) && !w.done; id++ { // nodes stand in the order of the text
		if !b.spend(1) {
			return
		}
		if l.nodes[id].kind == '{' && w.hasType(id, path[0]) {
			typed = true
			w.follow(id, path[1:])
		}
	}
	if typed {
		return
	}
	for _, id := range l.tops {
		w.top(id, path)
	}
}

type linkedWalk struct {
	*linked
	budget *budget
	yield  func(jsonNode) bool
	done   bool
}

// top follows a path from a value that is in no other, or in an array or @graph only.
func (w *linkedWalk) top(id int, path []string) {
	switch n := w.nodes[id]; n.kind {
	case '[':
		for c := n.child; c != 0 && !w.done && w.budget.spend(1); c = w.nodes[c].next {
			w.top(int(c), path)
		}
	case '{':
		w.follow(id, path)
		if graph := w.member(id, "@graph"); graph != 0 && path[0] != "@graph" {
			w.top(graph, path)
		}
	}
}

// follow yields what is at a path from a value.
func (w *linkedWalk) follow(id int, path []string) {
	if w.done || !w.budget.spend(1) {
		w.done = true
		return
	}
	n := w.nodes[id]
	switch n.kind {
	case '[':
		for c := n.child; c != 0 && !w.done; c = w.nodes[c].next {
			w.follow(int(c), path)
		}
		return
	case '{':
		for _, key := range [...]string{"@list", "@set", "@value"} {
			if c := w.member(id, key); c != 0 && (len(path) == 0 || path[0] != key) {
				w.follow(c, path)
				return
			}
		}
	}
	if len(path) == 0 {
		if n.kind == '{' {
			// {"@id": …} alone stands for something else, of which that is the name.
			if c := w.member(id, "@id"); c != 0 && w.nodes[n.child].next == 0 {
				n = w.nodes[c]
			}
		}
		w.done = !w.yield(n)
		return
	}
	if n.kind != '{' {
		return
	}
	if c := w.member(id, path[0]); c != 0 {
		w.follow(c, path[1:])
		return
	}
	if target := w.referred(id); target != 0 {
		if c := w.member(target, path[0]); c != 0 {
			w.follow(c, path[1:])
		}
	}
}

// member returns the last value of a key in an object, 0 if there is none. A key may have a prefix such as schema: before it.
func (w *linkedWalk) member(id int, key string) int {
	found, prefixed := 0, 0
	for c := w.nodes[id].child; c != 0 && w.budget.spend(1); c = w.nodes[c].next {
		switch k := w.nodes[c].key; {
		case k == key:
			found = int(c)
		case isLastSegment(k, key):
			prefixed = int(c)
		}
	}
	if found == 0 {
		return prefixed
	}
	return found
}

func (w *linkedWalk) hasType(id int, name string) bool {
	at := 0
	for c := w.nodes[id].child; c != 0 && w.budget.spend(1); c = w.nodes[c].next {
		if w.nodes[c].key == "@type" {
			at = int(c)
		}
	}
	if at == 0 {
		return false
	}
	if w.nodes[at].kind == '[' {
		for c := w.nodes[at].child; c != 0 && w.budget.spend(1); c = w.nodes[c].next {
			if isType(w.nodes[c].text, name) {
				return true
			}
		}
		return false
	}
	return isType(w.nodes[at].text, name)
}

// referred returns the object that another one with nothing but an @id stands for, 0 if there is none.
func (w *linkedWalk) referred(id int) int {
	first := w.nodes[id].child
	if first == 0 || w.nodes[first].key != "@id" || w.nodes[first].next != 0 {
		return 0
	}
	if w.ids == nil {
		w.ids = map[string]int{}
		for id := 1; id < len(w.nodes); id++ {
			if w.nodes[id].kind != '{' {
				continue
			}
			for c := w.nodes[id].child; c != 0; c = w.nodes[c].next {
				alone := int(c) == int(w.nodes[id].child) && w.nodes[c].next == 0
				if n := w.nodes[c]; n.key == "@id" && !alone && w.ids[n.text] == 0 {
					w.ids[n.text] = id
				}
			}
		}
	}
	if !w.budget.spend(len(w.nodes[first].text)) {
		return 0
	}
	return w.ids[w.nodes[first].text]
}

// isType reports whether a type, which may be a URL or have a prefix, has a name.
func isType(full, name string) bool { return full == name || isLastSegment(full, name) }

func isLastSegment(full, name string) bool {
	i := len(full) - len(name) - 1
	return name != "" && i >= 0 && full[i+1:] == name && strings.IndexByte("/#:", full[i]) >= 0
}
