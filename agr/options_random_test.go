package agr

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/state"
	"ifagr/netutil/rtnl"
)

// randomSettings is a request with some options, not all of them possible.
func randomSettings(r *rand.Rand) (all []ctl.Setting) {
	for range 1 + r.IntN(3) {
		s := ctl.Setting{Option: ctl.Option(1 + r.IntN(12)), A: r.Uint32N(4), B: r.Uint32N(4)}
		switch s.Option {
		case ctl.OptPortPrio:
			s.Port, s.B = []string{"re0", "re1"}[r.IntN(2)], 0
		case ctl.OptMACPolicy:
			s.B = 0
			if s.A == ctl.MACFixed {
				s.MAC = macFix
			}
		case ctl.OptMinLinks, ctl.OptFallback, ctl.OptWaitRestore:
		default:
			s.B = 0
		}
		all = append(all, s)
	}
	return all
}

// defaults is a request for everything as it is at first.
func defaults() (all []ctl.Setting) {
	for o, a := range map[ctl.Option]uint32{
		ctl.OptMode: ctl.ModeActive, ctl.OptTimeout: ctl.TimeoutSlow, ctl.OptSystemPrio: state.DefaultPriority, ctl.OptKey: 0,
		ctl.OptFallback: ctl.FallbackAll, ctl.OptMinLinks: 1, ctl.OptMaxPorts: 0, ctl.OptHash: ctl.HashL3, ctl.OptMACPolicy: ctl.MACFirst,
		ctl.OptCoupled: ctl.ControlIndependent, ctl.OptWaitRestore: 0,
	} {
		all = append(all, ctl.Setting{Option: o, A: a})
	}
	for _, p := range []string{"re0", "re1"} {
		all = append(all, ctl.Setting{Option: ctl.OptPortPrio, Port: p, A: state.DefaultPriority})
	}
	return all
}

// explained fails the test unless each port either distributes or says why not, and
// a program is in force that agrees.
func (w *world) explained(seed uint64, step int) {
	w.t.Helper()
	st := w.statusOf()
	for _, p := range st.Ports {
		if on := p.Flags&ctl.PortDistributing != 0; on != (p.Reason == "") {
			w.t.Errorf("seed %d, step %d: %s %s %s distributes %v, reason %q", seed, step, p.Name, p.Mux, p.Selected, on, p.Reason)
		}
	}
	carrier := false
	for _, p := range st.Ports {
		carrier = carrier || p.Flags&ctl.PortDistributing != 0
	}
	if st.Carrier != carrier {
		w.t.Errorf("seed %d, step %d: carrier %v", seed, step, st.Carrier)
	}
}

// Options change at both ends at any time and in any state, while links and flags
// change as well. Each port that does not distribute says why; and when all is as it
// was at first, so is what the ports do.
func TestOptionsInAnyState(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			near, far := pair(t, nil)
			defer near.stop()
			defer far.stop()
			for step := range 60 {
				w := []*world{near, far}[r.IntN(2)]
				index := 10 + r.IntN(2)
				switch r.IntN(8) {
				case 0, 1, 2, 3:
					w.SetOptions("agr0", randomSettings(r)) // some are refused
				case 4:
					on := r.IntN(2) == 0
					w.fake.edit(index, func(l *rtnl.Link) { l.Carrier = on })
					w.look()
				case 5:
					w.fake.edit(index, func(l *rtnl.Link) { l.Carrier = !l.Carrier })
					w.look()
				case 6:
					flag := []ctl.LinkFlags{ctl.Link0, ctl.Link1}[r.IntN(2)]
					w.must(w.SetFlags("agr0", flag*ctl.LinkFlags(r.IntN(2)), flag))
				case 7:
				}
				pass([]time.Duration{0, time.Millisecond, 100 * time.Millisecond, time.Second, 4 * time.Second, 100 * time.Second}[r.IntN(6)])
				near.explained(seed, step)
				far.explained(seed, step)
			}
			for _, w := range []*world{near, far} {
				for _, index := range []int{10, 11} {
					w.fake.edit(index, func(l *rtnl.Link) { l.Carrier = true })
				}
				w.look()
				w.must(w.SetFlags("agr0", 0, ctl.Link0|ctl.Link1))
				w.must(w.SetOptions("agr0", defaults()))
			}
			pass(5 * time.Minute)
			for _, w := range []*world{near, far} {
				if got := w.distributing(); got != "re0 re1" {
					t.Errorf("seed %d: in the end %q distribute: %+v", seed, got, w.statusOf().Ports)
				}
				if got := brief(w.device().Current()); got != "l3 [1 2] 128 128 0" {
					t.Errorf("seed %d: in the end the program is %s", seed, got)
				}
			}
		})
		if t.Failed() {
			return
		}
	}
}
