package lacp_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// option is a change of the configuration.
type option struct {
	name   string
	change func(*lacp.Config)
	// seen by the partner in what selection depends on: the ports select anew.
	reselects bool
}

func options() []option {
	return []option{
		{"nothing", func(*lacp.Config) {}, false},
		{"passive", func(c *lacp.Config) { c.Passive = true }, false},
		{"short timeout", func(c *lacp.Config) { c.ShortTimeout = true }, false},
		{"long timeout", func(c *lacp.Config) { c.ShortTimeout = false }, false},
		{"coupled", func(c *lacp.Config) { c.Coupled = true }, false},
		{"min-links", func(c *lacp.Config) { c.MinLinks = lacp.MinLinks{Up: 2, Down: 1} }, false},
		{"max-ports", func(c *lacp.Config) { c.MaxPorts = 2 }, false},
		{"fallback single", func(c *lacp.Config) { c.Fallback = lacp.FallbackSingle }, false},
		{"fallback none", func(c *lacp.Config) { c.Fallback = lacp.FallbackNone }, false},
		{"fallback after", func(c *lacp.Config) { c.FallbackAfter = time.Minute }, false},
		{"wait to restore", func(c *lacp.Config) { c.WaitToRestore = lacp.WaitToRestore{Min: time.Minute} }, false},
		{"system", func(c *lacp.Config) { c.System = otherSystem }, true},
		{"system priority", func(c *lacp.Config) { c.System.Priority = 1 }, true},
		{"key", func(c *lacp.Config) { c.Key = 99 }, true},
		{"key base", func(c *lacp.Config) { c.KeyBase = 99 }, true},
	}
}

// A change that selection does not depend on stops no port that distributes and is
// told in one LACPDU; any other goes the standard's way (6.4.9, 6.4.15): one LACPDU
// without Synchronization, and attached again after the wait.
func TestConfigure_6_4_15_LeastDisturbance(t *testing.T) {
	for _, o := range options() {
		t.Run(o.name, func(t *testing.T) {
			cfg := lacp.Config{System: ownSystem, ShortTimeout: true}
			b := newBench(t, cfg, gigabit, gigabit)
			both := []uint16{1, 2}
			b.talk(4*time.Second, both)
			b.wait(time.Second)
			b.forget()
			o.change(&cfg)
			b.step(lacp.Configure{Config: cfg})
			if len(b.sent) != len(both) {
				t.Errorf("%d LACPDUs, want %d", len(b.sent), len(both))
			}
			for _, s := range b.sent {
				if got := s.PDU.Actor.State.Has(slow.Synchronization); got == o.reselects {
					t.Errorf("port %d says %v", s.Port, s.PDU.Actor.State)
				}
			}
			if want := o.reselects; (len(b.mux) > 0) != want {
				t.Errorf("stops: %v, want %v", b.mux, want)
			}
			b.forget()
			b.talk(4*time.Second, both)
			b.carries(1, 2)
			want := map[bool][]string{true: {"WAITING>ATTACHED", "ATTACHED>COLLECTING", "COLLECTING>DISTRIBUTING"}}[o.reselects]
			if d := cmp.Diff(want, b.machine(1, "mux")); d != "" {
				t.Error(d)
			}
		})
	}
}

