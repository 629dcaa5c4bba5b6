//go:build !race

package ifagr_test

// raceDetector says that the tests, and so the programs that they run, are built
// with the race detector.
const raceDetector = false
