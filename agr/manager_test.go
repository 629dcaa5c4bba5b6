package agr

import (
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/agr/datapath/dptest"
	"ifagr/agr/slow"
	"ifagr/agr/state"
	"ifagr/netutil/ether"
	"ifagr/netutil/rtnl"
)

// agr(4) 1.2: names are agr and a decimal unit below 2^31-1; agr01 is agr1.
func TestCreateNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		tests := []struct {
			name string
			want error
		}{
			{"agr0", nil},
			{"agr0", ctl.EEXIST},
			{"agr01", nil},
			{"agr1", ctl.EEXIST},
			{"agr", ctl.EINVAL},
			{"agr0x", ctl.EINVAL},
			{"agr-1", ctl.EINVAL},
			{"agr+1", ctl.EINVAL},
			{"re0", ctl.EINVAL},
			{"", ctl.EINVAL},
			{"agr2147483646", nil},
			{"agr2147483647", ctl.EINVAL},
			{"agr99999999999", ctl.EINVAL},
		}
		for _, tt := range tests {
			if err := w.Create(tt.name); (err == nil) != (tt.want == nil) || tt.want != nil && ctl.ErrnoOf(err) != tt.want {
				t.Errorf("create %q: %v, want %v", tt.name, err, tt.want)
			}
		}
		if d := diff([]string{"agr0", "agr1", "agr2147483646"}, w.List()); d != "" {
			t.Errorf("list (-want +got):\n%s", d)
		}
	})
}

func TestDestroy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0")
		wantErr(t, w.Destroy("agr0"), ctl.EBUSY)
		wantErr(t, w.Destroy("agr9"), ctl.ENXIO)
		wantErr(t, w.Destroy("agrx"), ctl.EINVAL)
		w.must(w.SetPort("agr0", "re0", ctl.RemovePort))
		w.must(w.Destroy("agr0"))
		wantErr(t, w.Destroy("agr0"), ctl.ENXIO)
		if _, err := w.fake.LinkByName("agr0"); !isGone(err) {
			t.Error("the interface is still there")
		}
		if len(w.saved()) != 0 {
			t.Errorf("the state still knows %+v", w.saved())
		}
		select {
		case <-w.Idle():
		default:
			t.Error("not idle after the last destroy")
		}
		if !w.EndIfIdle() {
			t.Error("not ending though idle")
		}
		wantErr(t, w.Create("agr0"), ctl.EAGAIN)
	})
}

