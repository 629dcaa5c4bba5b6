package agr

import (
	"testing"
	"testing/synctest"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/lacp"
	"ifagr/agr/slow"
	"ifagr/netutil/ether"
	"ifagr/netutil/pkt"
	"ifagr/netutil/rtnl"
)

// stranger is a LACPDU of another system, which has seen nobody.
func stranger(n byte) []byte {
	return slow.AppendLACPDU(nil, ether.Addr{2, 0xee, 0, 0, 0, n}, slow.LACPDU{
		Version: 1,
		Actor: slow.PortInfo{
			System: slow.System{Priority: 1, Addr: ether.Addr{2, 0xee, 0, 0, 0, n}}, Key: 7, Port: 1,
			State: slow.Activity | slow.Aggregation | slow.Synchronization | slow.Collecting | slow.Distributing,
		},
	})
}

// forge sends a port strangers' LACPDUs for some time.
func (w *world) forge(index int, every, d time.Duration) {
	conn := w.fake.slow(index)
	for n := byte(0); d > 0; n++ {
		conn.in <- stranger(n)
		pass(every)
		d -= every
	}
}

// Strangers who speak on the cable of a partner that goes on to speak disturb it for
// a few seconds, and then no more.
func TestStrangersStarveNobody(t *testing.T) {
	tests := []struct {
		name    string
		every   time.Duration
		timeout uint32
	}{
		{"a flood, fast partner", 20 * time.Millisecond, ctl.TimeoutFast},
		{"a flood, slow partner", 20 * time.Millisecond, ctl.TimeoutSlow},
		{"one a second, fast partner", time.Second, ctl.TimeoutFast},
		{"one a second, slow partner", time.Second, ctl.TimeoutSlow},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := pair(t, nil)
				defer near.stop()
				defer far.stop()
				near.must(near.SetOptions("agr0", set(ctl.OptTimeout, tt.timeout)))
				pass(40 * time.Second)
				near.forge(10, tt.every, 20*time.Second)
				before := near.statusOf().Ports[0]
				near.forge(10, tt.every, 5*time.Minute)
				after := near.statusOf().Ports[0]
				if after.Flags&ctl.PortDistributing == 0 || after.Counters.StateChanges != before.Counters.StateChanges {
					t.Errorf("%d changes of the mux while strangers speak, mux %s, %s",
						after.Counters.StateChanges-before.Counters.StateChanges, after.Mux, after.Reason)
				}
				if after.Counters.LACPStrangers <= before.Counters.LACPStrangers {
					t.Error("strangers are not counted")
				}
				if got := far.distributing(); got != "re0 re1" {
					t.Errorf("at the far end %q distribute", got)
				}
			})
		})
	}
}

// Another partner takes the place of one that has gone as soon as the standard has
// it: at once, and where strangers had to be ignored when the old one has expired.
func TestNewPartnerIsTaken(t *testing.T) {
	tests := []struct {
		name string
		do   func(near, far *world)
		wait time.Duration
	}{
		{"in place of one that was alone", func(near, far *world) {}, 0},
		{"behind strangers", func(near, far *world) { near.forge(10, time.Second, 20*time.Second) }, lacp.ShortTimeoutTime + time.Second},
		{"behind strangers and another cable", func(near, far *world) {
			near.forge(10, time.Second, 20*time.Second)
			for _, on := range []bool{false, true} {
				near.fake.edit(10, func(l *rtnl.Link) { l.Carrier = on })
				near.look()
			}
		}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := pair(t, nil)
				near.must(near.SetOptions("agr0", set(ctl.OptTimeout, ctl.TimeoutFast)))
				pass(40 * time.Second)
				tt.do(near, far)
				far.fake.slow(10).join(&fakeSlow{in: make(chan []byte, 1<<16)}, nil) // it is not heard any more
				pass(tt.wait)
				near.fake.slow(10).in <- stranger(9)
				synctest.Wait()
				if got := near.statusOf().Ports[0].Partner.System; got != (ether.Addr{2, 0xee, 0, 0, 0, 9}) {
					t.Errorf("the partner is %s", got)
				}
				near.stop()
				far.stop()
			})
		})
	}
}

// What this system itself has sent is a loop, whoever else speaks.
func TestLoopIsNoStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, nil)
		defer near.stop()
		defer far.stop()
		near.forge(10, time.Second, 20*time.Second)
		before := near.statusOf().Ports[0].Counters
		near.fake.slow(10).in <- near.fake.slow(11).frames()[0]
		near.fake.slow(10).in <- stranger(1)
		synctest.Wait()
		after := near.statusOf().Ports[0].Counters
		if after.StateChanges == before.StateChanges || after.LACPStrangers != before.LACPStrangers+1 {
			t.Errorf("after a frame of its own and one of a stranger: %+v, before %+v", after, before)
		}
	})
}

// In a flood the kernel sifts what comes, for a second at a time, and lets the known
// partner pass.
func TestFloodIsSifted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, nil)
		defer near.stop()
		defer far.stop()
		conn := near.fake.slow(10)
		sifts := func() (now bool, calls []*pkt.Speaker) {
			conn.mu.Lock()
			defer conn.mu.Unlock()
			return conn.sifts, conn.sifted
		}
		near.forge(10, 10*time.Millisecond, 3*time.Second) // 100 in a second
		if on, calls := sifts(); on || len(calls) != 0 {
			t.Errorf("that is no flood: %v", calls)
		}
		near.forge(10, time.Millisecond, 200*time.Millisecond)
		partner := near.statusOf().Ports[1].Partner
		want := []*pkt.Speaker{{Priority: partner.SystemPriority, System: partner.System, Port: 1}}
		on, calls := sifts()
		if d := diff(want, calls); !on || d != "" {
			t.Errorf("in a flood (-want +got):\n%s", d)
		}
		pass(siftFor)
		if on, _ := sifts(); on {
			t.Error("the flood is over")
		}
	})
}
