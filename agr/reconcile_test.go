package agr

import (
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/netutil/ether"
	"ifagr/netutil/rtnl"
)

// distributing makes agr0 with two ports that carry frames.
func distributing(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.agr0("re0", "re1")
	pass(10 * time.Second)
	return w
}

// A carrier that goes takes the port's conversations away at once, and gives
// them back when it has come back and settled.
func TestCarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := distributing(t)
		defer w.stop()
		w.fake.edit(11, func(l *rtnl.Link) { l.Carrier = false })
		w.look()
		ps, _ := w.device().State(2)
		if !ps.Dead || ps.Distributing || ps.Collecting || w.share(1) != 256 {
			t.Errorf("port 2 %+v, port 1 has %d conversations", ps, w.share(1))
		}
		w.fake.edit(10, func(l *rtnl.Link) { l.Flags &^= unix.IFF_UP; l.Carrier = false })
		w.look()
		if w.device().Carrier() {
			t.Error("carrier without a port that distributes")
		}
		w.fake.edit(10, func(l *rtnl.Link) { l.Flags |= unix.IFF_UP; l.Carrier = true })
		w.fake.edit(11, func(l *rtnl.Link) { l.Carrier = true })
		w.look()
		pass(10 * time.Second)
		if !w.device().Carrier() || w.share(1) != 128 || w.share(2) != 128 {
			t.Errorf("carrier %v, %d and %d conversations", w.device().Carrier(), w.share(1), w.share(2))
		}
	})
}

// The carrier poll sees what no event has told yet.
func TestCarrierPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := distributing(t)
		defer w.stop()
		last := map[string]bool{"re0": true, "re1": true}
		w.fake.edit(10, func(l *rtnl.Link) { l.Carrier = false })
		w.pollCarriers(last)
		synctest.Wait()
		if ps, _ := w.device().State(1); !ps.Dead {
			t.Errorf("port 1 %+v", ps)
		}
	})
}

func TestPortGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := distributing(t)
		defer w.stop()
		w.fake.remove(10)
		w.look()
		st, err := w.Status("agr0")
		w.must(err)
		if len(st.Ports) != 1 || st.Ports[0].Name != "re1" || len(w.saved()[0].Ports) != 1 {
			t.Errorf("ports %+v", st.Ports)
		}
		if got := w.share(2); got != 256 {
			t.Errorf("the other port has %d conversations", got)
		}
	})
}

// An agr interface that another tool deletes gives its ports back what they had.
func TestInterfaceGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		before := w.fake.link(11)
		w.agr0("re0", "re1")
		w.fake.remove(w.device().Index())
		w.look()
		wantErr(t, w.Exists("agr0"), ctl.ENXIO)
		if d := diff(before, w.fake.link(11)); d != "" {
			t.Errorf("re1 (-want +got):\n%s", d)
		}
		if len(w.saved()) != 0 {
			t.Errorf("the state still knows %+v", w.saved())
		}
	})
}

// A port that another tool takes is detached at once and gets back what it had,
// whether the daemon runs meanwhile or not.
func TestPortTaken(t *testing.T) {
	tests := []struct {
		name string
		take func(*rtnl.Link)
	}{
		{"renamed", func(l *rtnl.Link) { l.Name = "eth7" }},
		{"part of a bridge", func(l *rtnl.Link) { l.Master = 99 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := distributing(t)
				w.fake.edit(11, tt.take)
				w.look()
				wantTaken(w, "re1", 1)
				w.stop()
			})
		})
		t.Run(tt.name+" while there is no daemon", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := distributing(t)
				w.stop()
				w.fake.edit(11, tt.take)
				w = startWorld(t, w.fake, w.path)
				wantTaken(w, "re1", 1)
				w.stop()
			})
		})
	}
}

// wantTaken checks that the interface with index 11 is no port any more.
func wantTaken(w *world, name string, left int) {
	w.t.Helper()
	st, err := w.Status("agr0")
	w.must(err)
	if len(st.Ports) != left || w.Owner(name) != "" || len(w.saved()[0].Ports) != left || len(w.device().Ports()) != left {
		w.t.Errorf("ports %+v, saved %+v", st.Ports, w.saved())
	}
	if l := w.fake.link(11); l.Addr != mac1 || l.AddrGenMode != rtnl.AddrGenEUI64 {
		w.t.Errorf("not restored: %+v", l)
	}
}

// Address and mtu of a port are put back at most three times a minute; then the
// port is shown as in conflict.
func TestRevert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := distributing(t)
		defer w.stop()
		other := ether.Addr{2, 9, 9, 9, 9, 9}
		for i := range revertsPerMinute {
			w.fake.edit(11, func(l *rtnl.Link) { l.Addr, l.MTU = other, 1400 })
			w.look()
			if l := w.fake.link(11); l.Addr != mac0 || l.MTU != 1500 {
				t.Errorf("round %d: %s, mtu %d", i, l.Addr, l.MTU)
			}
			pass(time.Second)
		}
		w.fake.edit(11, func(l *rtnl.Link) { l.Addr = other })
		w.look()
		st, err := w.Status("agr0")
		w.must(err)
		if w.fake.link(11).Addr != other || st.Ports[1].Conflict == "" {
			t.Errorf("address %s, conflict %q", w.fake.link(11).Addr, st.Ports[1].Conflict)
		}
		pass(time.Minute)
		w.look()
		if st, _ := w.Status("agr0"); w.fake.link(11).Addr != mac0 || st.Ports[1].Conflict != "" {
			t.Errorf("a minute later: address %s, conflict %q", w.fake.link(11).Addr, st.Ports[1].Conflict)
		}
	})
}

