package kernel

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/datapath"
	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
)

// TestAnswer answers the partner with exactly what the daemon would have sent,
// whatever else was in its LACPDU, and the frame goes on as it came.
func TestAnswer(t *testing.T) {
	k := loadKeeping(t)
	far := nettest.Sniff(t, k.ns, "far-p1", fromSlow)
	asked := lacpdu(them, us)
	for i := atTail; i < len(asked); i++ {
		if i != atEnd && i != atEnd+1 {
			asked[i] = 0xee
		}
	}
	k.hear(asked)
	nettest.Eventually(t, 5*time.Second, func() error {
		if n := len(far.Frames()); n != 1 {
			return fmt.Errorf("%d frames", n)
		}
		return nil
	})
	if diff := cmp.Diff(lacpdu(us, them), far.Frames()[0].Data); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if h := k.heardAt(slot1); h.Answers != 1 || h.At == 0 || h.Stop != 0 || h.State != inUse|heardTogether {
		t.Errorf("noted: %+v", h)
	}
}

// TestAnswerEchoes: a partner that does not announce that it has begun to send is
// told that it does.
func TestAnswerEchoes(t *testing.T) {
	k := loadKeeping(t)
	quiet := them
	quiet.state &^= distributing
	said := keepUs()
	said.LACPDU = lacpdu(us, quiet)
	k.say(slot1, said)
	far := nettest.Sniff(t, k.ns, "far-p1", fromSlow)
	k.hear(lacpdu(them, us))
	want := [][]byte{lacpdu(us, them)}
	nettest.Eventually(t, 5*time.Second, func() error {
		if diff := cmp.Diff(want, framesOf(far)); diff != "" {
			return errors.New("-want +got\n" + diff)
		}
		return nil
	})
}

// fromSlow keeps the frames to the Slow_Protocols address that are received.
func fromSlow(f nettest.Frame) bool {
	return !f.Out && slices.Equal(f.Data[:ether.AddrLen], ether.SlowProtocols[:])
}

func framesOf(s *nettest.Sniffer) (all [][]byte) {
	for _, f := range s.Frames() {
		all = append(all, f.Data)
	}
	return all
}

// outcome is what a LACPDU leads to.
type outcome struct {
	known  bool // it was the partner's
	answer bool
	stop   bool // no more frames are sent there
}

func (h agrHeard) outcome() outcome { return outcome{h.At != 0, h.Answers != 0, h.Stop != 0} }

