package export

import (
	"fmt"

	"pawl/storage"
)

// keptReader reads what is kept of the visit that is the row at hand. It is used
// while no transaction is open. Cells cannot fail: the first error stands in err.
type keptReader struct {
	file     *storage.File
	what     storage.Keep
	unpacker storage.Unpacker
	err      error

	at    *keptVisit
	links []storage.PageLink
	body  []byte
	first []byte // what is kept of the visit that had the content first
	ready bool   // links or body are those of the visit

	counts  linkCounts
	counted bool
	steps   []step
	stepped bool
	made    map[string]string // text and markdown of the row, which a filter may name too
}

// visit has the reader go on to a visit, which is valid until the next call.
func (k *keptReader) visit(v *keptVisit) {
	k.at, k.ready, k.counted, k.stepped = v, false, false, false
	clear(k.made)
}

func (k *keptReader) fail(err error) {
	if k.err == nil {
		k.err = fmt.Errorf("event %d: %w", k.at.seq, err)
	}
}

// pageLinks gives the links of the row, valid until the next row.
func (k *keptReader) pageLinks(r *pageRow) []storage.PageLink {
	if k == nil || k.what != storage.KeepLinks || k.at.value == nil {
		return nil
	}
	if k.ready {
		return k.links
	}
	k.links, k.ready = k.links[:0], true
	err := k.unpacker.EachLink(k.at.value, r.URL, func(l *storage.PageLink) error {
		k.links = append(k.links, *l)
		return nil
	})
	if err != nil {
		k.fail(err)
	}
	return k.links
}