// agr(4) 1.4 and 1.5: which error, and which one first.
func TestSetPortErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.fake.setLink(rtnl.Link{Index: 1, Name: "lo", Type: unix.ARPHRD_LOOPBACK, Flags: unix.IFF_UP, MTU: 65536})
		w.fake.setAddrs(1, "127.0.0.1/8")
		w.fake.setLink(rtnl.Link{Index: 2, Name: "tun0", Type: unix.ARPHRD_NONE, MTU: 1500})
		w.fake.addPort(3, "ve0", ether.Addr{2, 3})
		w.fake.setAddrs(3, "fe80::1/64")
		w.fake.addPort(4, "br0p", ether.Addr{2, 4})
		w.fake.edit(4, func(l *rtnl.Link) { l.Master = 99 })
		w.fake.addPort(5, "tiny", ether.Addr{2, 5})
		w.fake.edit(5, func(l *rtnl.Link) { l.MTU, l.MaxMTU = 576, 576 })
		w.must(w.Create("agr0"))
		w.must(w.Create("agr1"))
		steps := []struct {
			what, agr, port string
			cmd             ctl.Command
			want            error
		}{
			{"no such agr", "agr9", "re0", ctl.AddPort, ctl.ENXIO},
			{"no such port", "agr0", "nosuch0", ctl.AddPort, ctl.ENOENT},
			{"empty name", "agr0", "", ctl.AddPort, ctl.ENOENT},
			{"unknown command, known port", "agr0", "re0", 7, ctl.EINVAL},
			{"unknown command, unknown port", "agr0", "nosuch0", 7, ctl.ENOENT},
			{"itself", "agr0", "agr0", ctl.AddPort, ctl.EINVAL},
			{"another agr", "agr0", "agr1", ctl.AddPort, ctl.EINVAL},
			{"addresses before type", "agr0", "lo", ctl.AddPort, ctl.EBUSY},
			{"an automatic address", "agr0", "ve0", ctl.AddPort, ctl.EBUSY},
			{"no Ethernet, first", "agr0", "tun0", ctl.AddPort, ctl.EPROTONOSUPPORT},
			{"another interface's", "agr0", "br0p", ctl.AddPort, ctl.EBUSY},
			{"cannot take the mtu", "agr0", "tiny", ctl.AddPort, ctl.EINVAL},
			{"remove what is none's", "agr0", "re0", ctl.RemovePort, ctl.ENOENT},
			{"good", "agr0", "re0", ctl.AddPort, nil},
			{"twice", "agr0", "re0", ctl.AddPort, ctl.EBUSY},
			{"another's", "agr1", "re0", ctl.AddPort, ctl.EBUSY},
			{"no Ethernet, later", "agr0", "tun0", ctl.AddPort, ctl.EINVAL},
			{"remove from the wrong one", "agr1", "re0", ctl.RemovePort, ctl.EINVAL},
			{"remove", "agr0", "re0", ctl.RemovePort, nil},
			{"remove twice", "agr0", "re0", ctl.RemovePort, ctl.ENOENT},
		}
		for _, s := range steps {
			before := w.picture()
			err := w.SetPort(s.agr, s.port, s.cmd)
			if (err == nil) != (s.want == nil) || s.want != nil && ctl.ErrnoOf(err) != s.want {
				t.Errorf("%s: %v, want %v", s.what, err, s.want)
			}
			if d := diff(before, w.picture()); s.want != nil && d != "" {
				t.Errorf("%s: it changed something (-before +after):\n%s", s.what, d)
			}
		}
	})
}

// The first port gives agr0 its address; every port gets it, loses its automatic
// addresses, and gets everything back.
func TestPortSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.fake.edit(11, func(l *rtnl.Link) { l.MTU, l.AddrGenMode = 9000, rtnl.AddrGenRandom })
		before := [2]rtnl.Link{w.fake.link(10), w.fake.link(11)}
		w.agr0("re0", "re1")
		if got := w.fake.link(w.device().Index()).Addr; got != mac0 {
			t.Errorf("agr0 has %s, want the first port's %s", got, mac0)
		}
		for _, i := range []int{10, 11} {
			l := w.fake.link(i)
			if l.Addr != mac0 || l.MTU != 1500 || l.AddrGenMode != rtnl.AddrGenNone {
				t.Errorf("port %d has %s, mtu %d, genmode %s", i, l.Addr, l.MTU, l.AddrGenMode)
			}
		}
		w.must(w.SetPort("agr0", "re0", ctl.RemovePort))
		if got := w.fake.link(w.device().Index()).Addr; got != mac0 {
			t.Errorf("agr0 has %s after its owner has left, want still %s", got, mac0)
		}
		w.must(w.SetPort("agr0", "re1", ctl.RemovePort))
		if d := diff(before, [2]rtnl.Link{w.fake.link(10), w.fake.link(11)}); d != "" {
			t.Errorf("not as before (-want +got):\n%s", d)
		}
		w.must(w.SetPort("agr0", "re2", ctl.AddPort))
		if got := w.fake.link(w.device().Index()).Addr; got != mac2 {
			t.Errorf("agr0 has %s, want the new first port's %s", got, mac2)
		}
	})
}

