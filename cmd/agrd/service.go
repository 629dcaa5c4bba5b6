package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"ifagr/netutil/sd"
)

// service is this daemon as a service manager sees it. Without a manager it does
// nothing.
type service struct {
	notify sd.Notifier
	every  time.Duration // the manager's patience, 0 = without end
	log    *slog.Logger
}

// newService finds out what the manager wants to hear.
func newService(log *slog.Logger) (*service, error) {
	every, err := sd.WatchdogInterval()
	if err != nil {
		return nil, err
	}
	return &service{notify: sd.NewNotifier(), every: every, log: log}, nil
}

// tell sends states. A manager that does not take them is no reason to end.
func (s *service) tell(states ...string) {
	if err := s.notify.Send(states...); err != nil {
		s.log.Warn("service manager not told", "err", err)
	}
}

// ready says that requests are answered from now on.
func (s *service) ready(agrs int) {
	s.tell(sd.Ready, sd.Status(fmt.Sprintf("serving, resumed %s", count(agrs, "interface"))))
}

// watchdog tells the manager that all is well, as long as pulse says so: it is
// asked twice in the manager's patience. Nothing else says it, so whatever
// keeps pulse from returning makes the manager start this daemon anew.
func (s *service) watchdog(ctx context.Context, pulse func(context.Context) error) {
	if s.every == 0 || !s.notify.Active() {
		return
	}
	tick := time.NewTicker(s.every / 2)
	defer tick.Stop()
	for {
		asked, cancel := context.WithTimeout(ctx, s.every)
		err := pulse(asked)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Error("not well", "err", err)
		default:
			s.tell(sd.Watchdog)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
