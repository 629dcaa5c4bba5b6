package lacp_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// carrying is the numbers of the ports that distribute.
func carrying(b *bench) []uint16 {
	var got []uint16
	for _, p := range b.sys.Status().Ports {
		if p.Distributing {
			got = append(got, p.Number)
		}
	}
	return got
}

// carries fails unless exactly these ports distribute.
func (b *bench) carries(numbers ...uint16) {
	b.t.Helper()
	if d := cmp.Diff(numbers, carrying(b)); d != "" {
		b.t.Errorf("at %v, ports that distribute: %s", b.now, d)
	}
}

// talk lets time pass in which the partner of these ports speaks every half second,
// with the same changes.
func (b *bench) talk(d time.Duration, numbers []uint16, edits ...func(*slow.LACPDU)) {
	b.t.Helper()
	for range d / (time.Second / 2) {
		for _, n := range numbers {
			b.hear(n, edits...)
		}
		b.wait(time.Second / 2)
	}
}

// partnerPriority changes the priority of the partner's port.
func partnerPriority(priority uint16) func(*slow.LACPDU) {
	return func(p *slow.LACPDU) { p.Actor.Priority = priority }
}

// S12, design D9: below min-links every port is attached and says that it is in
// sync, and none collects. It takes Up ports to begin and fewer than Down to end.
func TestMinLinks_Thresholds(t *testing.T) {
	b := newBench(t, lacp.Config{MinLinks: lacp.MinLinks{Up: 3, Down: 2}}, gigabit, gigabit, gigabit)
	all := []uint16{1, 2, 3}
	b.talk(4*time.Second, all[:2])
	b.carries()
	b.wants(1, "ATTACHED")
	if got := b.last(1).Actor.State; !got.Has(slow.Synchronization) || got.Has(slow.Collecting) {
		t.Errorf("says %v", got)
	}
	if got, want := b.port(1).Reason, "min-links 3,2: only 2"; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
	b.talk(4*time.Second, all)
	b.carries(1, 2, 3)
	b.step(lacp.LinkChange{Number: 1})
	b.carries(2, 3)
	b.forget()
	b.step(lacp.LinkChange{Number: 2})
	b.carries()
	b.wants(3, "ATTACHED")
	if d := cmp.Diff([]lacp.MuxChange{{Port: 2}, {Port: 3}}, b.mux); d != "" {
		t.Error(d)
	}
	// Two are not enough to begin again.
	b.step(lacp.LinkChange{Number: 2, Link: gigabit})
	b.talk(4*time.Second, all[1:])
	b.carries()
	b.step(lacp.LinkChange{Number: 1, Link: gigabit})
	b.talk(4*time.Second, all)
	b.carries(1, 2, 3)
}

// What counts is that a port is attached and its partner in sync, not that it
// distributes: a partner that waits for its own min-links does not collect yet.
func TestMinLinks_CountsSync(t *testing.T) {
	b := newBench(t, lacp.Config{MinLinks: lacp.MinLinks{Up: 2}}, gigabit, gigabit)
	b.talk(4*time.Second, []uint16{1, 2}, partnerState(inSync))
	b.wants(1, "COLLECTING")
	b.wants(2, "COLLECTING")
	b.hear(2, refuse)
	b.wants(1, "ATTACHED")
	if st := b.sys.Status(); st.Links != 1 || st.Enough {
		t.Errorf("%d links, enough %v", st.Links, st.Enough)
	}
}

// The thresholds may change at any time, and stop only what is too little for them.
func TestMinLinks_Configure(t *testing.T) {
	tests := []struct {
		name     string
		from, to lacp.MinLinks
		ports    int // of three
		want     int // that distribute afterwards
	}{
		{"zero is one", lacp.MinLinks{}, lacp.MinLinks{Up: 1, Down: 1}, 1, 1},
		{"raised, enough", lacp.MinLinks{}, lacp.MinLinks{Up: 3}, 3, 3},
		{"raised, too few", lacp.MinLinks{}, lacp.MinLinks{Up: 3}, 2, 0},
		{"raised, not below the lower one", lacp.MinLinks{}, lacp.MinLinks{Up: 3, Down: 2}, 2, 2},
		{"lowered", lacp.MinLinks{Up: 3}, lacp.MinLinks{Up: 2}, 2, 2},
		{"lower one above the upper", lacp.MinLinks{}, lacp.MinLinks{Up: 2, Down: 9}, 2, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{MinLinks: tt.from}, gigabit, gigabit, gigabit)
			numbers := []uint16{1, 2, 3}[:tt.ports]
			b.talk(4*time.Second, numbers)
			b.step(lacp.Configure{Config: lacp.Config{System: ownSystem, MinLinks: tt.to}})
			b.talk(time.Second, numbers)
			if got := distributing(b); got != tt.want {
				t.Errorf("%d ports distribute, want %d", got, tt.want)
			}
		})
	}
}

