package field

import "errors"

// maxWork is what looking for one selector in one page may take: steps over elements, and bytes of text. It is enough for
// any expression that looks at each element a few times, on the largest of pages; an expression that compares all with all
// comes to its end with it within a second.
const maxWork = 30_000_000

var errWork = errors.New("takes too long on this page")

// budget is what is left to spend on a selector.
type budget struct {
	left int
	err  error // once it is spent
}

// spend returns false, and sets the error, if not so much is left.
func (b *budget) spend(n int) bool {
	if b.err != nil {
		return false
	}
	if n > b.left {
		b.left, b.err = 0, errWork
		return false
	}
	b.left -= n
	return true
}
