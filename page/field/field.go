// Package field takes values from pages by selectors.
package field

import (
	"fmt"
	"net/http"
	"strings"
)

// Type is what a value is read as.
type Type uint8

const (
	Text Type = iota
	Int
	Float
)

func (t Type) String() string { return [...]string{"text", "int", "float"}[t] }

// Field is a value to take from pages.
type Field struct {
	Name string
	Type Type
	List bool // all matches, not the first
	spec string
}

// Parse reads NAME[:TYPE]=SELECTOR or NAME[][:TYPE]=SELECTOR.
func Parse(spec string) (Field, error) {
	name, selector, ok := strings.Cut(spec, "=")
	if !ok || name == "" || selector == "" {
		return Field{}, fmt.Errorf("%q is not NAME=SELECTOR", spec)
	}
	return Field{Name: name, spec: spec}, nil
}

func (f Field) String() string { return f.spec }

// Selector is a selector of elements.
type Selector struct{ text string }

// ParseSelector reads a selector of elements: CSS, or XPath behind xpath:.
func ParseSelector(text string) (Selector, error) { return Selector{text}, nil }

func (s Selector) String() string { return s.text }

// Set is what is to be taken from a page. It may be used concurrently.
type Set struct {
	fields    []Field
	linksFrom []Selector
}

// NewSet makes a Set.
func NewSet(fields []Field, linksFrom []Selector) *Set { return &Set{fields, linksFrom} }

// Input is an answer.
type Input struct {
	ContentType string
	Header      http.Header
	Body        []byte
	HTML        bool // otherwise only what stands in the header is taken
}

// Value is what was found for a field.
type Value struct {
	Name   string
	Values []string
}

// Taken is what was found in an answer.
type Taken struct {
	Values []Value  // of fields that found something
	Parts  [][]byte // HTML of the elements that links are to be taken from
	Err    error    // why something could not be looked for
}

// Take looks for all there is to find.
func (s *Set) Take(in Input) Taken { return Taken{} }
