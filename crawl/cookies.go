package crawl

import (
	"bytes"

	"pawl/fetch"
	"pawl/storage"
)

// jar gives the cookies that the crawl file keeps, and those of the user.
func (c *Crawl) jar() (*fetch.Jar, error) {
	jar := fetch.NewJar()
	err := c.file.View(func(r *storage.Reader) error {
		return r.EachSide(storage.SideCookies, func(site string, value []byte) error {
			if err := jar.Restore(site, value); err != nil {
				c.log.Warn("the cookies of this site cannot be read; they are left behind", "site", site, "error", err)
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	_, err = jar.LoadCookies(bytes.NewReader(c.input.Cookies))
	return jar, err
}
