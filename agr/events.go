package agr

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"ifagr/agr/ctl"
)

// subscriberBacklog is how many transitions a subscriber may be late.
const subscriberBacklog = 1024

// missed is the Machine of a transition that stands for those a subscriber was
// too slow for.
const missed = "missed"

// hub logs every transition and hands it to whoever listens.
type hub struct {
	log *slog.Logger

	mu   sync.Mutex
	seq  uint64
	subs map[*subscriber]struct{}
}

type subscriber struct {
	name string // agr interface, "" for all
	c    chan ctl.Transition
	lost bool
}

func newHub(log *slog.Logger) *hub {
	return &hub{log: log, subs: make(map[*subscriber]struct{})}
}

// publish gives a transition its number, logs it, and never waits for anybody.
func (h *hub) publish(t ctl.Transition) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	t.Seq = h.seq
	h.logTransition(t)
	for s := range h.subs {
		if s.name == "" || s.name == t.Agr {
			s.deliver(t)
		}
	}
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

func (s *subscriber) deliver(t ctl.Transition) {
	if s.lost {
		gap := t
		gap.Machine, gap.Port, gap.From, gap.To = missed, "", "", ""
		gap.Reason = "this subscriber was too slow: transitions before this one are missing"
		select {
		case s.c <- gap:
			s.lost = false
		default:
			return
		}
	}
	select {
	case s.c <- t:
	default:
		s.lost = true
	}
}

// subscribe calls f for each transition of one agr interface, or of all, until
// the context ends or f fails.
func (h *hub) subscribe(ctx context.Context, name string, f func(ctl.Transition) error) error {
	s := &subscriber{name: name, c: make(chan ctl.Transition, subscriberBacklog)}
	h.mu.Lock()
	h.subs[s] = struct{}{}
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.subs, s)
		h.mu.Unlock()
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case t := <-s.c:
			if err := f(t); err != nil {
				return err
			}
		}
	}
}

// transition fills in what every transition of an aggregate has.
func (a *aggregate) transition(port, machine, from, to, reason string) {
	a.hub.publish(ctl.Transition{
		Time: time.Now(), Agr: a.name, Port: port, Machine: machine, From: from, To: to, Reason: reason,
	})
}
