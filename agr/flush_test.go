package agr

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/agr/datapath"
	"ifagr/agr/datapath/dptest"
	"ifagr/agr/dist"
	"ifagr/agr/marker"
	"ifagr/agr/slow"
	"ifagr/netutil/ether"
	"ifagr/netutil/rtnl"
)

// pair is two systems joined by two links, on which all ports distribute and
// every conversation is where it should be. filter, unless it is nil, says which
// frames of the first system reach the second.
func pair(t *testing.T, filter func(frame []byte) bool) (near, far *world) {
	t.Helper()
	near = newWorld(t)
	o := newFakeOS()
	o.addPort(10, "re0", ether.Addr{2, 0xbb, 0, 0, 0, 0})
	o.addPort(11, "re1", ether.Addr{2, 0xbb, 0, 0, 0, 1})
	far = startWorld(t, o, t.TempDir()+"/state.json")
	near.agr0("re0", "re1")
	far.agr0("re0", "re1")
	for _, index := range []int{10, 11} {
		a, b := near.fake.slow(index), far.fake.slow(index)
		a.join(b, filter)
		b.join(a, nil)
	}
	pass(40 * time.Second)
	for _, w := range []*world{near, far} {
		table := w.device().Current().Table
		if table.Count(1) == 0 || table.Count(2) == 0 {
			t.Fatalf("not both ports distribute: %+v", w.device().Current().Ports)
		}
		w.device().Place(table)
	}
	return near, far
}

// join makes what is sent here arrive there.
func (s *fakeSlow) join(there *fakeSlow, filter func([]byte) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.far = func(f []byte) {
		if filter == nil || filter(f) {
			there.in <- f
		}
	}
}

// noMarkers lets everything pass but Markers and their answers.
func noMarkers(f []byte) bool { return f[14] != slow.SubtypeMarker }

// held lists the numbers of the ports whose conversations wait.
func held(w *world, placed dist.Table) []uint16 {
	hold := w.device().Current().Hold
	var ports []uint16
	for c, p := range placed {
		if hold.Has(uint8(c)) && !slices.Contains(ports, p) {
			ports = append(ports, p)
		}
	}
	return ports
}

// subtypes lists what was sent on a port since a moment: "M" a Marker, "R" a
// response, "L" a LACPDU in sync, "F" one that is not.
func subtypes(t *testing.T, frames [][]byte) string {
	t.Helper()
	s := ""
	for _, f := range frames {
		if pdu, err := slow.ParseLACPDU(f); err == nil {
			if pdu.Actor.State.Has(slow.Synchronization) {
				s += "L"
			} else {
				s += "F"
			}
			continue
		}
		m, err := slow.ParseMarker(f)
		if err != nil {
			t.Fatal(err)
		}
		s += map[uint8]string{slow.MarkerInformation: "M", slow.MarkerResponse: "R"}[m.Type]
	}
	return s
}

// remove starts -agrport in the background.
func (w *world) remove(port string) <-chan error {
	done := make(chan error, 1)
	go func() { done <- w.SetPort("agr0", port, ctl.RemovePort) }()
	return done
}

// A port that leaves: its conversations are held, flushed by a Marker and go on,
// then the partner is told, and only when it has stopped, too, the port is gone.
func TestLeaveInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, nil)
		defer far.stop()
		defer near.stop()
		sent, begun := len(near.fake.slow(11).frames()), time.Now()
		sentElsewhere := len(near.fake.slow(10).frames())
		placed, farPlaced := near.device().Placed(), far.device().Placed()
		before := len(near.programs())
		near.must(near.SetPort("agr0", "re1", ctl.RemovePort))
		if got := subtypes(t, near.fake.slow(11).frames()[sent:]); got != "MFR" {
			t.Errorf("sent %s, want a Marker, then the farewell, then the answer to the partner's Marker", got)
		}
		if got := subtypes(t, near.fake.slow(10).frames()[sentElsewhere:]); strings.Contains(got, "M") {
			t.Errorf("sent %s on the port that stays, want no Marker", got)
		}
		if took := time.Since(begun); took > farewellWait {
			t.Errorf("took %v", took)
		}
		programs := near.programs()[before:]
		first := programs[0]
		for c, p := range placed {
			if first.Hold.Has(uint8(c)) != (p == 2) || first.Table[c] != 1 {
				t.Fatalf("conversation %d of port %d: held %v, goes to %d", c, p, first.Hold.Has(uint8(c)), first.Table[c])
			}
		}
		for i, p := range programs {
			if i > 0 && !p.Hold.Empty() {
				t.Errorf("program %d still holds", i)
			}
			if s, ok := stateOf(p, 2); ok && (s.Distributing || s.Collecting != (i < len(programs)-1)) {
				t.Errorf("program %d of %d: %+v", i, len(programs), s)
			}
		}
		if got := held(far, farPlaced); got != nil {
			t.Errorf("the partner still holds the conversations of %v", got)
		}
	})
}