// TestDisagrees changes one thing of a LACPDU that would be answered: only what
// does not matter leaves it at that.
func TestDisagrees(t *testing.T) {
	k := loadKeeping(t)
	answered := outcome{known: true, answer: true}
	silent := outcome{known: true}
	stopped := outcome{known: true, stop: true}
	stranger := outcome{stop: true}
	none := outcome{}
	tests := []struct {
		name string
		at   int
		flip byte
		want outcome
	}{
		{"nothing", atVersion, 0, answered},
		{"source address", atSource, 2, answered},
		{"version", atVersion, 3, answered},
		{"CollectorMaxDelay", atCollector + 2, 1, answered},
		{"reserved of the Actor", atActor + inReserved, 1, answered},
		{"reserved of the Partner", atPartner + inReserved, 1, answered},
		{"our Collecting", atPartner + inState, collecting, answered},
		{"our Distributing", atPartner + inState, distributing, answered},
		{"our Defaulted", atPartner + inState, defaulted, answered},
		{"our Expired", atPartner + inState, expired, answered},

		{"another reserved group", 5, 1, none},
		{"subtype", atSubtype, 3, none},
		{"type of the Actor", atActor + inType, 3, silent},
		{"length of the Actor", atActor + inLength, 1, none},
		{"type of the Partner", atPartner + inType, 3, silent},
		{"length of the Partner", atPartner + inLength, 1, none},
		{"type of the Collector", atCollector, 1, silent},
		{"length of the Collector", atCollector + 1, 1, none},
		{"type of the terminator", atEnd, 1, silent},
		{"length of the terminator", atEnd + 1, 1, silent},

		{"another system's priority", atActor + inSystemPriority, 0x40, stranger},
		{"another system", atActor + inSystem + 5, 1, stranger},
		{"another vendor's system", atActor + inSystem, 4, stranger},
		{"another key", atActor + inKey + 1, 1, stranger},
		{"another port priority", atActor + inPortPriority, 1, stranger},
		{"another port", atActor + inPort + 1, 1, stranger},

		{"passive", atActor + inState, activity, silent},
		{"long timeout", atActor + inState, timeout, silent},
		{"individual", atActor + inState, aggregation, silent},
		{"out of sync", atActor + inState, synchronization, stopped},
		{"not collecting", atActor + inState, collecting, stopped},
		{"not distributing", atActor + inState, distributing, answered},
		{"defaulted", atActor + inState, defaulted, silent},
		{"expired", atActor + inState, expired, silent},

		{"our system's priority", atPartner + inSystemPriority, 0x40, stopped},
		{"our system", atPartner + inSystem + 5, 2, stopped},
		{"our key", atPartner + inKey, 4, stopped},
		{"our port priority", atPartner + inPortPriority, 1, stopped},
		{"our port", atPartner + inPort, 1, stopped},
		{"our Activity", atPartner + inState, activity, silent},
		{"our Timeout", atPartner + inState, timeout, silent},
		{"our Aggregation", atPartner + inState, aggregation, stopped},
		{"our Synchronization", atPartner + inState, synchronization, silent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k.fresh()
			f := lacpdu(them, us)
			f[tt.at] ^= tt.flip
			k.hear(f)
			if diff := cmp.Diff(tt.want, k.heardAt(slot1).outcome(), cmp.AllowUnexported(outcome{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// TestTogether: it is noted whether the partner means this port, or nobody.
func TestTogether(t *testing.T) {
	k := loadKeeping(t)
	tests := []struct {
		name string
		at   int
		flip byte
		want bool
	}{
		{"this port", atVersion, 0, true},
		{"not collecting", atActor + inState, collecting, true},
		{"another key of ours", atPartner + inKey, 4, false},
		{"our Aggregation", atPartner + inState, aggregation, false},
		{"nobody", atActor + inState, aggregation, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k.fresh()
			f := lacpdu(them, us)
			f[tt.at] ^= tt.flip
			k.hear(f)
			if got := k.heardAt(slot1).State&heardTogether != 0; got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// TestAnswerLength: what is longer is noted and not answered, what is shorter is
// no LACPDU.
func TestAnswerLength(t *testing.T) {
	k := loadKeeping(t)
	f := lacpdu(them, us)
	k.hear(append(slices.Clone(f), 0))
	if got, want := k.heardAt(slot1).outcome(), (outcome{known: true}); got != want {
		t.Errorf("longer: %+v, want %+v", got, want)
	}
	k.fresh()
	k.hear(f[:len(f)-1])
	if got := k.heardAt(slot1).outcome(); got != (outcome{}) {
		t.Errorf("shorter: %+v", got)
	}
}

// TestAnswerTagged: with a tag, wherever it is, a LACPDU is none.
func TestAnswerTagged(t *testing.T) {
	k := loadKeeping(t)
	in := k.behindPrelude(k.inOf(slotLo, "lo"))
	k.say(slotLo, keepUs())
	f := lacpdu(them, us)
	tagged := slices.Concat(f[:12], []byte{0x81, 0, 0, 0}, f[12:])
	for _, where := range []tagPlace{tagInside, tagBeside} {
		if got := k.runAs(in, tagged, where); got != verdictDrop {
			t.Errorf("tag %v: %d", where, int32(got))
		}
	}
	if h := k.heardAt(slotLo); h != (agrHeard{}) {
		t.Errorf("noted: %+v", h)
	}
	if got := k.runAs(in, f, tagInside); got != verdictNext || k.heardAt(slotLo).Answers != 1 {
		t.Errorf("without a tag: %d, %+v", int32(got), k.heardAt(slotLo))
	}
}

// TestAnswerWhen says when it is for the daemon to answer, and when for nobody.
func TestAnswerWhen(t *testing.T) {
	second := uint64(time.Second)
	for name, tt := range map[string]struct {
		change func(k *keeper, now uint64)
		want   uint64
	}{
		"dead":                     {func(*keeper, uint64) {}, 1},
		"late, but alive":          {func(k *keeper, now uint64) { k.config.alive.Store(now) }, 1},
		"sent a second ago":        {func(k *keeper, now uint64) { k.keeps[slot1].sent.Store(now - second) }, 0},
		"sent two seconds ago":     {func(k *keeper, now uint64) { k.keeps[slot1].sent.Store(now - 2*second) }, 1},
		"at the end of its grace":  {func(k *keeper, now uint64) { k.config.alive.Store(now - 59*second) }, 1},
		"after its grace":          {func(k *keeper, now uint64) { k.config.alive.Store(now - 60*second) }, 0},
		"never gave a sign":        {func(k *keeper, _ uint64) { k.config.alive.Store(0) }, 0},
		"without grace":            {func(k *keeper, _ uint64) { k.say(slot1, without(keepUs(), 0)) }, 0},
		"nothing to be said":       {func(k *keeper, _ uint64) { k.keeps[slot1].hush() }, 0},
		"something else was said":  {func(k *keeper, _ uint64) { k.say(slot1, without(keepUs(), timeout)) }, 0},
		"the port is not attached": {func(k *keeper, _ uint64) { k.ports[slot1].state.Store(0) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			k := loadKeeping(t)
			tt.change(k, monotonic())
			k.hear(lacpdu(them, us))
			if h := k.heardAt(slot1); h.Answers != tt.want {
				t.Errorf("%+v, want %d answers", h, tt.want)
			}
		})
	}
}

// without is a Keep without a bit of our state; without any it is one without
// grace.
func without(k datapath.Keep, bit byte) datapath.Keep {
	if bit == 0 {
		k.Grace = 0
	}
	k.LACPDU[atActor+inState] &^= bit
	return k
}

// TestAnswerLimit floods the port from all processors at once: there are never
// more than three answers in a second.
func TestAnswerLimit(t *testing.T) {
	k := loadKeeping(t)
	var asked atomic.Uint64
	var wg sync.WaitGroup
	begin := time.Now()
	stop := begin.Add(2 * time.Second)
	for range max(2, runtime.NumCPU()) {
		wg.Go(func() {
			for time.Now().Before(stop) {
				k.hear(lacpdu(them, us))
				asked.Add(1)
			}
		})
	}
	wg.Wait()
	pauses := time.Since(begin) / (500 * time.Millisecond)
	got := k.heardAt(slot1).Answers
	t.Logf("%d LACPDUs in %v: %d answers", asked.Load(), time.Since(begin).Round(time.Millisecond), got)
	if got < 1 || got > uint64(pauses)+1 {
		t.Errorf("%d answers in %v", got, time.Since(begin))
	}
}

// TestAnswerWhileItChanges: an answer is what was said at some time, never half of
// one thing and half of another.
func TestAnswerWhileItChanges(t *testing.T) {
	k := loadKeeping(t)
	one, other := keepUs(), keepUs()
	for i := atCollector + 2; i < atTail; i++ {
		other.LACPDU[i] = 0xff
	}
	other.LACPDU[atSource+5] = 0xff
	far := nettest.Sniff(t, k.ns, "far-p1", fromSlow)
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !done.Load() {
			k.say(slot1, one)
			k.say(slot1, other)
		}
	})
	answers := 0
	for range 4000 {
		k.fresh()
		k.hear(lacpdu(them, us))
		answers += int(k.heardAt(slot1).Answers)
	}
	done.Store(true)
	wg.Wait()
	for _, f := range far.Frames() {
		if !slices.Equal(f.Data, one.LACPDU) && !slices.Equal(f.Data, other.LACPDU) {
			t.Fatalf("answered %x", f.Data)
		}
	}
	t.Logf("%d answers", answers)
	if answers == 0 {
		t.Error("none was answered")
	}
}
