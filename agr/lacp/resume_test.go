package lacp_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ifagr/agr/lacp"
	"ifagr/agr/lacp/lacptest"
	"ifagr/agr/slow"
)

// replace puts a System in the place of the bench's that goes on from what the old
// one had in mind, with the links and priorities that its ports have now.
func (b *bench) replace(edit func(*lacp.Resume)) {
	b.t.Helper()
	var m lacp.Memory
	b.sys.Remember(&m)
	text, err := json.Marshal(m)
	if err != nil {
		b.t.Fatal(err)
	}
	st := b.sys.Status()
	e := lacp.Resume{}
	if err := json.Unmarshal(text, &e.Memory); err != nil {
		b.t.Fatal(err)
	}
	if !m.Equal(&e.Memory) {
		b.t.Fatalf("%s is not what was written: %+v", text, m)
	}
	for _, p := range st.Ports {
		e.Ports = append(e.Ports, lacp.AddPort{Number: p.Number, Priority: p.Actor.Priority, Name: p.Name, Link: p.Link})
	}
	if edit != nil {
		edit(&e)
	}
	b.sys, b.watch = lacp.New(st.Config), lacptest.Watch{}
	b.step(e)
}

// unremembered are the parts of a status that a successor begins anew.
var unremembered = cmp.Options{
	cmpopts.IgnoreFields(lacp.PortStatus{}, "Sent"),
	cmpopts.SortSlices(func(a, b uint16) bool { return a < b }),
}

// A System that goes on from another one's memory is in the same states, whatever
// has happened before, and the same happens to it afterwards.
func TestResume_Anytime(t *testing.T) {
	for seed := range uint64(200) {
		r := &rambler{bench: newBench(t, lacp.Config{}), rand: rand.New(rand.NewPCG(seed, 9))}
		for range 100 {
			e := r.event()
			r.step(e)
			r.check(e)
			r.wait(time.Duration(r.rand.ExpFloat64() * float64(time.Second)))
			if !r.one(10) {
				continue
			}
			r.wait(lacp.TransmitWindow)
			r.sys.Advance(r.now)
			r.collect()
			before := r.sys.Status()
			r.replace(nil)
			r.check(nil)
			if d := cmp.Diff(before, r.sys.Status(), unremembered); d != "" {
				t.Fatalf("seed %d (-before +after):\n%s", seed, d)
			}
		}
	}
}

// The first LACPDU is what the last one was, at once, and nothing else changes.
func TestResume_FirstLACPDU(t *testing.T) {
	b := newBench(t, lacp.Config{ShortTimeout: true}, gigabit, gigabit)
	b.up(1, 2)
	b.hear(1, partnerState(willing|slow.Timeout))
	b.hear(2, partnerState(willing|slow.Timeout))
	b.wait(1100 * time.Millisecond)
	last := [2]slow.LACPDU{b.last(1), b.last(2)}
	changes := b.port(1).StateChanges
	b.forget()
	b.replace(nil)
	if len(b.sent) != 2 {
		t.Fatalf("%d LACPDUs", len(b.sent))
	}
	for i, s := range b.sent {
		if d := cmp.Diff(last[i], s.PDU); d != "" {
			t.Errorf("LACPDU of port %d (-last +first):\n%s", i+1, d)
		}
	}
	want := []lacp.MuxChange{{Port: 1, Collecting: true, Distributing: true}, {Port: 2, Collecting: true, Distributing: true}}
	if d := cmp.Diff(want, b.mux); d != "" {
		t.Errorf("the driver is told (-want +got):\n%s", d)
	}
	b.wait(lacp.ShortTimeoutTime - time.Millisecond)
	b.wants(1, "DISTRIBUTING")
	if got := b.port(1).StateChanges; got != changes {
		t.Errorf("%d changes of the mux", got-changes)
	}
	b.wait(time.Millisecond)
	if got := b.port(1).Receive; got != "EXPIRED" {
		t.Errorf("a partner that has fallen silent: %s", got)
	}
}