// Every option may change in every state, back and forth, and afterwards the ports
// distribute as if nothing had been.
func TestConfigure_AnyState(t *testing.T) {
	states := []struct {
		name string
		into func(*bench) // port 1
	}{
		{"no link", func(b *bench) { b.step(lacp.LinkChange{Number: 1}) }},
		{"expired", func(*bench) {}},
		{"defaulted", func(b *bench) { b.wait(10 * time.Second) }},
		{"half duplex", func(b *bench) {
			b.step(lacp.LinkChange{Number: 1, Link: lacp.Link{Up: true, Speed: 1000, HalfDuplex: true}})
		}},
		{"waiting", func(b *bench) { b.hear(1); b.wait(time.Second) }},
		{"attached", func(b *bench) { b.talk(3*time.Second, []uint16{1}, refuse) }},
		{"collecting", func(b *bench) { b.talk(3*time.Second, []uint16{1}, partnerState(inSync)) }},
		{"distributing", func(b *bench) { b.talk(3*time.Second, []uint16{1, 2}) }},
		{"standby", func(b *bench) { b.hear(2); b.talk(3*time.Second, []uint16{1}, partnerKey(9)) }},
		{"loopback", func(b *bench) { b.hear(1, partnerSystem(ownSystem)) }},
		{"silent", func(b *bench) { b.hear(1); b.wait(lacp.LongTimeoutTime + time.Second) }},
	}
	for _, o := range options() {
		for _, s := range states {
			t.Run(o.name+" in "+s.name, func(t *testing.T) {
				cfg := lacp.Config{System: ownSystem}
				b := newBench(t, cfg, gigabit, gigabit)
				s.into(b)
				changed := cfg
				o.change(&changed)
				b.step(lacp.Configure{Config: changed})
				b.wait(time.Second)
				b.step(lacp.Configure{Config: cfg})
				b.step(lacp.Configure{Config: changed})
				b.step(lacp.LinkChange{Number: 1, Link: gigabit})
				b.talk(20*time.Second, []uint16{1, 2})
				if changed.WaitToRestore.Min == 0 || s.name != "no link" {
					b.carries(1, 2)
				}
			})
		}
	}
}

// A partner that is not asked for fast LACPDUs any more sends the next one when it
// likes, and the port does not expire before.
func TestConfigure_6_4_12_LongerTimeout(t *testing.T) {
	b := newBench(t, lacp.Config{ShortTimeout: true}, gigabit)
	b.talk(4*time.Second, []uint16{1})
	b.hear(1)
	b.wait(2 * time.Second)
	heard := time.Duration(b.now) - 2*time.Second
	b.step(lacp.Configure{Config: lacp.Config{System: ownSystem}})
	b.wait(heard + lacp.LongTimeoutTime - time.Duration(b.now) - 1)
	b.carries(1)
	b.wait(1)
	b.carries()
}

// The partner sees the priority of a port: it selects anew. The same one again
// changes nothing.
func TestPortPriority_6_4_9(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit, gigabit)
	both := []uint16{1, 2}
	b.talk(4*time.Second, both)
	b.forget()
	b.step(lacp.PortPriority{Number: 1, Priority: 0x80})
	b.step(lacp.PortPriority{Number: 9, Priority: 1})
	if len(b.sent)+len(b.log) != 0 {
		t.Errorf("the same: %v, %v", b.sent, b.log)
	}
	b.step(lacp.PortPriority{Number: 1, Priority: 5})
	p := b.last(1).Actor
	if p.Priority != 5 || p.State.Has(slow.Synchronization) || len(b.sent) != 1 {
		t.Errorf("%d LACPDUs, the last one says %+v", len(b.sent), p)
	}
	b.wants(1, "WAITING")
	b.wants(2, "DISTRIBUTING")
	b.talk(4*time.Second, both)
	b.carries(1, 2)
	b.step(lacp.Leave{})
	b.forget()
	b.step(lacp.PortPriority{Number: 1, Priority: 6})
	if len(b.sent) != 0 {
		t.Errorf("after Leave: %v", b.sent)
	}
}

// S4: two of our ports on one cable name each other, a port that hears itself says so.
func TestSelect_6_4_14_LoopbackReason(t *testing.T) {
	b := newBench(t, lacp.Config{}, gigabit, gigabit)
	tests := []struct {
		from uint16
		want string
	}{
		{1, "loopback: the port hears itself"},
		{2, "loopback: the far end is our port p2"},
		{7, "loopback: the far end is this system"},
	}
	for _, tt := range tests {
		b.hear(1, partnerSystem(ownSystem), func(p *slow.LACPDU) { p.Actor.Port = tt.from })
		if got := b.port(1).Reason; got != tt.want {
			t.Errorf("from port %d: %q, want %q", tt.from, got, tt.want)
		}
	}
}