// A conversation that begins at a port, or moves there, when it was just looked where
// all of them are, is held as well when the port leaves: nothing that it has sent there
// is overtaken.
func TestLeaveWhileConversationsMove(t *testing.T) {
	const late = 7
	for name, was := range map[string]uint16{"it begins": 0, "it moves": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := pair(t, nil)
				defer far.stop()
				defer near.stop()
				d := near.device()
				table := d.Current().Table
				for c := range table {
					table[c] = uint16(1 + c%2)
				}
				table[late] = 2
				near.must(near.do("agr0", func(a *aggregate) error { a.table = table; a.program(); return nil }))
				placed := table
				placed[late] = was
				d.Place(placed)
				d.OnPlaced(func(now datapath.Program) { // its next frame comes
					if now.Table[late] != was && was+now.Table[late] > 0 {
						placed[late] = now.Table[late]
						d.Place(placed)
					}
				})
				before := len(d.Programs())
				near.must(near.SetPort("agr0", "re1", ctl.RemovePort))
				for _, p := range d.Programs()[before:] {
					if s, ok := stateOf(p, 2); ok && !s.Distributing && placed[late] == 2 && !p.Hold.Has(late) {
						t.Fatal("it is not held, and the port has stopped")
					}
					if s, _ := stateOf(p, 2); !s.Distributing && !p.Settle {
						return
					}
				}
				t.Error("the port has never stopped")
			})
		})
	}
}

// Ports that stop together are looked at together, also where nobody has sent anything.
func TestStopTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0", "re1", "re2")
		pass(time.Minute)
		before := len(w.device().Programs())
		w.must(w.SetFlags("agr0", ctl.Link1, 0))
		settles := 0
		for _, p := range w.device().Programs()[before:] {
			if p.Settle {
				settles++
			}
		}
		if settles != 1 {
			t.Errorf("%d looks, want 1", settles)
		}
	})
}

func stateOf(p datapath.Program, number uint16) (datapath.PortState, bool) {
	for _, s := range p.Ports {
		if s.Number == number {
			return s, true
		}
	}
	return datapath.PortState{}, false
}

// When the partner takes a port out, ours is flushed as well: it has its link, so
// frames may be on their way.
func TestPartnerLeavesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, nil)
		defer far.stop()
		defer near.stop()
		sent := len(near.fake.slow(11).frames())
		before := len(near.programs())
		far.must(far.SetPort("agr0", "re1", ctl.RemovePort))
		pass(time.Second)
		got := subtypes(t, near.fake.slow(11).frames()[sent:])
		if len(got) < 3 || got[0] != 'R' || !slices.Contains([]byte(got), 'M') {
			t.Errorf("sent %s, want the answer to the partner's Marker, then ours", got)
		}
		programs := near.programs()[before:]
		if programs[0].Hold.Empty() || !programs[len(programs)-1].Hold.Empty() {
			t.Errorf("first holds %v, last %v", programs[0].Hold, programs[len(programs)-1].Hold)
		}
	})
}

// A far end without Marker responder delays a port that leaves by what is stated,
// and after a while by less.
func TestLeaveWithoutResponder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, noMarkers)
		defer far.stop()
		defer near.stop()
		for i, want := range []time.Duration{marker.Patience, marker.Patience, marker.Settle} {
			placed := near.device().Placed()
			far.fake.slow(11).join(near.fake.slow(11), func([]byte) bool { return false })
			near.fake.slow(11).in <- outOfSync(t, far)
			synctest.Wait()
			if got := held(near, placed); !slices.Equal(got, []uint16{2}) {
				t.Fatalf("round %d: held are the conversations of %v", i, got)
			}
			begun := time.Now()
			for held(near, placed) != nil {
				pass(time.Millisecond)
			}
			if took := time.Since(begun); took < want || took > want+2*time.Millisecond {
				t.Errorf("round %d: held for %v, want %v", i, took, want)
			}
			far.fake.slow(11).join(near.fake.slow(11), nil)
			pass(40 * time.Second)
		}
	})
}

// outOfSync is what far says on its second port, as if it were not in sync.
func outOfSync(t *testing.T, far *world) []byte {
	t.Helper()
	return outOfSyncOn(t, far, 11)
}

