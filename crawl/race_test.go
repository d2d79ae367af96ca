//go:build race

package crawl

// raceOn says that the race detector makes everything several times slower.
const raceOn = true
