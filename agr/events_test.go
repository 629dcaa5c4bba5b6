package agr

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ifagr/agr/ctl"
	"ifagr/netutil/rtnl"
)

// listen follows a stream into a list, until the test ends. Each value that gate
// gives lets one more through; without a gate all pass.
func (w *world) listen(name string, gate <-chan struct{}) *[]ctl.Transition {
	got := new([]ctl.Transition)
	go w.Subscribe(w.t.Context(), name, func(t ctl.Transition) error {
		if gate != nil {
			<-gate
		}
		*got = append(*got, t)
		return nil
	})
	synctest.Wait()
	return got
}

// A stream begins with the present state of the interface and of each port, and
// what follows has the numbers that come next.
func TestStreamBeginsWithTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0", "re1")
		w.fake.edit(11, func(l *rtnl.Link) { l.Carrier = false })
		w.look()
		pass(20 * time.Second)
		got := w.listen("agr0", nil)
		var lines []string
		for _, tr := range *got {
			lines = append(lines, words(tr.Machine, tr.Port, tr.To, tr.Reason, tr.States["link"], tr.States["receive"]))
		}
		want := []string{"snapshot  up  up ", "snapshot re0 DISTRIBUTING  up DEFAULTED", "snapshot re1 ATTACHED link down down PORT_DISABLED"}
		if d := diff(want, lines); d != "" {
			t.Fatalf("the first events (-want +got):\n%s", d)
		}
		seq := (*got)[2].Seq
		w.fake.edit(11, func(l *rtnl.Link) { l.Carrier = true })
		w.look()
		for i, tr := range (*got)[3:] {
			if tr.Seq != seq+uint64(i)+1 || tr.Machine == ctl.MachineSnapshot {
				t.Errorf("event %d behind number %d: %+v", i, seq, tr)
			}
		}
		if len(*got) < 5 {
			t.Errorf("the link has come back: %+v", (*got)[3:])
		}
	})
}

// A reader of all agr interfaces has the state of each; and is told when one comes
// or goes.
func TestStreamOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0")
		w.must(w.Create("agr1"))
		got := w.listen("", nil)
		w.must(w.Create("agr2"))
		w.must(w.SetPort("agr2", "re2", ctl.AddPort))
		w.must(w.Destroy("agr1"))
		synctest.Wait()
		var seen []string
		for _, tr := range *got {
			if tr.Machine == ctl.MachineSnapshot || tr.Machine == "agr" {
				seen = append(seen, strings.TrimSpace(words(tr.Agr, tr.Machine, tr.Port)))
			}
		}
		if d := diff([]string{"agr0 snapshot", "agr0 snapshot re0", "agr1 snapshot", "agr2 agr", "agr2 agr re2", "agr1 agr"}, seen); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}

// Who is too slow is told how many events are missing, and has the present state
// then: nothing is unaccounted for, and what was not missed is in order.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0")
		pass(20 * time.Second)
		gate := make(chan struct{})
		got := w.listen("agr0", gate)
		gate <- struct{}{} // the interface
		gate <- struct{}{} // its port
		synctest.Wait()
		begin := (*got)[1].Seq
		for range subscriberBacklog {
			for _, on := range []bool{false, true} {
				w.fake.edit(10, func(l *rtnl.Link) { l.Carrier = on })
				w.look()
			}
		}
		end := w.hub.last()
		close(gate)
		synctest.Wait()
		rest := (*got)[2:]
		at := slices.IndexFunc(rest, func(tr ctl.Transition) bool { return tr.Machine == ctl.MachineMissed })
		if at < 0 {
			t.Fatalf("of %d events %d came, and nothing was missed", end-begin, len(rest))
		}
		for i, tr := range rest[:at] {
			if tr.Seq != begin+uint64(i)+1 {
				t.Fatalf("event %d has number %d, want %d", i, tr.Seq, begin+uint64(i)+1)
			}
		}
		if m := rest[at]; m.Missed+uint64(at) != end-begin || m.Seq != end {
			t.Errorf("of %d events %d came before %+v", end-begin, at, m)
		}
		if after := rest[at+1:]; len(after) != 2 || after[1].Machine != ctl.MachineSnapshot || after[1].Port != "re0" || after[1].Seq < end {
			t.Errorf("behind the gap: %+v", after)
		}
	})
}

// A reader that fails, or whose context ends, leaves nothing behind.
func TestStreamEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0")
		broken := errors.New("broken pipe")
		wantErr(t, w.Subscribe(t.Context(), "agr0", func(ctl.Transition) error { return broken }), broken)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		wantErr(t, w.Subscribe(ctx, "", func(ctl.Transition) error { return nil }), context.DeadlineExceeded)
		wantErr(t, w.Subscribe(ctx, "agr9", nil), ctl.ENXIO)
		if len(w.hub.subs) != 0 {
			t.Errorf("%d readers are left", len(w.hub.subs))
		}
	})
}

// A storm of transitions is kept out of the log, and out of nothing else.
func TestStormReachesReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		logged := new(strings.Builder)
		w.hub.log = slog.New(slog.NewTextHandler(logged, nil))
		w.agr0("re0")
		pass(20 * time.Second)
		got := w.listen("agr0", nil)
		for range shownPerSecond {
			for _, on := range []bool{false, true} {
				w.fake.edit(10, func(l *rtnl.Link) { l.Carrier = on })
				w.look()
			}
		}
		losses := 0
		for _, tr := range *got {
			if tr.Machine == "link" && tr.Port == "re0" && tr.To == "down" {
				losses++
			}
		}
		if n := strings.Count(logged.String(), `link: up -> down" agr=agr0 port=re0`); losses != shownPerSecond || n >= losses {
			t.Errorf("of %d losses of the link %d reached the reader and %d the log", shownPerSecond, losses, n)
		}
	})
}

// Whoever asks for the status does not make time run faster than the partner's
// frames, which wait behind an owner that was kept from its work.
func TestStatusExpiresNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, nil)
		defer near.stop()
		defer far.stop()
		near.must(near.SetOptions("agr0", set(ctl.OptTimeout, ctl.TimeoutFast)))
		pass(10 * time.Second)
		a, err := near.find("agr0")
		near.must(err)
		before := near.statusOf().Ports[0].Counters.StateChanges
		near.must(a.do(func() error {
			time.Sleep(5 * time.Second) // LACPDUs come meanwhile, one in a second
			if r := a.status().Ports[0].Receive; r != "CURRENT" {
				t.Errorf("receive is %s while LACPDUs wait", r)
			}
			return nil
		}))
		pass(5 * time.Second)
		if n := near.statusOf().Ports[0].Counters.StateChanges; n != before {
			t.Errorf("%d changes of the mux", n-before)
		}
	})
}
