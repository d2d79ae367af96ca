package export

import (
	"slices"

	"pawl/page/prose"
	"pawl/storage"
)

// contentColumns are made of the content of pages, on request.
func contentColumns() []column[pageRow] {
	return []column[pageRow]{
		{name: "text", text: func(r *pageRow) string {
			return r.prose("text", func(body []byte) (string, error) { return prose.Text(r.Record.ContentType, body) })
		}},
		{name: "markdown", text: func(r *pageRow) string {
			return r.prose("markdown", func(body []byte) (string, error) { return prose.Markdown(r.Record.ContentType, body, r.URL) })
		}},
	}
}

func isContent(column string) bool { return column == "text" || column == "markdown" }

// prose is what do makes of the content of a page; empty when it is none of HTML
// or cannot be read as such.
func (r *pageRow) prose(column string, do func(body []byte) (string, error)) string {
	if !r.answered() || r.Outcome == storage.Redirected {
		return ""
	}
	body := r.kept.content()
	if len(body) == 0 {
		return ""
	}
	text, ok := r.kept.made[column]
	if ok {
		return text
	}
	text, err := do(body)
	if err != nil {
		text = "" // what is wrong is the page, not the file
	}
	if r.kept.made == nil {
		r.kept.made = map[string]string{}
	}
	r.kept.made[column] = text
	return text
}

// content gives the body of the visit, nil when none is kept. It is valid until
// the next visit.
func (k *keptReader) content() []byte {
	if k == nil || k.what != storage.KeepBody || k.at.value == nil {
		return nil
	}
	if k.ready {
		return k.body
	}
	k.body, k.ready = nil, true
	b, err := k.unpacker.Body(k.at.value)
	if err == nil && b.First != 0 {
		if k.first, err = keptBy(k.file, storage.KeepBody, b.First, k.first); err == nil && k.first != nil {
			b, err = k.unpacker.Body(k.first)
		}
	}
	if err != nil {
		k.fail(err)
		return nil
	}
	k.body = b.Content
	return k.body
}

// withoutContent leaves out the columns that are made of the content of pages.
func withoutContent(columns []column[pageRow]) []column[pageRow] {
	return slices.DeleteFunc(columns, func(c column[pageRow]) bool { return isContent(c.name) })
}

// noContent tells why a column that withoutContent leaves out is missing.
func noContent(column string) string {
	if isContent(column) {
		return "is made of stored bodies, so only pages and errors have it, without a profile"
	}
	return ""
}

// checkContent refuses columns of content where their cells would not fit.
func checkContent(t *table[pageRow], o Options) error {
	if o.Format != CSV && o.Format != TSV {
		return nil
	}
	for _, name := range o.Columns {
		if isContent(name) {
			return &ColumnError{Name: name, Known: t.names(), Reason: "is too long for a cell: choose jsonl, parquet or sqlite."}
		}
	}
	return nil
}