// lastFrame is what was sent last on a port.
func lastFrame(w *world, index int) []byte {
	frames := w.fake.slow(index).frames()
	return frames[len(frames)-1]
}

func outOfSyncOn(t *testing.T, far *world, index int) []byte {
	t.Helper()
	pdu, err := slow.ParseLACPDU(lastFrame(far, index))
	if err != nil {
		t.Fatal(err)
	}
	pdu.Actor.State = pdu.Actor.State.
		With(slow.Synchronization, false).With(slow.Collecting, false).With(slow.Distributing, false)
	return slow.AppendLACPDU(nil, ether.Addr{2, 0xbb, 0, 0, 0, 1}, pdu)
}

// The Marker goes behind the data: not before the queue is empty.
func TestLeaveWaitsForTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, nil)
		defer far.stop()
		defer near.stop()
		near.fake.setQueue(11, rtnl.Queue{Kind: "pfifo_fast", Frames: 7})
		near.look()
		near.fake.edit(11, func(l *rtnl.Link) { l.Carrier = false })
		near.look()
		near.fake.edit(11, func(l *rtnl.Link) { l.Carrier = true })
		near.look()
		pass(40 * time.Second)
		near.device().Place(near.device().Current().Table)
		sent := len(near.fake.slow(11).frames())
		done := near.remove("re1")
		pass(200 * time.Millisecond)
		if got := near.fake.slow(11).frames()[sent:]; len(got) != 0 {
			t.Errorf("sent %s before the queue was empty", subtypes(t, got))
		}
		near.fake.setQueue(11, rtnl.Queue{Kind: "pfifo_fast"})
		near.must(<-done)
		if got := subtypes(t, near.fake.slow(11).frames()[sent:]); got != "MFR" {
			t.Errorf("sent %s", got)
		}
	})
}

// A link that is cut while its port leaves has lost its frames anyway.
func TestLeaveAndDie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, noMarkers)
		defer far.stop()
		defer near.stop()
		placed := near.device().Placed()
		done := near.remove("re1")
		synctest.Wait()
		if held(near, placed) == nil {
			t.Fatal("nothing is held")
		}
		near.fake.edit(11, func(l *rtnl.Link) { l.Carrier = false })
		near.look()
		if got := held(near, placed); got != nil {
			t.Errorf("the conversations of %v are still held", got)
		}
		near.must(<-done)
	})
}

// Nothing is flushed for a port that nothing was sent through, nor in static mode
// by more than time.
func TestLeaveWithoutPartner(t *testing.T) {
	for _, static := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			defer w.stop()
			w.agr0("re0", "re1")
			if static {
				w.must(w.SetFlags("agr0", ctl.Link1, 0))
			}
			pass(10 * time.Second)
			w.device().Place(w.device().Current().Table)
			sent, begun := len(w.fake.slow(11).frames()), time.Now()
			w.must(w.SetPort("agr0", "re1", ctl.RemovePort))
			want := map[bool]string{false: "F", true: ""}[static]
			if got := subtypes(t, w.fake.slow(11).frames()[sent:]); got != want {
				t.Errorf("static %v: sent %q, want %q", static, got, want)
			}
			if took := time.Since(begun); took != marker.Settle {
				t.Errorf("static %v: took %v", static, took)
			}
		})
	}
}

// A port that joins: conversations that are to move away from a port with a queue
// do so once it was seen empty, and the daemon stops to look when all have.
func TestJoinLooksAtQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.fake.setQueue(10, rtnl.Queue{Kind: "pfifo_fast", Frames: 3})
		w.agr0("re0")
		pass(10 * time.Second)
		before := w.device().Current().Table
		w.device().Place(before)
		w.must(w.SetPort("agr0", "re1", ctl.AddPort))
		pass(10 * time.Second)
		if w.share(2) == 0 || w.device().Emptied(1) != 0 {
			t.Fatalf("port 2 has %d conversations, queue empty %d times", w.share(2), w.device().Emptied(1))
		}
		w.fake.setQueue(10, rtnl.Queue{Kind: "pfifo_fast"})
		pass(2 * time.Second)
		seen := w.device().Emptied(1)
		w.device().Place(w.device().Current().Table)
		pass(2 * time.Second)
		after := w.device().Emptied(1)
		pass(time.Hour)
		if seen == 0 || w.device().Emptied(1) > after {
			t.Errorf("queue empty: told %d times, %d times when nothing was to move", seen, w.device().Emptied(1)-after)
		}
	})
}

