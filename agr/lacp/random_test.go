package lacp_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// FuzzSystem feeds a System with whatever may happen to it, in any order. The
// input is a seed, and how many events come.
//
// Whatever happens, what lacptest.Watch checks holds, and evaluation ends.
func FuzzSystem(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, uint16(300))
	}
	f.Fuzz(func(t *testing.T, seed uint64, events uint16) {
		r := &rambler{bench: newBench(t, lacp.Config{}), rand: rand.New(rand.NewPCG(seed, 1))}
		for range events % 2000 {
			e := r.event()
			r.step(e)
			r.check(e)
			r.wait(time.Duration(r.rand.ExpFloat64() * float64(time.Second)))
			r.check(nil)
		}
	})
}

// rambler is a bench with a random life.
type rambler struct {
	*bench
	rand *rand.Rand
}

// event makes up something that may happen.
func (r *rambler) event() lacp.Event {
	number := uint16(r.rand.IntN(5))
	switch n := r.rand.IntN(100); {
	case n < 15:
		return lacp.AddPort{Number: number, Link: r.link()}
	case n < 20:
		return lacp.RemovePort{Number: number, Farewell: n%2 == 0}
	case n < 35:
		return lacp.LinkChange{Number: number, Link: r.link()}
	case n < 37:
		return lacp.NotSent{Number: number}
	case n < 40:
		return lacp.Configure{Config: r.config()}
	case n < 43:
		return lacp.PortPriority{Number: number, Priority: uint16(r.rand.IntN(3))}
	default:
		return lacp.Received{Number: number, PDU: r.lacpdu(number)}
	}
}

// config is any configuration.
func (r *rambler) config() lacp.Config {
	cfg := lacp.Config{
		System: ownSystem, Passive: r.one(3), ShortTimeout: r.one(2), Static: r.one(6), Coupled: r.one(3),
		KeyBase: uint16(r.rand.IntN(2)), Key: uint16(r.rand.IntN(2)),
		MaxPorts: r.rand.IntN(4), Fallback: lacp.Fallback(r.rand.IntN(3)),
		FallbackAfter: time.Duration(r.rand.IntN(3)) * time.Second,
		MinLinks:      lacp.MinLinks{Up: r.rand.IntN(4)},
	}
	cfg.System.Priority += uint16(r.rand.IntN(2))
	cfg.MinLinks.Down = r.rand.IntN(cfg.MinLinks.Up + 1)
	if r.one(2) {
		cfg.WaitToRestore = lacp.WaitToRestore{Min: 2 * time.Second, Max: time.Duration(r.rand.IntN(10)) * time.Second}
	}
	return cfg
}

func (r *rambler) one(in int) bool { return r.rand.IntN(in) == 0 }

func (r *rambler) link() lacp.Link {
	return lacp.Link{Up: !r.one(4), Speed: uint64(r.rand.IntN(3)) * 500, HalfDuplex: r.one(8)}
}

// lacpdu is mostly what a partner would say, and sometimes anything.
func (r *rambler) lacpdu(number uint16) slow.LACPDU {
	partners := []slow.System{farSystem, farSystem, otherSystem, ownSystem, {}}
	p := slow.LACPDU{Actor: slow.PortInfo{
		System: partners[r.rand.IntN(len(partners))], Key: uint16(r.rand.IntN(2)),
		Priority: uint16(r.rand.IntN(2)), Port: uint16(r.rand.IntN(5)), State: willing,
	}}
	for _, s := range r.sys.Status().Ports {
		if s.Number == number {
			p.Partner = s.Actor
		}
	}
	if r.one(4) {
		p.Actor.State = slow.State(r.rand.IntN(256))
		p.Partner.State = slow.State(r.rand.IntN(256))
	}
	return p
}

// check fails if something holds that never may.
func (r *rambler) check(e lacp.Event) {
	if gone, ok := e.(lacp.RemovePort); ok {
		r.watch.Forget(gone.Number)
	}
	if r.err != nil {
		r.t.Fatalf("after %+v: %v", e, r.err)
	}
}

// FuzzEvents is FuzzSystem with a life that is written down: each octet decides
// something, so that a life can be changed a little and made shorter.
func FuzzEvents(f *testing.F) {
	for seed := range uint64(4) {
		life := make([]byte, 400)
		r := rand.New(rand.NewPCG(seed, 3))
		for i := range life {
			life[i] = byte(r.Uint32())
		}
		f.Add(life)
	}
	f.Fuzz(func(t *testing.T, life []byte) {
		tape := &tape{left: life[:min(len(life), 4000)]}
		r := &rambler{bench: newBench(t, lacp.Config{}), rand: rand.New(tape)}
		for len(tape.left) > 0 {
			e := r.event()
			r.step(e)
			r.check(e)
			r.wait(time.Duration(r.rand.IntN(256)) * time.Duration(r.rand.IntN(64)) * time.Millisecond)
			r.check(nil)
		}
	})
}

// tape is a source of random numbers that gives what is written on it. Each number
// read is another one, because some are refused and asked for again.
type tape struct {
	left []byte
	read uint64
}

// Uint64 is for math/rand/v2.
func (t *tape) Uint64() uint64 {
	t.read++
	b := byte(0)
	if len(t.left) > 0 {
		b, t.left = t.left[0], t.left[1:]
	}
	return uint64(b)<<24 | t.read*0x9e3779b97f4a7c15>>40
}
