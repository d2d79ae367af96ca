//go:build race

package page

// raceDetector makes tests of much text take less of it, as it makes them ten times as slow.
const raceDetector = true