// A datapath that cannot hold frames is programmed all the same.
func TestLeaveWithoutHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, nil)
		defer far.stop()
		defer near.stop()
		near.device().FailNext(dptest.Program, errInjected)
		near.must(near.SetPort("agr0", "re1", ctl.RemovePort))
		if s, ok := near.device().State(2); ok || near.share(1) != 256 {
			t.Errorf("port 2 %+v, port 1 has %d conversations", s, near.share(1))
		}
	})
}

// What the datapath says of its Collector is in every LACPDU.
func TestCollectorMaxDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.must(w.Create("agr0"))
		w.device().SetInfo(datapath.Info{CollectorDelay: 20 * time.Millisecond})
		w.must(w.SetPort("agr0", "re0", ctl.AddPort))
		synctest.Wait()
		pdu, err := slow.ParseLACPDU(w.fake.slow(10).frames()[0])
		w.must(err)
		if pdu.CollectorMaxDelay != 2000 {
			t.Errorf("CollectorMaxDelay %d tens of microseconds, want 2000", pdu.CollectorMaxDelay)
		}
	})
}

// A conversation moves when its last frame has had time for the way, and for a
// Collector that keeps it as long as it says that it may.
func TestIdleTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, nil)
		defer far.stop()
		defer near.stop()
		pdu, err := slow.ParseLACPDU(lastFrame(far, 11))
		near.must(err)
		pdu.CollectorMaxDelay = 2000
		near.fake.slow(11).in <- slow.AppendLACPDU(nil, ether.Addr{2, 0xbb, 0, 0, 0, 1}, pdu)
		synctest.Wait()
		near.fake.edit(10, func(l *rtnl.Link) { l.Carrier = false }) // so that the datapath is programmed
		near.look()
		if got := near.device().Current().Idle; got != 21*time.Millisecond {
			t.Errorf("conversations move after %v, want 21 ms", got)
		}
	})
}

// A port that distributes again while it is flushed: what was sent through it is
// still on its way, and conversations that go to another port wait for it.
func TestBackWhileFlushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, noMarkers)
		defer far.stop()
		defer near.stop()
		placed := near.device().Placed()
		placed[slices.Index(placed[:], 1)] = 2
		near.device().Place(placed)
		frames := far.fake.slow(11).frames()
		inSync := frames[len(frames)-1]
		far.fake.slow(11).join(near.fake.slow(11), func([]byte) bool { return false })
		near.fake.slow(11).in <- outOfSync(t, far)
		pass(5 * time.Millisecond)
		near.fake.slow(11).in <- inSync
		pass(marker.Patience - 10*time.Millisecond)
		if s, _ := near.device().State(2); !s.Distributing || held(near, placed) == nil {
			t.Errorf("port 2 %+v, held are the conversations of %v", s, held(near, placed))
		}
		pass(10 * time.Millisecond)
		if got := held(near, placed); got != nil {
			t.Errorf("the conversations of %v are still held", got)
		}
	})
}

// A flush that asked nobody says nothing about the far end.
func TestSilentFlushesDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, nil)
		defer far.stop()
		defer near.stop()
		for range silentAfter {
			far.fake.slow(11).join(near.fake.slow(11), func([]byte) bool { return false })
			pass(200 * time.Second)
			far.fake.slow(11).join(near.fake.slow(11), nil)
			pass(100 * time.Second)
			near.device().Place(near.device().Current().Table)
		}
		sent := len(near.fake.slow(11).frames())
		near.must(near.SetPort("agr0", "re1", ctl.RemovePort))
		if got := subtypes(t, near.fake.slow(11).frames()[sent:]); got[0] != 'M' {
			t.Errorf("sent %s, want a Marker first", got)
		}
	})
}

// -agrport of a port that is being flushed waits for the end of that.
func TestLeaveWhileFlushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, noMarkers)
		defer far.stop()
		defer near.stop()
		far.fake.slow(11).join(near.fake.slow(11), func([]byte) bool { return false })
		near.fake.slow(11).in <- outOfSync(t, far)
		synctest.Wait()
		begun := time.Now()
		near.must(near.SetPort("agr0", "re1", ctl.RemovePort))
		if took := time.Since(begun); took < marker.Patience {
			t.Errorf("left after %v, want %v at least", took, marker.Patience)
		}
	})
}

// A port that leaves keeps nobody else waiting, and leaves once.
func TestLeaveKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, noMarkers)
		defer far.stop()
		defer near.stop()
		done := near.remove("re1")
		synctest.Wait()
		begun := time.Now()
		wantErr(t, near.SetPort("agr0", "re1", ctl.RemovePort), ctl.EBUSY)
		wantErr(t, near.SetPort("agr0", "re1", ctl.AddPort), ctl.EBUSY)
		near.must(near.Create("agr1"))
		if took := time.Since(begun); took != 0 {
			t.Errorf("others waited for %v", took)
		}
		near.must(<-done)
	})
}

