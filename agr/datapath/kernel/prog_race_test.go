package kernel

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"ifagr/netutil/nettest"
)

// traffic is one conversation on every processor at once.
type traffic struct {
	run  atomic.Uint64 // frames that were given to the program
	stop atomic.Bool
	wg   sync.WaitGroup
}

// flood starts it. It ends with the test, or before that with end.
func (p *progs) flood(frame []byte) *traffic {
	tr := &traffic{}
	for range max(2, runtime.NumCPU()) {
		tr.wg.Go(func() {
			p.ns.Do(func() {
				for !tr.stop.Load() {
					if _, err := p.AgrOut.Run(&ebpf.RunOptions{Data: frame}); err != nil {
						p.t.Error(err)
						return
					}
					tr.run.Add(1)
				}
			})
		})
	}
	p.t.Cleanup(tr.end)
	return tr
}

func (tr *traffic) end() {
	tr.stop.Store(true)
	tr.wg.Wait()
}

// pass waits until more frames were run.
func (tr *traffic) pass(t *testing.T, frames uint64) {
	t.Helper()
	from := tr.run.Load()
	nettest.Eventually(t, 10*time.Second, func() error {
		if n := tr.run.Load() - from; n < frames {
			return fmt.Errorf("%d frames passed, want %d", n, frames)
		}
		return nil
	})
}

// TestHoldConcurrently holds a conversation and lets it go again and again while
// it is busy on all processors. When the programs that were running when it was
// to be held have returned, no frame of it goes directly, and not before the
// daemon has sent all that it was handed; and each frame goes one way.
func TestHoldConcurrently(t *testing.T) {
	p := loadForwarding(t)
	frame, c := one(t)
	p.setRoom(plenty)
	tr := p.flood(frame)
	for i := range 20 {
		tr.pass(t, 100)
		p.wishOf(c, wish{want: slot1, hold: true})
		barrier()
		direct := p.sent()
		tr.pass(t, 100)
		p.wishOf(c, wish{want: slot1, back: slot1})
		tr.pass(t, 100)
		if got := p.sent(); got != direct {
			t.Fatalf("round %d: held, but sent were %v, then %v", i, direct, got)
		}
		p.drainAll(c)
	}
	tr.end()
	sent, conv := p.sent(), p.conversation(c)
	if all := sent[0] + sent[1] + conv.Punted; all != tr.run.Load() || p.totals().PuntedFrames != conv.Punted {
		t.Errorf("of %d frames %d were lost, %d went directly and %d (in all %d) to the daemon",
			tr.run.Load(), sent[0], sent[1], conv.Punted, p.totals().PuntedFrames)
	}
}

// plenty of room is never used up.
const plenty = 1 << 40

func (p *progs) setRoom(n uint64) {
	p.t.Helper()
	p.change(func(cfg *agrConfig) { cfg.HoldFrames, cfg.HoldBytes = n, n })
}

// drainAll lets the daemon send what it was handed until the conversation has
// returned to the direct way. For so long there is no room for more, or a daemon
// that is slower than the traffic would never have sent everything.
func (p *progs) drainAll(c uint32) {
	p.t.Helper()
	p.setRoom(0)
	nettest.Eventually(p.t, 10*time.Second, func() error {
		conv := p.conversation(c)
		p.put(p.AgrPlan, c, agrPlan{Wish: wish{want: slot1, back: slot1}.pack(), Drained: conv.Punted})
		if conv.Held != 0 {
			return fmt.Errorf("conversation is %+v", conv)
		}
		return nil
	})
	p.setRoom(plenty)
}