// Where LACP is off ports are counted as well.
func TestMinLinks_Static(t *testing.T) {
	cfg := lacp.Config{Static: true, MinLinks: lacp.MinLinks{Up: 2}, Fallback: lacp.FallbackSingle}
	b := newBench(t, cfg, gigabit, lacp.Link{Speed: 1000})
	b.wait(time.Minute)
	b.carries()
	b.step(lacp.LinkChange{Number: 2, Link: gigabit})
	b.wait(lacp.AggregateWaitTime)
	b.carries(1, 2)
}

// Of two aggregators the one with enough ports goes before the faster one.
func TestMinLinks_Choice(t *testing.T) {
	b := newBench(t, lacp.Config{MinLinks: lacp.MinLinks{Up: 2}}, speed(10_000), gigabit, gigabit)
	for range 8 {
		b.hear(1, partnerKey(8))
		b.talk(time.Second, []uint16{2, 3})
	}
	b.carries(2, 3)
	if got, want := b.port(1).Reason, "partner key 8 differs from the active aggregator's 7"; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
}

// At most so many ports are SELECTED, by priority, then number, at the end with the
// better system identifier; the others are STANDBY and say so (S10).
func TestMaxPorts_WhoDecides(t *testing.T) {
	better, worse := farSystem, farSystem
	better.Priority, worse.Priority = 1, 0xfffe
	// Our priorities prefer 3 and 1, the partner's 2 and 3.
	own := map[uint16]uint16{1: 20, 2: 30, 3: 10}
	theirs := map[uint16]uint16{1: 30, 2: 10, 3: 20}
	tests := []struct {
		name    string
		partner slow.System
		max     int
		want    []uint16
	}{
		{"we decide", worse, 2, []uint16{1, 3}},
		{"the partner decides", better, 2, []uint16{2, 3}},
		{"one, we decide", worse, 1, []uint16{3}},
		{"one, the partner decides", better, 1, []uint16{2}},
		{"as many as there are", worse, 3, []uint16{1, 2, 3}},
		{"more than there are", worse, 9, []uint16{1, 2, 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, lacp.Config{MaxPorts: tt.max}, gigabit, gigabit, gigabit)
			for n, priority := range own {
				b.step(lacp.PortPriority{Number: n, Priority: priority})
			}
			for range 8 {
				for n := range uint16(3) {
					b.hear(n+1, partnerSystem(tt.partner), partnerPriority(theirs[n+1]))
				}
				b.wait(time.Second / 2)
			}
			b.carries(tt.want...)
			for _, p := range b.sys.Status().Ports {
				if !p.Distributing && (p.Selected != "STANDBY" || p.Actor.State.Has(slow.Synchronization)) {
					t.Errorf("port %d is %s and says %v", p.Number, p.Selected, p.Actor.State)
				}
			}
		})
	}
}

// Equal priorities: the number decides.
func TestMaxPorts_Number(t *testing.T) {
	b := newBench(t, lacp.Config{MaxPorts: 2}, gigabit, gigabit, gigabit)
	b.talk(4*time.Second, []uint16{3, 2, 1})
	b.carries(1, 2)
	if got, want := b.port(3).Reason, "max-ports 2: standby behind p1, p2"; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
}

// S10: a STANDBY port has waited already and takes over at once; its partner has to
// agree. A better port that comes back takes its place again when it can do so
// without delay, and a link that flickers before that changes nothing.
func TestMaxPorts_TakeOver(t *testing.T) {
	b := newBench(t, lacp.Config{MaxPorts: 1}, gigabit, gigabit)
	both := []uint16{1, 2}
	b.talk(lacp.AggregateWaitTime+time.Second, both)
	b.carries(1)
	b.step(lacp.LinkChange{Number: 1})
	b.wants(2, "COLLECTING")
	b.hear(2)
	b.carries(2)
	for range 5 {
		b.step(lacp.LinkChange{Number: 1, Link: gigabit})
		b.hear(1)
		b.wait(100 * time.Millisecond)
		b.carries(2)
		b.step(lacp.LinkChange{Number: 1})
		b.wait(100 * time.Millisecond)
	}
	b.step(lacp.LinkChange{Number: 1, Link: gigabit})
	b.hear(2)
	b.carries(2) // nobody has been heard on the better one yet
	b.talk(4*time.Second, both)
	b.carries(1)
}

