package agr

import (
	"testing"
	"testing/synctest"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/datapath"
	"ifagr/agr/slow"
)

// keeping is a pair of which the near end's datapath could speak for it, if it is
// allowed to for so long.
func keeping(t *testing.T, grace time.Duration) (near, far *world) {
	t.Helper()
	near, far = pair(t, nil)
	near.device().SetInfo(datapath.Info{Kind: "fake", Keeps: true})
	near.must(near.do("agr0", func(a *aggregate) error { a.grace = grace; return nil }))
	for _, w := range []*world{near, far} {
		w.must(w.SetOptions("agr0", set(ctl.OptTimeout, ctl.TimeoutFast)))
	}
	pass(5 * time.Second)
	return near, far
}

// do runs f in the owner of an aggregate.
func (w *world) do(name string, f func(a *aggregate) error) error {
	w.mu.Lock()
	a := w.aggs[name]
	w.mu.Unlock()
	return a.do(func() error { return f(a) })
}

// What is kept of a port is what it has said and heard.
func TestKeepIsWhatWasSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := keeping(t, time.Minute)
		defer far.stop()
		defer near.stop()
		for _, p := range near.statusOf().Ports {
			k := near.device().LastKeep(p.Number)
			frames := near.fake.slow(p.Index).frames()
			if d := diff(frames[len(frames)-1], k.LACPDU); d != "" {
				t.Errorf("%s: not what it said last (-want +got):\n%s", p.Name, d)
			}
			pdu, err := slow.ParseLACPDU(k.LACPDU)
			if err != nil || lacpEnd(pdu.Actor) != p.Actor || lacpEnd(pdu.Partner) != p.Partner {
				t.Errorf("%s: %+v, %v", p.Name, pdu, err)
			}
			want := datapath.Keep{
				LACPDU: k.LACPDU, Late: 1500 * time.Millisecond, Old: 3500 * time.Millisecond, Grace: time.Minute,
				Need: uint8(slow.Aggregation | slow.Synchronization | slow.Collecting),
			}
			if d := diff(want, k); d != "" {
				t.Errorf("%s (-want +got):\n%s", p.Name, d)
			}
			if !p.Keepalive || p.KeepaliveWhy != "" {
				t.Errorf("%s: not covered: %s", p.Name, p.KeepaliveWhy)
			}
		}
	})
}

// A partner that sends every 30 s has more patience with us, and needs longer.
func TestKeepOfPatientPartner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := keeping(t, time.Minute)
		defer far.stop()
		defer near.stop()
		for _, w := range []*world{near, far} {
			w.must(w.SetOptions("agr0", set(ctl.OptTimeout, ctl.TimeoutSlow)))
		}
		near.must(near.SetOptions("agr0", set(ctl.OptCoupled, ctl.ControlCoupled)))
		pass(5 * time.Second)
		k := near.device().LastKeep(1)
		want := datapath.Keep{
			LACPDU: k.LACPDU, Late: 45 * time.Second, Old: 90 * time.Second, Grace: time.Minute,
			Need: uint8(slow.Aggregation | slow.Synchronization),
		}
		if d := diff(want, k); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if p := near.statusOf().Ports[0]; !p.Keepalive {
			t.Errorf("not covered: %s", p.KeepaliveWhy)
		}
	})
}

// A port is covered, or is not for a reason.
func TestUncovered(t *testing.T) {
	for name, tt := range map[string]struct {
		grace  time.Duration
		change func(near, far *world)
		want   string
		kept   bool
	}{
		"covered": {time.Minute, func(_, _ *world) {}, "", true},
		"off":     {0, func(_, _ *world) {}, keepaliveOff, false},
		"user datapath": {time.Minute, func(near, _ *world) {
			near.device().SetInfo(datapath.Info{Kind: "user"})
		}, noDatapath, true},
		"asked for slow LACPDUs, wants fast ones": {time.Minute, func(near, _ *world) {
			near.must(near.SetOptions("agr0", set(ctl.OptTimeout, ctl.TimeoutSlow)))
			pass(35 * time.Second)
		}, partnerSlow, true},
		"static": {time.Minute, func(near, _ *world) {
			near.must(near.SetFlags("agr0", ctl.Link1, 0))
		}, noPartner, false},
		"silent": {time.Minute, func(_, far *world) {
			far.stop()
			pass(10 * time.Second)
		}, noPartner, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := keeping(t, tt.grace)
				stopped := name == "silent"
				if !stopped {
					defer far.stop()
				}
				defer near.stop()
				tt.change(near, far)
				pass(time.Second)
				if p := near.statusOf().Ports[0]; p.KeepaliveWhy != tt.want || p.Keepalive != (tt.want == "") {
					t.Errorf("covered %v, %q; want %q", p.Keepalive, p.KeepaliveWhy, tt.want)
				}
				if got := len(near.device().LastKeep(1).LACPDU) > 0; got != tt.kept {
					t.Errorf("kept: %v, want %v", got, tt.kept)
				}
			})
		})
	}
}

// The owner gives a sign of life at least every AliveEvery, also when nothing
// happens, and none when nobody asks.
func TestSignsOfLife(t *testing.T) {
	for _, grace := range []time.Duration{0, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			near, far := keeping(t, grace)
			defer far.stop()
			defer near.stop()
			before := near.device().Signs()
			pass(10 * time.Second)
			got := near.device().Signs() - before
			if least := int(10 * time.Second / datapath.AliveEvery); grace > 0 && got < least || grace == 0 && got != 0 {
				t.Errorf("grace %v: %d signs in 10 s", grace, got)
			}
		})
	}
}

// An owner that was stopped for longer than its partner's LACPDUs are good for
// reads those that wait at its sockets before its timers count.
func TestCatchUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := keeping(t, time.Minute)
		defer far.stop()
		defer near.stop()
		far.must(far.SetOptions("agr0", set(ctl.OptTimeout, ctl.TimeoutSlow))) // it is patient
		pass(5 * time.Second)
		before := len(near.statusOf().Ports[0].History)
		waiting := make(map[int]chan []byte)
		for _, index := range []int{10, 11} {
			frames := make(chan []byte, 100)
			waiting[index] = frames
			far.fake.slow(index).join(near.fake.slow(index), func(f []byte) bool { frames <- f; return false })
		}
		wake, stopped := make(chan struct{}), make(chan error)
		go func() { stopped <- near.do("agr0", func(*aggregate) error { <-wake; return nil }) }()
		pass(10 * time.Second)
		for i, index := range []int{10, 11} {
			near.device().SetKept(uint16(i+1), datapath.Kept{Heard: time.Now()})
			far.fake.slow(index).join(near.fake.slow(index), nil)
		}
		close(wake)
		pass(catchUpWait / 2)
		for index, frames := range waiting {
			for len(frames) > 0 {
				near.fake.slow(index).in <- <-frames
			}
		}
		near.must(<-stopped)
		pass(time.Second)
		p := near.statusOf().Ports[0]
		if len(p.History) != before || near.distributing() != "re0 re1" {
			t.Errorf("it has lost its partner: %+v", p.History[before:])
		}
	})
}
