package storage

// Info is what a crawl file holds and what takes the space.
type Info struct{}
