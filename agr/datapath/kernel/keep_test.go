package kernel_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/datapath"
	"ifagr/netutil/ether"
	"ifagr/netutil/hook"
	"ifagr/netutil/nettest"
)

// saying is a LACPDU of port 1 of one system to port 1 of another, both in use.
func saying(actor, partner byte) []byte {
	end := func(kind, system byte) []byte {
		return []byte{kind, 20, 0x80, 0, 0x02, 0, 0, 0, 0, system, 4, 17, 0x80, 0, 0, 1, 0x3f, 0, 0, 0}
	}
	f := slices.Concat(ether.SlowProtocols[:], []byte{0x02, 0xaa, 0, 0, 0, actor, 0x88, 0x09, 1, 1},
		end(1, actor), end(2, partner), []byte{3, 16})
	return append(f, make([]byte, 124-len(f))...)
}

// keepOfA is what a daemon keeps of port 1 to which b speaks.
func keepOfA() datapath.Keep {
	return datapath.Keep{
		LACPDU: saying('a', 'b'), Late: 1500 * time.Millisecond, Old: 3500 * time.Millisecond, Grace: time.Minute, Need: 0x18,
	}
}

// asked sends a LACPDU of b to a until it is answered.
func asked(t *testing.T, a, b *side) {
	t.Helper()
	in := b.tap("re0")
	answers := nettest.Sniff(t, b.NS, "re0", func(f nettest.Frame) bool {
		return !f.Out && slices.Equal(f.Data[:ether.AddrLen], ether.SlowProtocols[:])
	})
	nettest.Eventually(t, 10*time.Second, func() error {
		transmit(t, in, saying('b', 'a'))
		if n := len(answers.Frames()); n == 0 {
			return errors.New("no answer")
		}
		return nil
	})
	if diff := cmp.Diff(saying('a', 'b'), answers.Frames()[0].Data); diff != "" {
		t.Errorf("answered -want +got\n%s", diff)
	}
	answers.Close()
}

// TestKept: what a process says is said for it after its end, and a successor
// learns what happened meanwhile. The port's own sockets get what was answered.
func TestKept(t *testing.T) {
	each(t, func(t *testing.T, kind hook.Kind) {
		a, b := pair(t, kind)
		if err := a.dev.Keep(1, keepOfA()); err != nil {
			t.Fatal(err)
		}
		a.dev.Alive()
		a.dev.Sent(1)
		if got := a.dev.Kept(1); got != (datapath.Kept{}) {
			t.Errorf("before: %+v", got)
		}
		if err := a.stop(false); err != nil {
			t.Fatal(err)
		}
		listener := nettest.Sniff(t, a.NS, "re0", func(f nettest.Frame) bool { return !f.Out && f.Data[12] == 0x88 && f.Data[13] == 0x09 })
		asked(t, a, b)
		for _, f := range listener.Frames() {
			if diff := cmp.Diff(saying('b', 'a'), f.Data); diff != "" {
				t.Fatalf("the port got -want +got\n%s", diff)
			}
		}
		a.start()
		got := a.dev.Kept(1)
		if got.Answered == 0 || got.State != 0x3f || !got.Together || got.Stopped || time.Since(got.Heard) > time.Minute || time.Since(got.Heard) < 0 {
			t.Errorf("successor: %+v", got)
		}
		if got := a.dev.Kept(2); got != (datapath.Kept{}) {
			t.Errorf("of a port that nobody kept: %+v", got)
		}
		asked(t, a, b) // nobody has said otherwise
		if err := a.dev.Keep(1, datapath.Keep{}); err != nil {
			t.Fatal(err)
		}
	})
}

// TestKeptHushed: what was heard before somebody began to speak is not news to him, and
// of what came while nobody spoke nothing is known. A partner that is not in sync any
// more is.
func TestKeptHushed(t *testing.T) {
	a, b := pair(t, hook.TCX)
	in := b.tap("re0")
	hears := func(state byte) {
		t.Helper()
		pdu := saying('b', 'a')
		pdu[partnerSays] = state
		transmit(t, in, pdu)
		nettest.Eventually(t, 5*time.Second, func() error {
			if got := a.dev.Kept(1); got.Heard.IsZero() || got.State != state {
				return fmt.Errorf("%+v", got)
			}
			return nil
		})
	}
	for range 2 {
		if err := a.dev.Keep(1, keepOfA()); err != nil {
			t.Fatal(err)
		}
		if got := a.dev.Kept(1); got != (datapath.Kept{}) {
			t.Errorf("begun: %+v", got)
		}
		hears(0x3f)
		if got := a.dev.Kept(1); got.Stopped || got.Since.IsZero() || got.Heard.Before(got.Since) {
			t.Errorf("heard: %+v", got)
		}
		hears(0x37)
		if got := a.dev.Kept(1); !got.Stopped {
			t.Errorf("out of sync: %+v", got)
		}
		other := keepOfA()
		other.Grace++ // not the same any more
		other.Late++
		if err := a.dev.Keep(1, other); err != nil {
			t.Fatal(err)
		}
		if got := a.dev.Kept(1); got.Since.IsZero() || got != (datapath.Kept{Since: got.Since}) {
			t.Errorf("something else is kept: %+v", got)
		}
		hears(0x3f)
		if err := a.dev.Keep(1, datapath.Keep{}); err != nil {
			t.Fatal(err)
		}
		if got := a.dev.Kept(1); got != (datapath.Kept{}) {
			t.Errorf("nothing is kept: %+v", got)
		}
	}
}

// partnerSays is where in a LACPDU its sender's state is.
const partnerSays = 32

// TestKeptEnds: a port that leaves takes with it what was said on it, and one that
// comes has heard nothing.
func TestKeptEnds(t *testing.T) {
	a, b := pair(t, hook.TCX)
	if err := a.dev.Keep(1, keepOfA()); err != nil {
		t.Fatal(err)
	}
	asks := func() bool {
		return strings.Contains(a.Output("ip", "maddr", "show", "dev", "re0"), "01:80:c2:00:00:02 static")
	}
	if !asks() {
		t.Error("the port does not let LACPDUs in by itself")
	}
	transmit(t, b.tap("re0"), saying('b', 'a'))
	nettest.Eventually(t, 5*time.Second, func() error {
		if got := a.dev.Kept(1); got.Heard.IsZero() {
			return fmt.Errorf("%+v", got)
		}
		return nil
	})
	a.Do(func() {
		if err := a.dev.RemovePort(1); err != nil {
			t.Fatal(err)
		}
		if asks() {
			t.Error("the port still lets LACPDUs in")
		}
		if got := a.dev.Kept(1); got != (datapath.Kept{}) {
			t.Errorf("without a port: %+v", got)
		}
		if err := a.dev.Keep(1, keepOfA()); !errors.Is(err, datapath.ErrNoPort) {
			t.Errorf("%v, want ErrNoPort", err)
		}
		if err := a.dev.AddPort(a.ports[0]); err != nil {
			t.Fatal(err)
		}
		if got := a.dev.Kept(1); got != (datapath.Kept{}) {
			t.Errorf("a new one: %+v", got)
		}
		bad := keepOfA()
		bad.LACPDU = bad.LACPDU[1:]
		if err := a.dev.Keep(1, bad); err == nil {
			t.Error("123 octets are no LACPDU")
		}
	})
}