// Where it is known when the partner was heard, it is believed from then on.
func TestResume_Heard(t *testing.T) {
	b := newBench(t, lacp.Config{ShortTimeout: true}, gigabit, gigabit)
	b.up(1, 2)
	heard := b.now
	b.wait(time.Second)
	b.replace(func(e *lacp.Resume) { e.Since = map[uint16]lacp.Since{1: {Heard: heard}, 2: {Heard: b.now + 1000}} })
	b.wait(2 * time.Second)
	if a, z := b.port(1).Receive, b.port(2).Receive; a != "EXPIRED" || z != "CURRENT" {
		t.Errorf("2 s later: %s, %s", a, z)
	}
	b.wait(time.Second)
	if got := b.port(2).Receive; got != "EXPIRED" {
		t.Errorf("3 s later: %s", got)
	}
}

// What a partner has said since counts as if the System had heard it: who is not in sync
// any more gets no frames until it says that it is.
func TestResume_Since(t *testing.T) {
	tests := map[string]struct {
		since lacp.Since
		want  [2]string // mux of port 1, and after its partner has said again that it is willing
	}{
		"nothing":  {lacp.Since{}, [2]string{"DISTRIBUTING", "DISTRIBUTING"}},
		"the same": {lacp.Since{State: willing, Spoke: true}, [2]string{"DISTRIBUTING", "DISTRIBUTING"}},
		"out of sync": {
			lacp.Since{State: willing &^ slow.Synchronization, Spoke: true, Stopped: true}, [2]string{"ATTACHED", "DISTRIBUTING"},
		},
		"somebody else":             {lacp.Since{State: willing, Spoke: true, Stopped: true}, [2]string{"ATTACHED", "DISTRIBUTING"}},
		"nobody, and somebody else": {lacp.Since{Stopped: true}, [2]string{"ATTACHED", "DISTRIBUTING"}},
		"does not collect": {
			lacp.Since{State: willing &^ slow.Collecting, Spoke: true, Stopped: true}, [2]string{"ATTACHED", "DISTRIBUTING"},
		},
		"individual": {lacp.Since{State: willing &^ slow.Aggregation, Spoke: true, Stopped: true}, [2]string{"WAITING", "WAITING"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, lacp.Config{}, gigabit, gigabit)
			b.up(1, 2)
			b.replace(func(e *lacp.Resume) {
				tt.since.Heard = b.now
				e.Since = map[uint16]lacp.Since{1: tt.since}
			})
			b.wants(1, tt.want[0])
			b.wants(2, "DISTRIBUTING")
			if sync := tt.want[0] == "DISTRIBUTING"; b.last(1).Partner.State.Has(slow.Synchronization) != sync {
				t.Errorf("the partner is told %s", b.last(1).Partner.State)
			}
			b.hear(1, partnerState(willing))
			b.wants(1, tt.want[1])
		})
	}
}

// What has changed meanwhile counts as a change of now; ports that nobody remembers
// begin anew, and those that are no more disturb nobody.
func TestResume_Changed(t *testing.T) {
	tests := []struct {
		name string
		edit func(*lacp.Resume)
		want [3]string // mux of ports 1 to 3, "" = there is none
	}{
		{"nothing", func(*lacp.Resume) {}, [3]string{"DISTRIBUTING", "DISTRIBUTING"}},
		{"a link is lost", func(e *lacp.Resume) { e.Ports[0].Link.Up = false }, [3]string{"ATTACHED", "DISTRIBUTING"}},
		{"a link has another speed", func(e *lacp.Resume) { e.Ports[0].Link.Speed = 100 }, [3]string{"WAITING", "DISTRIBUTING"}},
		{"a port has gone", func(e *lacp.Resume) { e.Ports = e.Ports[1:] }, [3]string{"", "DISTRIBUTING"}},
		{"a port has come", func(e *lacp.Resume) {
			e.Ports = append(e.Ports, lacp.AddPort{Number: 3, Link: gigabit})
		}, [3]string{"DISTRIBUTING", "DISTRIBUTING", "WAITING"}},
		{"a port is there twice", func(e *lacp.Resume) { e.Ports = append(e.Ports, e.Ports[0]) }, [3]string{"DISTRIBUTING", "DISTRIBUTING"}},
		{"a port has another priority", func(e *lacp.Resume) { e.Ports[1].Priority = 1 }, [3]string{"DISTRIBUTING", "WAITING"}},
		{"LACP was off", func(e *lacp.Resume) { e.Memory.Static = true }, [3]string{"WAITING", "WAITING"}},
		{"nothing is remembered", func(e *lacp.Resume) { e.Memory = lacp.Memory{} }, [3]string{"WAITING", "WAITING"}},
		{"a state that there is not", func(e *lacp.Resume) { e.Memory.Ports[0].Mux = "BEST" }, [3]string{"WAITING", "DISTRIBUTING"}},
		{"attached to nothing", func(e *lacp.Resume) { e.Memory.Ports[0].Aggregator = 0 }, [3]string{"WAITING", "DISTRIBUTING"}},
		{"a partner of another aggregator", func(e *lacp.Resume) { e.Memory.Ports[1].Partner.Key++ }, [3]string{"DISTRIBUTING", "WAITING"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{}, gigabit, gigabit)
			b.up(1, 2)
			b.wait(time.Second)
			b.replace(tt.edit)
			var got [3]string
			for _, p := range b.sys.Status().Ports {
				got[p.Number-1] = p.Mux
			}
			if got != tt.want {
				t.Errorf("mux %q, want %q", got, tt.want)
			}
		})
	}
}