// Whatever step of an agrport fails, nothing is changed.
func TestAttachFailsAtEveryStep(t *testing.T) {
	for _, first := range []bool{true, false} {
		for step := 1; ; step++ {
			done := false
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.stop()
				w.fake.edit(11, func(l *rtnl.Link) { l.MTU = 9000 })
				w.agr0()
				if !first {
					w.must(w.SetPort("agr0", "re0", ctl.AddPort))
				}
				before := w.picture()
				w.failNext(step)
				err := w.SetPort("agr0", "re1", ctl.AddPort)
				if err == nil {
					done = true // fewer steps than that
					return
				}
				if ctl.ErrnoOf(err) != ctl.ENOBUFS {
					t.Errorf("step %d: %v, want the cause's ENOBUFS", step, err)
				}
				if d := diff(before, w.picture()); d != "" {
					t.Errorf("first=%v step %d (%q) left something (-before +after):\n%s", first, step, w.fake.calls, d)
				}
				w.must(w.SetPort("agr0", "re1", ctl.AddPort))
			})
			if done {
				if step < 4 {
					t.Errorf("only %d steps were tried", step-1)
				}
				break
			}
		}
	}
}

// Design D11: what a port was is on disk before anything of it changes.
func TestUndoIsSavedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0")
		want := state.Undo{MAC: mac1, MTU: 1500, AddrGenMode: uint8(rtnl.AddrGenEUI64)}
		changes := 0
		w.fake.after = func(string) {
			changes++
			f, err := state.Load(w.path, "boot", 1)
			if err != nil || len(f.Agrs) != 1 || len(f.Agrs[0].Ports) != 2 {
				t.Errorf("change %d came before its undo: %+v, %v", changes, f, err)
				return
			}
			if got := f.Agrs[0].Ports[1].Undo; got != want {
				t.Errorf("undo %+v, want %+v", got, want)
			}
		}
		w.must(w.SetPort("agr0", "re1", ctl.AddPort))
		if w.fake.after = nil; changes == 0 {
			t.Error("nothing was changed")
		}
	})
}

// A port without LACP partner forwards (design D5), after the three seconds in
// which one could have spoken; agr0's carrier says so.
func TestOptimisticPartner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0", "re1")
		if w.device().Carrier() {
			t.Error("carrier before a port distributes")
		}
		pass(10 * time.Second)
		st, err := w.Status("agr0")
		w.must(err)
		for _, p := range st.Ports {
			if p.Flags != ctl.PortCollecting|ctl.PortDistributing || p.Conversation != 128 {
				t.Errorf("%s: flags %d, %d conversations, %s", p.Name, p.Flags, p.Conversation, p.Reason)
			}
		}
		if !w.device().Carrier() || st.Speed != 2000 {
			t.Errorf("carrier %v, speed %d", w.device().Carrier(), st.Speed)
		}
	})
}

// link1 is never a LACPDU, and an answer to no Marker.
func TestStatic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0()
		w.must(w.SetFlags("agr0", ctl.Link1, 0))
		w.must(w.SetPort("agr0", "re0", ctl.AddPort))
		pass(time.Minute)
		w.fake.slow(10).in <- slow.AppendMarker(nil, mac1, slow.Marker{Type: slow.MarkerInformation})
		synctest.Wait()
		if st, _ := w.Status("agr0"); st.Ports[0].Flags != 3 {
			t.Errorf("flags %d: %s", st.Ports[0].Flags, st.Ports[0].Reason)
		}
		w.must(w.SetPort("agr0", "re0", ctl.RemovePort))
		if n := len(w.fake.slow(10).frames()); n != 0 {
			t.Errorf("%d slow-protocol frames were sent", n)
		}
	})
}

// A Marker is answered once, on its port, from the port's own address.
func TestMarker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0", "re1")
		synctest.Wait()
		before := len(w.fake.slow(11).frames())
		w.fake.slow(11).in <- slow.AppendMarker(nil, mac2, slow.Marker{Type: slow.MarkerInformation, TransactionID: 77})
		synctest.Wait()
		sent := w.fake.slow(11).frames()[before:]
		if len(sent) != 1 {
			t.Fatalf("%d frames, want one", len(sent))
		}
		m, err := slow.ParseMarker(sent[0])
		if err != nil || m.Type != slow.MarkerResponse || m.TransactionID != 77 || ether.Addr(sent[0][6:12]) != mac1 {
			t.Errorf("answer %+v from %s, %v", m, ether.Addr(sent[0][6:12]), err)
		}
	})
}

