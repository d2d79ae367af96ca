//go:build race

package export

// raceOn says that the race detector makes everything several times slower.
const raceOn = true
