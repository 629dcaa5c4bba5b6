package ifcfg_test

import (
	"testing"
	"time"

	"ifagr/ifcfg"
	"ifagr/ifcfg/kerneltest"
)

// waiting is a session with an address of these flags on an interface that is
// up.
func waiting(t *testing.T, linkUp bool, f ifcfg.AddrFlags) *bench {
	t.Helper()
	b := newBench(t)
	i := b.k.Named("re0")
	i.Flags |= ifcfg.FlagUp
	i.LinkUp = linkUp
	i.Addrs = []ifcfg.Addr{{IP: ip("fe80::1").IP, Mask: ifcfg.MaskOf(64, 128), Flags: f}}
	return b
}

func fired() <-chan time.Time {
	c := make(chan time.Time)
	close(c)
	return c
}

// ifconfig(8) -w: until nothing is tentative, or the time is over.
func TestWait(t *testing.T) {
	tests := []struct {
		name     string
		linkUp   bool
		flags    ifcfg.AddrFlags
		deadline <-chan time.Time
		links    <-chan time.Time
		want     string
	}{
		{name: "nothing is tentative", linkUp: true},
		{name: "too long", linkUp: true, flags: ifcfg.AddrTentative, deadline: fired(), want: "timed out"},
		{name: "a duplicate has been checked", linkUp: true, flags: ifcfg.AddrTentative | ifcfg.AddrDuplicated},
		{name: "without a link it would take for ever", flags: ifcfg.AddrTentative},
		{name: "-W waits for the link", flags: ifcfg.AddrTentative, deadline: fired(), links: make(chan time.Time), want: "timed out"},
		{name: "-W gives up before -w", flags: ifcfg.AddrTentative, links: fired()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := waiting(t, tt.linkUp, tt.flags).s.Wait(nil, tt.deadline, tt.links)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("error %q, want %q", got, tt.want)
			}
		})
	}
}

// looks is a kernel whose address is checked for some looks more.
type looks struct {
	ifcfg.Kernel
	k    *kerneltest.Kernel
	left int
}

func (l *looks) Addrs(index int) (map[int][]ifcfg.Addr, error) {
	if l.left--; l.left == 0 {
		l.k.Named("re0").Addrs[0].Flags = 0
	}
	return l.Kernel.Addrs(index)
}

// At each tick it looks again, and no more often.
func TestWaitTicks(t *testing.T) {
	b := waiting(t, true, ifcfg.AddrTentative)
	b.s.Kernel = &looks{Kernel: b.k, k: b.k, left: 3}
	ticks := make(chan time.Time, 5)
	for range cap(ticks) {
		ticks <- time.Time{}
	}
	if err := b.s.Wait(ticks, nil, nil); err != nil {
		t.Fatal(err)
	}
	if got := cap(ticks) - len(ticks); got != 2 {
		t.Errorf("%d ticks between three looks, want 2", got)
	}
}
