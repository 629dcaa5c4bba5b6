package rtnl_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"ifagr/netutil/nettest"
	"ifagr/netutil/rtnl"
)

const soon = 5 * time.Second

// next waits for the next event.
func next(t *testing.T, w *rtnl.Watcher) rtnl.Event {
	t.Helper()
	select {
	case e, ok := <-w.C:
		if !ok {
			t.Fatalf("the watcher has ended: %v", w.Err())
		}
		return e
	case <-time.After(soon):
		t.Fatal("no event")
	}
	return rtnl.Event{}
}

// until waits for an event after which the condition holds.
func until(t *testing.T, w *rtnl.Watcher, holds func() bool) {
	t.Helper()
	for !holds() {
		next(t, w)
	}
}

func ended(t *testing.T, w *rtnl.Watcher) {
	t.Helper()
	timeout := time.After(soon)
	for {
		select {
		case _, ok := <-w.C:
			if ok {
				continue
			}
			if !errors.Is(w.Err(), context.Canceled) {
				t.Errorf("it ended with %v", w.Err())
			}
			return
		case <-timeout:
			t.Fatal("the watcher goes on")
		}
	}
}

func TestWatch(t *testing.T) {
	ns, c, far := pair(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var w *rtnl.Watcher
	var err error
	ns.Do(func() { w, err = rtnl.Watch(ctx) })
	check(t, err)
	next(t, w) // there from the beginning
	re0 := byName(t, c, "re0").Index
	a := rtnl.Addr{Index: re0, IP: netip.MustParseAddr("192.0.2.1"), PrefixLen: 24}
	has := func(a rtnl.Addr) bool {
		all, err := c.Addrs(re0, 0)
		check(t, err)
		for _, have := range all {
			if have.IP == a.IP {
				return true
			}
		}
		return false
	}
	a6 := rtnl.Addr{Index: re0, IP: netip.MustParseAddr("2001:db8::1"), PrefixLen: 64}
	q0 := byName(t, far, "q0").Index
	tests := []struct {
		name  string
		do    func() error
		holds func() bool
	}{
		{"mtu", func() error { return c.SetMTU(re0, 1400) }, func() bool { return byName(t, c, "re0").MTU == 1400 }},
		{"IPv4 address", func() error { return c.AddAddr(a) }, func() bool { return has(a) }},
		{"IPv6 address", func() error { return c.AddAddr(a6) }, func() bool { return has(a6) }},
		{"carrier lost", func() error { return far.SetDown(q0) }, func() bool { return !byName(t, c, "re0").Carrier }},
		{"carrier back", func() error { return far.SetUp(q0) }, func() bool { return byName(t, c, "re0").Carrier }},
		{"deleted from afar", func() error { return far.DelLink(q0) }, func() bool {
			_, err := c.LinkByIndex(re0)
			return errors.Is(err, rtnl.ErrNotFound)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			done := make(chan error, 1)
			go func() { done <- tt.do() }()
			until(t, w, tt.holds)
			check(t, <-done)
		})
	}
	cancel()
	ended(t, w)
}

// TestWatchOverrun lets more notifications come than there is room for: one
// event says so, and later ones still come.
func TestWatchOverrun(t *testing.T) {
	ns := nettest.New(t)
	c := open(t, ns)
	check(t, c.AddVeth(rtnl.Veth{Name: "re0", FarName: "q0"}))
	re0 := byName(t, c, "re0").Index
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var w *rtnl.Watcher
	var start func()
	var err error
	ns.Do(func() { w, start, err = rtnl.LateWatch(ctx) })
	check(t, err)
	if e := next(t, w); e.Overrun {
		t.Error("an overrun from the beginning")
	}
	for i := range 100 {
		check(t, c.SetMTU(re0, 1000+i))
	}
	start()
	overrun := false
	until(t, w, func() bool {
		if !overrun {
			overrun = next(t, w).Overrun
		}
		return overrun
	})
	for mtu := 2000; ; mtu++ { // until the overrun is over, notifications are lost
		check(t, c.SetMTU(re0, mtu))
		select {
		case e := <-w.C:
			if !e.Overrun {
				cancel()
				ended(t, w)
				return
			}
		case <-time.After(10 * time.Millisecond):
		}
		if mtu == 2500 {
			t.Fatal("no event after the overrun")
		}
	}
}
