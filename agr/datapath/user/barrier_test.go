package user

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/agr/datapath"
	"ifagr/agr/dist"
	"ifagr/netutil/nettest"
)

// run starts the loop of a rig, with frames from the returned function.
func (r *rig) run(t *testing.T) (send func(...[]byte)) {
	t.Helper()
	in, out := pipe(t)
	frames := make(chan [][]byte, 16)
	var err error
	if r.loop, err = newLoop(in); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = r.loop.run(func() error {
			select {
			case f := <-frames:
				var b [1]byte
				_, err := unix.Read(in, b[:])
				r.out.dispatch(f)
				return err
			default:
				r.out.dispatch(nil)
				return unix.EAGAIN
			}
		})
	}()
	return func(f ...[]byte) {
		t.Helper()
		frames <- f
		if _, err := unix.Write(out, []byte{0}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestProgramWaits: while a frame is on its way to a port, a program that holds
// its conversation is not in force.
func TestProgramWaits(t *testing.T) {
	r := newRig(1)
	w := r.wires[1]
	send := r.run(t)
	p := datapath.Program{Ports: []datapath.PortState{good(1)}, Table: every(1)}
	if err := r.Program(p); err != nil {
		t.Fatal(err)
	}
	w.gate = make(chan struct{})
	send(data(1))
	within(t, w.gate) // the frame is being sent
	before := r.program.Load()
	p.Hold = all()
	programmed := make(chan error, 1)
	go func() { programmed <- r.Program(p) }()
	looks := 0
	nettest.Eventually(t, 5*time.Second, func() error {
		if looks++; r.program.Load() == before || looks < 3 {
			return errors.New("it has had no time to return")
		}
		return nil
	})
	if len(programmed) != 0 {
		t.Error("programmed before the frame was sent")
	}
	w.gate <- struct{}{}
	if err := within(t, programmed); err != nil {
		t.Fatal(err)
	}
	send(data(2))
	if err := r.loop.stop(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{text(1)}, w.sent); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestHeldFramesWaitForNoFrame: they leave when the program says so, though the
// outbound sleeps.
func TestHeldFramesWaitForNoFrame(t *testing.T) {
	r := newRig(1, 2)
	send := r.run(t)
	p := datapath.Program{Ports: []datapath.PortState{good(1), good(2)}, Table: every(1), Hold: all()}
	program := func() {
		t.Helper()
		if err := r.Program(p); err != nil {
			t.Fatal(err)
		}
	}
	program()
	send(data(1))
	nettest.Eventually(t, 5*time.Second, func() error { return atLeast(r.Stats().Held, 1) })
	p.Table = every(2)
	program() // is no reason to send it
	if n := r.Stats().Held; n != 1 {
		t.Errorf("%d frames held, want 1", n)
	}
	p.Hold = dist.Set{}
	program()
	nettest.Eventually(t, 5*time.Second, func() error { return atLeast(r.Stats().Ports[2].TxFrames, 1) })
	if err := r.loop.stop(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{text(1)}, r.wires[2].sent); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestProgramWithoutOutbound: one that has ended is not waited for.
func TestProgramWithoutOutbound(t *testing.T) {
	r := newRig(1)
	r.run(t)
	if err := r.loop.stop(); err != nil {
		t.Fatal(err)
	}
	if err := r.Program(datapath.Program{Ports: []datapath.PortState{good(1)}, Hold: all()}); err != nil {
		t.Error(err)
	}
}

// TestAwaitEnds: a loop that makes no round is not waited for either.
func TestAwaitEnds(t *testing.T) {
	in, _ := pipe(t)
	l, err := newLoop(in)
	if err != nil {
		t.Fatal(err)
	}
	stuck := make(chan struct{})
	go func() {
		_ = l.run(func() error {
			<-stuck
			return unix.EAGAIN
		})
	}()
	if err := l.await(make(chan struct{}), time.Millisecond); !errors.Is(err, errNoRound) {
		t.Errorf("error %v, want %v", err, errNoRound)
	}
	close(stuck)
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
}
