package agr

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"ifagr/agr/ctl"
)

// subscriberBacklog is how many transitions a subscriber may be late.
const subscriberBacklog = 1024

// States of the machine agr in transitions, of an interface that is a port and of an
// agr interface; without them it is empty.
const (
	portAttached = "attached"
	agrCreated   = "created"
)

// hub logs transitions, numbers them and hands them to whoever listens.
type hub struct {
	log *slog.Logger

	mu   sync.Mutex
	seq  uint64
	subs map[*subscriber]struct{}
}

// subscriber is who listens. All but wake is guarded by the hub's lock.
type subscriber struct {
	name   string        // agr interface, "" for all
	wake   chan struct{} // capacity 1: there is something
	queue  []ctl.Transition
	missed ctl.Transition // those for which there was no room behind queue; Missed says how many
}

func newHub(log *slog.Logger) *hub {
	return &hub{log: log, subs: make(map[*subscriber]struct{})}
}

// publish gives a transition its number, and never waits for anybody. It is logged
// unless a storm keeps it out of the log.
func (h *hub) publish(t ctl.Transition, logged bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	t.Seq = h.seq
	if logged {
		h.logTransition(t)
	}
	for s := range h.subs {
		if s.name == "" || s.name == t.Agr {
			s.deliver(t)
		}
	}
}

// last is the number of the last transition.
func (h *hub) last() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seq
}

func (h *hub) logTransition(t ctl.Transition) {
	attrs := make([]any, 0, 6)
	attrs = append(attrs, "agr", t.Agr)
	if t.Port != "" {
		attrs = append(attrs, "port", t.Port)
	}
	if t.Reason != "" {
		attrs = append(attrs, "reason", t.Reason)
	}
	h.log.Info(t.Machine+": "+t.From+" -> "+t.To, attrs...)
}

// deliver queues a transition. The first for which there is no room, and all
// behind it until the queue is taken, are only counted.
func (s *subscriber) deliver(t ctl.Transition) {
	if s.missed.Missed == 0 && len(s.queue) < subscriberBacklog {
		s.queue = append(s.queue, t)
	} else {
		s.missed = ctl.Transition{
			Seq: t.Seq, Time: t.Time, Agr: s.name, Machine: ctl.MachineMissed, Missed: s.missed.Missed + 1,
			Reason: "the reader was too slow",
		}
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take empties a subscriber's queue.
func (h *hub) take(s *subscriber) (queue []ctl.Transition, missed ctl.Transition) {
	h.mu.Lock()
	defer h.mu.Unlock()
	queue, missed = s.queue, s.missed
	s.queue, s.missed = nil, ctl.Transition{}
	return queue, missed
}

func (h *hub) enter(name string) *subscriber {
	s := &subscriber{name: name, wake: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs[s] = struct{}{}
	return s
}

func (h *hub) leave(s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subs, s)
}

// subscribe calls f for the present state and then for each transition of one agr
// interface, or of all, until the context ends or f fails. snapshot gives the
// present state, each agr interface's with the number of the last transition that
// it includes. After a gap the present state comes again, so that a reader who was
// too slow knows all that it would know otherwise.
func (h *hub) subscribe(ctx context.Context, name string, snapshot func() []ctl.Transition, f func(ctl.Transition) error) error {
	s := h.enter(name)
	defer h.leave(s)
	for {
		present := snapshot()
		err := each(present, f)
		if err == nil {
			err = h.follow(ctx, s, included(present), f)
		}
		if err != nil {
			return err
		}
	}
}

// follow calls f for each transition that the present state does not include. It
// returns nil when some were missed.
func (h *hub) follow(ctx context.Context, s *subscriber, included map[string]uint64, f func(ctl.Transition) error) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		}
		queue, missed := h.take(s)
		for _, t := range queue {
			if t.Seq <= included[t.Agr] {
				continue
			}
			if err := f(t); err != nil {
				return err
			}
		}
		if missed.Missed > 0 {
			return f(missed)
		}
	}
}

// included says for each agr interface up to which transition its present state
// reaches.
func included(present []ctl.Transition) map[string]uint64 {
	seqs := make(map[string]uint64)
	for _, t := range present {
		seqs[t.Agr] = t.Seq
	}
	return seqs
}

func each(all []ctl.Transition, f func(ctl.Transition) error) error {
	for _, t := range all {
		if err := f(t); err != nil {
			return err
		}
	}
	return nil
}

// transition fills in what every transition of an aggregate has.
func (a *aggregate) transition(port, machine, from, to, reason string) {
	a.publish(ctl.Change{Time: time.Now(), Machine: machine, From: from, To: to, Reason: reason}, port, true)
}

// publish hands on a change of a port, or of agrN.
func (a *aggregate) publish(c ctl.Change, port string, logged bool) {
	a.hub.publish(ctl.Transition{
		Time: c.Time, Agr: a.name, Port: port, Machine: c.Machine, From: c.From, To: c.To, Reason: c.Reason,
	}, logged)
}

// snapshot is the present state of agrN and of its ports, as a stream begins with.
func (a *aggregate) snapshot() []ctl.Transition {
	a.settle() // what has changed by now is published before
	st := a.status()
	now, seq := time.Now(), a.hub.last() // what is published of this aggregate is by this goroutine
	all := []ctl.Transition{{
		Seq: seq, Time: now, Agr: a.name, Machine: ctl.MachineSnapshot, To: upOrDown(st.Carrier),
		States: map[string]string{"agr": agrCreated, "link": upOrDown(st.Carrier), "aggregator": activeName(st.Active)},
	}}
	for _, p := range st.Ports {
		all = append(all, ctl.Transition{
			Seq: seq, Time: now, Agr: a.name, Port: p.Name, Machine: ctl.MachineSnapshot, To: p.Mux, Reason: p.Reason,
			States: map[string]string{
				"agr": portAttached, "receive": p.Receive, "periodic": p.Periodic, "mux": p.Mux, "selected": p.Selected,
				"link": upOrDown(p.Up && p.Carrier), "actor churn": p.ActorChurn, "partner churn": p.PartnerChurn,
			},
		})
	}
	return all
}

// activeName is how transitions name the active aggregator.
func activeName(id int) string {
	if id == 0 {
		return "none"
	}
	return strconv.Itoa(id)
}

func upOrDown(up bool) string {
	if up {
		return "up"
	}
	return "down"
}