// A System that has ports, or has left, does not resume.
func TestResume_OnlyAtTheStart(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit)
	b.up(1)
	before := b.sys.Status()
	b.step(lacp.Resume{Ports: []lacp.AddPort{{Number: 2, Link: gigabit}}})
	if d := cmp.Diff(before, b.sys.Status()); d != "" {
		t.Error(d)
	}
	b.step(lacp.RemovePort{Number: 1})
	b.step(lacp.Leave{})
	b.step(lacp.Resume{Ports: []lacp.AddPort{{Number: 2, Link: gigabit}}})
	if got := b.sys.Status().Ports; len(got) != 0 {
		t.Errorf("ports %+v", got)
	}
	var m lacp.Memory
	if b.sys.Remember(&m); len(m.Ports) != 0 {
		t.Errorf("remembers %+v", m.Ports)
	}
}

// FuzzResume resumes from memories that cannot be true. What must hold of a System
// holds all the same.
func FuzzResume(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed, []byte{byte(seed), 3, 200})
	}
	f.Fuzz(func(t *testing.T, seed uint64, damage []byte) {
		r := &rambler{bench: newBench(t, lacp.Config{}), rand: rand.New(rand.NewPCG(seed, 5))}
		for range 60 {
			r.step(r.event())
			r.wait(time.Duration(r.rand.IntN(1000)) * time.Millisecond)
		}
		r.replace(func(e *lacp.Resume) {
			for i, d := range damage[:min(len(damage), 20)] {
				r.damage(&e.Memory, i, d)
			}
		})
		r.check(nil)
		for range 30 {
			e := r.event()
			r.step(e)
			r.check(e)
			r.wait(time.Duration(r.rand.IntN(3000)) * time.Millisecond)
			r.check(nil)
		}
	})
}

// damage changes something in a memory.
func (r *rambler) damage(m *lacp.Memory, i int, d byte) {
	if len(m.Ports) == 0 {
		return
	}
	p, q := &m.Ports[i%len(m.Ports)], &m.Ports[int(d)%len(m.Ports)]
	switch d % 12 {
	case 0:
		p.Mux = q.Mux
	case 1:
		p.Receive = q.Receive
	case 2:
		p.Selected = q.Selected
	case 3:
		p.Aggregator = int(d) % 5
	case 4:
		p.Actor.State = slow.State(d)
	case 5:
		p.Partner = q.Partner
	case 6:
		m.Active = int(d) % 5
	case 7:
		p.Number = q.Number
	case 8:
		p.Link = q.Link
	case 9:
		p.WaitWhile, p.Fallback = q.Fallback, q.WaitWhile
	case 10:
		m.Enough, m.LastID = !m.Enough, int(d)-128
	case 11:
		p.Hold, m.Patience = lacp.Timer{Running: true, Expired: d > 100}, q.Hold
	}
}
