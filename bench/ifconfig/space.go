package main

import (
	"fmt"
	"net/netip"
	"runtime"

	"golang.org/x/sys/unix"

	"ifagr/netutil/rtnl"
)

// space is a network namespace without a name. All of this program that works
// in it runs in its goroutine, on a thread of its own.
type space struct {
	work chan func()
}

// newSpace makes a namespace with so many interfaces besides lo, all of them
// ends of veth pairs with an address, named virt0 and up.
func newSpace(interfaces int) (*space, error) {
	s := &space{work: make(chan func())}
	made := make(chan error)
	go s.live(made)
	if err := <-made; err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	var err error
	s.do(func() { err = fill(interfaces) })
	return s, err
}

// live is the goroutine. The thread is never given back, so it ends with it.
func (s *space) live(made chan<- error) {
	runtime.LockOSThread()
	made <- unix.Unshare(unix.CLONE_NEWNET)
	for f := range s.work {
		f()
	}
}

// do runs f in the namespace; a process that f starts is in it too.
func (s *space) do(f func()) {
	done := make(chan struct{})
	s.work <- func() { defer close(done); f() }
	<-done
}

// fill makes the interfaces of the calling thread's namespace.
func fill(interfaces int) error {
	c, err := rtnl.Open()
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetUp(1); err != nil {
		return err
	}
	for i := 0; i < interfaces; i += 2 {
		near, far := i+firstIndex, i+1+firstIndex
		err := c.AddVeth(rtnl.Veth{
			Name: fmt.Sprintf("virt%d", i), Index: near,
			FarName: fmt.Sprintf("virt%d", i+1), FarIndex: far,
		})
		if err != nil {
			return err
		}
		for _, index := range []int{near, far} {
			if err := address(c, index); err != nil {
				return err
			}
		}
	}
	return nil
}

// firstIndex is virt0's.
const firstIndex = 10

// address gives an interface an inet address of its own and brings it up.
func address(c *rtnl.Conn, index int) error {
	net := uint32(10<<24 + index<<8)
	at := func(host uint32) netip.Addr {
		n := net + host
		return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	}
	err := c.AddAddr(rtnl.Addr{Index: index, IP: at(1), PrefixLen: 24, Broadcast: at(255)})
	if err != nil {
		return err
	}
	return c.SetUp(index)
}

// setDown takes virtN down.
func (s *space) setDown(n int) error {
	var err error
	s.do(func() {
		var c *rtnl.Conn
		if c, err = rtnl.Open(); err == nil {
			err = c.SetDown(firstIndex + n)
			c.Close()
		}
	})
	return err
}
