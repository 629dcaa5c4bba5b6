// Package dptest has a fake datapath: a device that moves no frames, remembers
// what it was told, and fails when a test wants it to.
package dptest