// An address that another tool adds is shown and not deleted (design D3).
func TestForeignAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := distributing(t)
		defer w.stop()
		w.fake.setAddrs(11, "192.0.2.9/24", "fe80::9/64")
		w.look()
		st, err := w.Status("agr0")
		w.must(err)
		if d := diff([]string{"inet 192.0.2.9", "inet6 fe80::9%re1"}, st.Ports[1].ForeignAddrs); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}

// agr0's promiscuity, groups and mtu follow to the ports, to later ones too.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := distributing(t)
		defer w.stop()
		index := w.device().Index()
		group := ether.Addr{1, 0, 0x5e, 1, 2, 3}
		w.fake.mu.Lock()
		w.fake.groups[index] = []ether.Addr{group}
		w.fake.mu.Unlock()
		w.fake.edit(index, func(l *rtnl.Link) { l.Promiscuity, l.MTU = 1, 4000 })
		w.look()
		w.must(w.SetPort("agr0", "re2", ctl.AddPort))
		w.look()
		for _, i := range []int{10, 11, 12} {
			f := w.fake.filters[i]
			if !f.has(group) || !f.promisc || w.fake.link(i).MTU != 4000 {
				t.Errorf("port %d: groups %v, promisc %v, mtu %d", i, f.addrs, f.promisc, w.fake.link(i).MTU)
			}
		}
		w.fake.mu.Lock()
		w.fake.groups[index] = nil
		w.fake.mu.Unlock()
		w.fake.edit(index, func(l *rtnl.Link) { l.Promiscuity = 0 })
		w.look()
		if f := w.fake.filters[11]; f.has(group) || f.promisc {
			t.Errorf("groups %v, promisc %v", f.addrs, f.promisc)
		}
	})
}

// agr(4): an address set on agr changes agr only; the ports let it in.
func TestSetAddr(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0()
		mac := ether.Addr{2, 0, 0, 0, 0, 5}
		wantErr(t, w.SetAddr("agr0", mac), ctl.EINVAL)
		w.must(w.SetPort("agr0", "re0", ctl.AddPort))
		wantErr(t, w.SetAddr("agr0", ether.SlowProtocols), ctl.EINVAL)
		w.must(w.SetAddr("agr0", mac))
		w.look()
		st, err := w.Status("agr0")
		w.must(err)
		if st.MAC != mac || w.fake.link(10).Addr != mac0 || !w.fake.filters[10].has(mac) {
			t.Errorf("agr0 %s, port %s, filter %v", st.MAC, w.fake.link(10).Addr, w.fake.filters[10].addrs)
		}
		if st.Ports[0].Actor.System != mac0 {
			t.Errorf("system id %s, want it to stay %s", st.Ports[0].Actor.System, mac0)
		}
	})
}

// The mtu of agr0 is its ports', within what all of them take, or nothing
// changes.
func TestSetMTU(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0", "re1")
		tests := []struct {
			mtu  int32
			want error
		}{{9000, nil}, {9001, ctl.EINVAL}, {67, ctl.EINVAL}, {-1, ctl.EINVAL}, {68, nil}, {1500, nil}}
		for _, tt := range tests {
			before := w.picture()
			err := w.SetMTU("agr0", tt.mtu)
			if (err == nil) != (tt.want == nil) || tt.want != nil && ctl.ErrnoOf(err) != tt.want {
				t.Errorf("mtu %d: %v, want %v", tt.mtu, err, tt.want)
			}
			if d := diff(before, w.picture()); tt.want != nil && d != "" {
				t.Errorf("mtu %d changed something:\n%s", tt.mtu, d)
			}
			for _, i := range []int{10, 11, w.device().Index()} {
				if tt.want == nil && w.fake.link(i).MTU != int(tt.mtu) {
					t.Errorf("interface %d has mtu %d, want %d", i, w.fake.link(i).MTU, tt.mtu)
				}
			}
		}
		before := w.picture()
		w.failNext(2)
		wantErr(t, w.SetMTU("agr0", 4000), ctl.ENOBUFS)
		if d := diff(before, w.picture()); d != "" {
			t.Errorf("a failure half-way left something:\n%s", d)
		}
	})
}

// The first port makes the mtu 1500 (agr(4)), also when there was another
// before.
func TestFirstPortSetsMTU(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0")
		w.must(w.SetMTU("agr0", 9000))
		w.must(w.SetPort("agr0", "re0", ctl.RemovePort))
		w.must(w.SetPort("agr0", "re1", ctl.AddPort))
		for _, i := range []int{11, w.device().Index()} {
			if got := w.fake.link(i).MTU; got != 1500 {
				t.Errorf("interface %d has mtu %d", i, got)
			}
		}
	})
}

// Automatic addresses that Linux switches on again are switched off, and the one
// that it added at once is removed; one that somebody else added stays.
func TestAddrGenComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := distributing(t)
		defer w.stop()
		w.fake.edit(11, func(l *rtnl.Link) { l.AddrGenMode = rtnl.AddrGenEUI64 })
		w.fake.setAddrs(11, "fe80::1/64", "fe80::2/64")
		w.fake.mu.Lock()
		w.fake.addrs[11][0].Proto = protoKernelLL
		w.fake.mu.Unlock()
		w.look()
		addrs, _ := w.fake.Addrs(11, 0)
		if w.fake.link(11).AddrGenMode != rtnl.AddrGenNone || len(addrs) != 1 || addrs[0].IP.String() != "fe80::2" {
			t.Errorf("mode %s, addresses %v", w.fake.link(11).AddrGenMode, addrs)
		}
	})
}