// A daemon that ends in the middle of a departure answers, and the port is what
// it was: a port, as long as no farewell was said.
func TestStopWhileLeaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, noMarkers)
		defer far.stop()
		done := near.remove("re1")
		synctest.Wait()
		near.stop()
		wantErr(t, <-done, ctl.EAGAIN)
		if got := len(near.saved()[0].Ports); got != 2 {
			t.Errorf("%d ports on record, want 2", got)
		}

		near = startWorld(t, near.fake, near.path)
		near.fake.slow(11).join(far.fake.slow(11), nil)
		pass(40 * time.Second)
		near.device().Place(near.device().Current().Table)
		done = near.remove("re1")
		pass(marker.Patience + time.Millisecond)
		near.stop()
		near.must(<-done)
		if got := len(near.saved()[0].Ports); got != 1 {
			t.Errorf("%d ports on record after the farewell, want 1", got)
		}
	})
}

// A queueing discipline that comes later counts from the next look.
func TestQueueAppears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := distributing(t)
		defer w.stop()
		w.fake.setQueue(10, rtnl.Queue{Kind: "fq_codel"})
		pass(fullLook)
		if s, _ := w.device().State(1); !s.Queues {
			t.Errorf("port 1 %+v", s)
		}
	})
}

// The carrier that another tool takes away is put back.
func TestCarrierPutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := distributing(t)
		defer w.stop()
		w.fake.edit(w.device().Index(), func(l *rtnl.Link) { l.Flags |= unix.IFF_UP; l.Carrier = false })
		before := len(w.device().Calls())
		w.look()
		if got := w.device().Calls()[before:]; !slices.Contains(got, "SetCarrier true") {
			t.Errorf("calls %v", got)
		}
	})
}

// What a predecessor's datapath does is where the table begins.
func TestTableSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := distributing(t)
		table := w.device().Current().Table
		w.stop()
		w.fake.place = table
		w = startWorld(t, w.fake, w.path)
		defer w.stop()
		pass(10 * time.Second)
		if w.device().Current().Table != table {
			t.Error("conversations have moved although nothing has changed")
		}
	})
}

// While no port distributes, what was on its way is waited for all the same: the
// next port that does must not be overtaken.
func TestHoldWithoutPorts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, noMarkers)
		defer far.stop()
		defer near.stop()
		placed := near.device().Placed()
		for _, index := range []int{10, 11} {
			far.fake.slow(index).join(near.fake.slow(index), func([]byte) bool { return false })
		}
		near.fake.slow(11).in <- outOfSync(t, far)
		near.fake.slow(10).in <- outOfSyncOn(t, far, 10)
		synctest.Wait()
		if got := near.device().Current(); got.Table != (dist.Table{}) {
			t.Fatalf("still distributes: %+v", got.Ports)
		}
		if got := held(near, placed); len(got) != 2 {
			t.Errorf("held are the conversations of %v", got)
		}
		pass(marker.Patience + time.Millisecond)
		if got := held(near, placed); got != nil {
			t.Errorf("the conversations of %v are held for ever", got)
		}
	})
}

// A conversation that a port has sent behind its Marker waits for another one.
func TestSentBehindTheMarker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, noMarkers)
		defer far.stop()
		defer near.stop()
		far.fake.slow(11).join(near.fake.slow(11), func([]byte) bool { return false })
		stop, back := outOfSync(t, far), lastFrame(far, 11)
		near.fake.slow(11).in <- stop
		synctest.Wait()
		first := near.device().Current().Hold
		if first.Empty() {
			t.Fatal("nothing is held")
		}
		pass(marker.Patience / 2)
		near.fake.slow(11).in <- back // it distributes again, and takes a conversation of the other port
		pass(marker.Patience / 4)
		if got := near.share(2); got == 0 {
			t.Fatal("does not distribute again")
		}
		placed := near.device().Placed()
		c := slices.Index(placed[:], 1)
		placed[c] = 2
		near.device().Place(placed)
		near.fake.slow(11).in <- stop
		synctest.Wait()
		if hold := near.device().Current().Hold; !hold.Has(uint8(c)) {
			t.Fatalf("conversation %d is not held", c)
		}
		pass(marker.Patience / 2) // the first Marker has been waited for
		if hold := near.device().Current().Hold; !hold.Has(uint8(c)) {
			t.Errorf("conversation %d goes on because of a Marker before it", c)
		}
		pass(marker.Patience)
		if hold := near.device().Current().Hold; !hold.Empty() {
			t.Error("held for ever")
		}
	})
}