// A LACPDU that could not be sent is sent when that is possible again, not only
// when the next one is due.
func TestLACPDUNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0", "re1")
		pass(10 * time.Second)
		s := w.fake.slow(11)
		before := len(s.frames())
		s.setFull(true)
		w.must(w.SetFlags("agr0", ctl.Link0, 0)) // nothing to do with LACP
		w.fake.edit(11, func(l *rtnl.Link) { l.Carrier = false })
		w.look()
		w.fake.edit(11, func(l *rtnl.Link) { l.Carrier = true })
		w.look()
		pass(2 * time.Second)
		if n := len(s.frames()); n != before {
			t.Fatalf("%d frames were sent into a full queue", n-before)
		}
		s.setFull(false)
		pass(time.Second)
		st, err := w.Status("agr0")
		w.must(err)
		if n := len(s.frames()); n == before || st.Ports[1].Counters.LACPTxErrors == 0 {
			t.Errorf("%d frames, %d errors", n-before, st.Ports[1].Counters.LACPTxErrors)
		}
	})
}

// The limit of three LACPDUs in a second holds on the wire, also when one takes its
// time to get there (IEEE 802.1AX-2014 6.4.16).
func TestLimitOnTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0")
		pass(10 * time.Second)
		s := w.fake.slow(10)
		var left []time.Time
		s.mu.Lock()
		s.far = func([]byte) {
			if len(left) == 0 {
				<-time.After(100 * time.Millisecond)
			}
			left = append(left, time.Now())
		}
		s.mu.Unlock()
		for port := range uint16(5) {
			s.in <- lacpdu(1, 1+port)
			pass(50 * time.Millisecond)
		}
		pass(2 * time.Second)
		if len(left) < 4 || left[3].Sub(left[0]) < time.Second {
			t.Errorf("left at %v", left)
		}
	})
}

// -agrport says farewell from the port's own address, with the address of agr0
// as system, before anything is restored.
func TestFarewell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0", "re1")
		pass(10 * time.Second)
		w.must(w.SetPort("agr0", "re1", ctl.RemovePort))
		frames := w.fake.slow(11).frames()
		last := frames[len(frames)-1]
		pdu, err := slow.ParseLACPDU(last)
		w.must(err)
		if pdu.Actor.State&(slow.Synchronization|slow.Collecting|slow.Distributing) != 0 || !pdu.Actor.State.Has(slow.Aggregation) {
			t.Errorf("the last LACPDU says %s", pdu.Actor.State)
		}
		if ether.Addr(last[6:12]) != mac1 || pdu.Actor.System.Addr != mac0 {
			t.Errorf("from %s, system %s", ether.Addr(last[6:12]), pdu.Actor.System.Addr)
		}
	})
}

// A killed daemon's successor knows what the ports were, keeps their numbers,
// and gives back what they had.
func TestCrashAndResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		before := w.fake.link(11)
		w.agr0("re0", "re2", "re1")
		w.must(w.SetPort("agr0", "re2", ctl.RemovePort))
		w.must(w.SetFlags("agr0", ctl.Link0, 0))
		st1, err := w.Status("agr0")
		w.must(err)
		crashed := w.saved()
		w.stop()
		if d := diff(crashed, w.saved()); d != "" {
			t.Errorf("an orderly stop changed the state (-before +after):\n%s", d)
		}

		w2 := startWorld(t, w.fake, w.path)
		defer w2.stop()
		st2, err := w2.Status("agr0")
		w2.must(err)
		if len(st2.Ports) != 2 || st2.Ports[1].Name != "re1" || st2.Ports[1].Number != st1.Ports[1].Number {
			t.Errorf("resumed %+v", st2.Ports)
		}
		if st2.LinkFlags != ctl.Link0 || st2.MAC != mac0 {
			t.Errorf("flags %#x, address %s", st2.LinkFlags, st2.MAC)
		}
		if st2.Ports[1].Actor.System != mac0 || st2.Ports[1].Actor.Key != st1.Ports[1].Actor.Key {
			t.Errorf("actor %+v was %+v", st2.Ports[1].Actor, st1.Ports[1].Actor)
		}
		w2.must(w2.SetPort("agr0", "re1", ctl.RemovePort))
		if d := diff(before, w2.fake.link(11)); d != "" {
			t.Errorf("not as before (-want +got):\n%s", d)
		}
	})
}

