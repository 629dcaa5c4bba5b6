//go:build !race || !amd64

package privilege

// raceCalls are those that only the race detector makes.
var raceCalls []uint32
