//go:build race

package fetch

// defaultRobotsFiles is less with the race detector, which makes it ten times slower.
const defaultRobotsFiles = 400
