package main

import (
	"context"

	"ifagr/agr/ctl"
)

// source is the daemon of this network namespace as a picture needs it. A
// connection that the daemon has closed is made anew.
type source struct{ client *ctl.Client }

// call makes a request, twice when the connection turns out to be an old one.
func (s *source) call(ctx context.Context, f func(*ctl.Client) error) error {
	for {
		old := s.client != nil
		if !old {
			c, err := ctl.Dial(ctx)
			if err != nil {
				return err
			}
			s.client = c
		}
		client := s.client
		stop := context.AfterFunc(ctx, func() { client.Close() })
		err := f(client)
		stop()
		if !ctl.IsGone(err) {
			return err
		}
		s.close()
		if !old {
			return err
		}
	}
}

// List names the agr interfaces.
func (s *source) List(ctx context.Context) (names []string, err error) {
	err = s.call(ctx, func(c *ctl.Client) error { names, err = c.List(); return err })
	return names, err
}

// Status describes one of them.
func (s *source) Status(ctx context.Context, name string) (st *ctl.Status, err error) {
	err = s.call(ctx, func(c *ctl.Client) error { st, err = c.Status(name); return err })
	return st, err
}

// Watch calls f for each transition, over a connection of its own.
func (s *source) Watch(ctx context.Context, f func(ctl.Transition) error) error {
	c, err := ctl.Dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Watch(ctx, "", f)
}

func (s *source) close() {
	if s.client != nil {
		s.client.Close()
		s.client = nil
	}
}
