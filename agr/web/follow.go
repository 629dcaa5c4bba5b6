package web

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/picture"
)

// Daemon is where the state comes from. Its methods are called by two
// goroutines: Watch by one, the others by the other.
type Daemon interface {
	List(ctx context.Context) ([]string, error)
	Status(ctx context.Context, name string) (*ctl.Status, error)
	// Watch calls f for each transition until the daemon goes.
	Watch(ctx context.Context, f func(ctl.Transition) error) error
}

const (
	// round is how long it takes to look at all aggregates, if there are few;
	// with many it takes pause for each.
	round = time.Second
	pause = 20 * time.Millisecond
	// retry is how often a daemon that is gone is looked for.
	retry = time.Second
	// apart is how far two samples must be from each other to tell a rate.
	apart = 400 * time.Millisecond
	// seeded is how many transitions from before are shown.
	seeded = 100
)

// follower keeps a board like the daemon.
type follower struct {
	daemon  Daemon
	board   *board
	now     func() time.Time
	viewers atomic.Int32
	wanted  chan struct{} // capacity 1: somebody has come
	dirty   chan string   // aggregates that have changed
	since   time.Time     // when the transitions began to come

	// Of look's goroutine.
	samples map[string]*samples
	seeds   bool // transitions from before were taken over
	lost    bool // the daemon did not answer
}

// samples are what is known of an aggregate's counters.
type samples struct{ now, last picture.Sample }

func newFollower(d Daemon, b *board, now func() time.Time) *follower {
	return &follower{
		daemon: d, board: b, now: now, samples: make(map[string]*samples),
		wanted: make(chan struct{}, 1), dirty: make(chan string, 64),
	}
}

// come counts a viewer, and returns what takes it back.
func (f *follower) come() (leave func()) {
	f.viewers.Add(1)
	select {
	case f.wanted <- struct{}{}:
	default:
	}
	return func() { f.viewers.Add(-1) }
}

// events follows the transitions until the context ends.
func (f *follower) events(ctx context.Context) {
	for ctx.Err() == nil {
		next := uint64(0)
		err := f.daemon.Watch(ctx, func(t ctl.Transition) error {
			switch {
			case t.Machine == ctl.MachineMissed:
				f.board.add(missing(t.Time, t.Missed, "agrd did not wait for us"))
			case t.Machine == ctl.MachineSnapshot: // no event: it is how things are
			case next != 0 && t.Seq > next:
				f.board.add(missing(t.Time, t.Seq-next, "agrd did not wait for us"))
				f.board.add(picture.EventOf(t))
			default:
				f.board.add(picture.EventOf(t))
			}
			next = max(next, t.Seq+1)
			select {
			case f.dirty <- t.Agr:
			default: // it is looked at in its turn
			}
			return nil
		})
		if ctx.Err() != nil {
			return
		}
		if next != 0 {
			f.board.add(picture.Event{Time: f.now(), Note: true, Reason: "the transitions end here: " + err.Error()})
		}
		wait(ctx, retry)
	}
}

// look reads the state, one aggregate at a time, while somebody looks.
func (f *follower) look(ctx context.Context) {
	var names []string
	for ctx.Err() == nil {
		if f.viewers.Load() == 0 {
			f.samples = make(map[string]*samples)
			select {
			case <-ctx.Done():
				return
			case <-f.wanted:
			}
		}
		var err error
		if names, err = f.all(ctx); err != nil {
			f.gone(err)
			wait(ctx, retry)
			continue
		}
		f.turn(ctx, names)
	}
}

// turn waits until a round is over, looking at the aggregates meanwhile, those
// that have changed first.
func (f *follower) turn(ctx context.Context, names []string) {
	each := max(pause, round/time.Duration(max(1, len(names))))
	tick := time.NewTicker(each)
	defer tick.Stop()
	if len(names) == 0 {
		names = []string{""} // a round of nothing
	}
	for len(names) > 0 {
		select {
		case <-ctx.Done():
			return
		case name := <-f.dirty:
			f.one(ctx, name)
		case <-tick.C:
			f.one(ctx, names[0])
			names = names[1:]
		}
	}
}

// all lists the aggregates, and looks at those that were not seen before.
func (f *follower) all(ctx context.Context) ([]string, error) {
	names, err := f.daemon.List(ctx)
	if err != nil {
		return nil, err
	}
	f.board.setOrder(names)
	for _, name := range names {
		if f.samples[name] == nil {
			f.one(ctx, name)
		}
	}
	if !f.seeds {
		f.seed(names)
	}
	f.lost = false
	f.board.setDaemon(picture.Daemon{Text: "agrd answers"})
	return names, nil
}

// one looks at one aggregate.
func (f *follower) one(ctx context.Context, name string) {
	if name == "" {
		return
	}
	st, err := f.daemon.Status(ctx, name)
	if err != nil {
		return // it is gone, or the next List tells
	}
	s := f.samples[name]
	if s == nil {
		s = &samples{}
		f.samples[name] = s
	}
	now := picture.Sample{At: f.now(), Status: st}
	if s.now.Status != nil && now.At.Sub(s.now.At) >= apart {
		s.last = s.now
	}
	s.now = now
	f.board.setAgr(picture.Look(s.now, s.last))
}

// seed shows the transitions that the daemon remembers from before we listened.
func (f *follower) seed(names []string) {
	var all []*ctl.Status
	for _, name := range names {
		if s := f.samples[name]; s != nil {
			all = append(all, s.now.Status)
		}
	}
	var before []picture.Event
	for _, e := range picture.History(all) {
		if e.Time.Before(f.since) && len(before) < seeded {
			before = append(before, e)
		}
	}
	f.board.add(byTime(before)...)
	f.seeds = true
}

// gone shows that the daemon does not answer. What was seen stays.
func (f *follower) gone(err error) {
	if f.lost {
		return
	}
	f.lost = true
	f.samples = make(map[string]*samples)
	f.board.setDaemon(picture.Daemon{
		Gone: true,
		Text: fmt.Sprintf("agrd does not answer since %s (%v). What you see is from before; in the kernel datapath frames still flow.",
			f.now().Format("15:04:05"), err),
	})
}

// wait waits, or ends with the context.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
