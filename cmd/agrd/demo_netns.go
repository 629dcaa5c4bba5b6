package main

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace without a name: it lives as long as the
// thread that made it, and the processes that were started in it.
type namespace struct {
	calls  chan func()
	handle *os.File
}

// newNamespace makes one, with its loopback interface as it comes: down.
func newNamespace() (*namespace, error) {
	ns := &namespace{calls: make(chan func())}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			ns.handle, err = os.Open("/proc/thread-self/ns/net")
		}
		made <- err
		if err != nil {
			return
		}
		for f := range ns.calls {
			f()
		}
	}()
	if err := <-made; err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	return ns, nil
}

// do runs f in the namespace: sockets that it opens and processes that it starts
// belong there.
func (ns *namespace) do(f func() error) error {
	result := make(chan error)
	ns.calls <- func() { result <- f() }
	return <-result
}

// fd refers to the namespace.
func (ns *namespace) fd() int { return int(ns.handle.Fd()) }

// close lets the namespace go.
func (ns *namespace) close() {
	close(ns.calls)
	ns.handle.Close()
}
