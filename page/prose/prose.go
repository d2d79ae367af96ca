// Package prose writes pages as text for readers and for models that learn from text: as plain text, or as Markdown.
//
// Neither tells the article from what surrounds it: menus and footers are text like any other.
package prose

import (
	"errors"
	"fmt"

	"pawl/page"
)

var errNoPage = errors.New("body is no HTML page")

// checkPage returns an error if a body is none that there is something to read in.
func checkPage(contentType string, body []byte) error {
	if page.IsHTML(contentType, body) {
		return nil
	}
	if mediaType := page.MediaType(contentType); mediaType != "" {
		return fmt.Errorf("%w: %s", errNoPage, mediaType)
	}
	return errNoPage
}