// A daemon whose datapath changed settings of the ports was killed, and its
// interface cannot be had again: the ports are what they were all the same.
func TestAbandonRestoresSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		before := Settings{RPFilter: "2", DisableIPv6: "0"}
		w.fake.settings["re0"] = before
		link := w.fake.link(10)
		w.agr0("re0")
		index := w.device().Index()
		w.stop()
		w.fake.edit(10, func(l *rtnl.Link) { l.Flags |= unix.IFF_NOARP })
		w.fake.settings["re0"] = Settings{RPFilter: "1", DisableIPv6: "1"}
		w.fake.edit(index, func(l *rtnl.Link) { l.Kind = "bridge" })
		w.fake.notOurs["agr0"] = true
		w2 := startWorld(t, w.fake, w.path)
		defer w2.stop()
		if d := diff(link, w2.fake.link(10)); d != "" {
			t.Errorf("re0 (-want +got):\n%s", d)
		}
		if got := w2.fake.settings["re0"]; got != before {
			t.Errorf("settings %+v, want %+v", got, before)
		}
		if len(w2.List()) != 0 || len(w2.saved()) != 0 {
			t.Errorf("agrs %q, state %+v", w2.List(), w2.saved())
		}
	})
}

// A port that went away while no daemon ran is forgotten, the others go on.
func TestResumeWithoutAPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.agr0("re0", "re1")
		w.stop()
		w.fake.remove(10)
		w2 := startWorld(t, w.fake, w.path)
		defer w2.stop()
		st, err := w2.Status("agr0")
		w2.must(err)
		if len(st.Ports) != 1 || st.Ports[0].Name != "re1" || len(w2.saved()[0].Ports) != 1 {
			t.Errorf("ports %+v", st.Ports)
		}
	})
}

// An interface that keeps the address of a port that has left shares its LACP system
// id with the one that gets that port next: to a partner they are one system, in which
// no two ports may have one number (IEEE 802.1AX-2014 6.3.4).
func TestPortNumbersOfOneSystem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0", "re1")
		w.must(w.SetPort("agr0", "re0", ctl.RemovePort))
		w.must(w.Create("agr1"))
		w.must(w.SetPort("agr1", "re0", ctl.AddPort))
		w.must(w.SetPort("agr1", "re2", ctl.AddPort))
		seen := make(map[string]string)
		for _, name := range []string{"agr0", "agr1"} {
			st, err := w.Status(name)
			w.must(err)
			for _, p := range st.Ports {
				id := words(p.Actor.System, p.Actor.Port)
				if seen[id] != "" {
					t.Errorf("%s and %s are both port %d of system %s", seen[id], p.Name, p.Actor.Port, p.Actor.System)
				}
				seen[id] = p.Name
			}
		}
	})
}

// A datapath that refuses a program is asked again, though nothing happens.
func TestProgramIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0", "re1")
		pass(20 * time.Second)
		for range 5 {
			w.device().FailNext(dptest.Program, errInjected)
		}
		w.fake.edit(11, func(l *rtnl.Link) { l.Carrier = false })
		w.look()
		if w.share(2) == 0 {
			t.Fatal("no program was refused")
		}
		pass(time.Second)
		if got := w.share(2); got != 0 {
			t.Errorf("a port without link has %d conversations", got)
		}
	})
}