// All that makes a port unable to carry frames gives its place away.
func TestMaxPorts_Goes(t *testing.T) {
	tests := map[string]func(*bench){
		"link":     func(b *bench) { b.step(lacp.LinkChange{Number: 1}) },
		"removed":  func(b *bench) { b.step(lacp.RemovePort{Number: 1, Farewell: true}) },
		"key":      func(b *bench) { b.hear(1, partnerKey(9)) },
		"loopback": func(b *bench) { b.hear(1, partnerSystem(ownSystem)) },
		"speed":    func(b *bench) { b.step(lacp.LinkChange{Number: 1, Link: speed(100)}) },
		"duplex": func(b *bench) {
			b.step(lacp.LinkChange{Number: 1, Link: lacp.Link{Up: true, Speed: 1000, HalfDuplex: true}})
		},
		"priority": func(b *bench) { b.step(lacp.PortPriority{Number: 1, Priority: 0xffff}) },
		"silence":  func(b *bench) { b.talk(7*time.Second, []uint16{2, 3}) },
	}
	for name, goes := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, lacp.Config{MaxPorts: 2, ShortTimeout: true}, gigabit, gigabit, gigabit)
			b.talk(4*time.Second, []uint16{1, 2, 3})
			b.carries(1, 2)
			goes(b)
			start := b.now
			for len(carrying(b)) < 2 && time.Duration(b.now-start) < 3*time.Second {
				b.talk(time.Second/2, []uint16{2, 3})
			}
			if took := time.Duration(b.now - start); took > lacp.AggregateWaitTime+time.Second/2 {
				t.Errorf("took over in %v", took)
			}
			b.carries(2, 3)
		})
	}
}

// When the partner decides, a better port that it does not agree to yet takes no
// place from one that works.
func TestMaxPorts_FollowsPartner(t *testing.T) {
	better := farSystem
	better.Priority = 1
	b := newBench(t, lacp.Config{MaxPorts: 1}, gigabit, gigabit)
	hear := func(n uint16, edits ...func(*slow.LACPDU)) {
		b.hear(n, append(edits, partnerSystem(better))...)
	}
	b.step(lacp.LinkChange{Number: 1})
	hear(2)
	b.wait(lacp.AggregateWaitTime)
	hear(2)
	b.carries(2)
	b.step(lacp.LinkChange{Number: 1, Link: gigabit})
	for range 20 {
		hear(1, refuse)
		hear(2)
		b.wait(time.Second)
		b.carries(2)
	}
	hear(1)
	b.wants(1, "COLLECTING")
	hear(1)
	b.carries(1)
	// But a port that does not work is not waited for.
	hear(2, refuse)
	b.step(lacp.LinkChange{Number: 1})
	if got := b.port(2).Selected; got != "SELECTED" {
		t.Errorf("port 2 is %s", got)
	}
}

// A selected port whose partner never agrees gives its place to one that stands by,
// and gets it back when the partner agrees.
func TestMaxPorts_Refused(t *testing.T) {
	b := newBench(t, lacp.Config{MaxPorts: 1}, gigabit, gigabit)
	both := func(d time.Duration) {
		for range d / time.Second {
			b.hear(1, refuse)
			b.hear(2)
			b.wait(time.Second)
		}
	}
	both(lacp.AggregateWaitTime + lacp.PatienceBetter - time.Second)
	b.carries()
	both(2 * time.Second)
	b.carries(2)
	both(time.Minute)
	b.carries(2)
	b.talk(4*time.Second, []uint16{1, 2})
	b.carries(1)
	// Its time begins anew.
	b.talk(time.Minute, []uint16{1, 2})
	both(lacp.PatienceBetter - time.Second)
	b.carries()
	both(2 * time.Second)
	b.carries(2)
}

// The limit may change at any time, and touches only the ports that it is about.
func TestMaxPorts_Configure(t *testing.T) {
	for _, tt := range []struct{ from, to int }{{0, 1}, {0, 2}, {1, 3}, {2, 0}, {3, 2}, {1, 2}} {
		t.Run(fmt.Sprintf("%d to %d", tt.from, tt.to), func(t *testing.T) {
			b := newBench(t, lacp.Config{MaxPorts: tt.from}, gigabit, gigabit, gigabit)
			all := []uint16{1, 2, 3}
			b.talk(4*time.Second, all)
			want := tt.to
			if want == 0 {
				want = len(all)
			}
			stay := carrying(b)
			stay = stay[:min(len(stay), want)]
			b.forget()
			b.step(lacp.Configure{Config: lacp.Config{System: ownSystem, MaxPorts: tt.to}})
			for _, n := range stay {
				if got := b.machine(n, "mux"); got != nil {
					t.Errorf("port %d: %v", n, got)
				}
			}
			b.talk(4*time.Second, all)
			b.carries(all[:want]...)
		})
	}
}

// Ports that stand by add nothing to the bandwidth of an aggregator.
func TestMaxPorts_Bandwidth(t *testing.T) {
	b := newBench(t, lacp.Config{MaxPorts: 1}, gigabit, gigabit, speed(1500))
	for range 10 {
		b.hear(1)
		b.hear(2)
		b.hear(3, partnerKey(9))
		b.wait(time.Second / 2)
	}
	b.carries(3)
}
