package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"ifagr/agr/ctl"
)

// nextPoll is how long is waited between two looks for the next daemon.
const nextPoll = 100 * time.Millisecond

// States of ctl.MachineDaemon, which are what `agrd monitor -r` has to say of itself.
const (
	daemonServes = "serving"
	daemonGone   = "gone"
)

// monitor prints the present state, and then one line for each transition until it
// is interrupted or the daemon goes, or without end when it is to go on with the next.
func monitor(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("agrd monitor", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	asJSON := fs.Bool("j", false, "")
	goOn := fs.Bool("r", false, "")
	if err := fs.Parse(args); err != nil || fs.NArg() > 1 {
		return errUsage
	}
	c, err := ctl.Dial(ctx)
	if err != nil {
		return fmt.Errorf("no agrd serves this network namespace: %w", err)
	}
	w := &watcher{name: fs.Arg(0), show: func(t ctl.Transition) error { return printTransition(stdout, t) }}
	if *asJSON {
		enc := json.NewEncoder(stdout)
		w.show = func(t ctl.Transition) error { return enc.Encode(t) }
	}
	for {
		gone, err := w.watch(ctx, c)
		if gone && !*goOn {
			return fmt.Errorf("the daemon has ended or was exchanged (with -r this goes on with the next one): %w", err)
		}
		if gone {
			c, err = w.next(ctx)
		}
		if errors.Is(err, context.Canceled) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// watcher shows what daemons tell of one agr interface, or of all.
type watcher struct {
	name string
	show func(ctl.Transition) error
}

// watch shows what one daemon tells. It reports whether that is over because the
// daemon is gone.
func (w *watcher) watch(ctx context.Context, c *ctl.Client) (gone bool, err error) {
	defer c.Close()
	var unread error // nobody takes what is shown
	err = c.Watch(ctx, w.name, func(t ctl.Transition) error {
		unread = w.show(t)
		return unread
	})
	return ctx.Err() == nil && unread == nil && ctl.IsGone(err), err
}

// next waits for the daemon behind one that is gone, and says both. Where an interface
// is watched it waits for that as well.
func (w *watcher) next(ctx context.Context) (*ctl.Client, error) {
	t := ctl.Transition{
		Time: time.Now(), Agr: w.name, Machine: ctl.MachineDaemon, From: daemonServes, To: daemonGone,
		Reason: "the connection has ended",
	}
	if err := w.show(t); err != nil {
		return nil, err
	}
	at, err := here()
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(nextPoll)
	defer tick.Stop()
	for {
		if c := w.successor(ctx, at); c != nil {
			t.Time, t.From, t.To = time.Now(), daemonGone, daemonServes
			t.Reason = "what changed meanwhile is in the snapshot only; numbers begin anew"
			return c, w.show(t)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}

// successor is the daemon that serves now, if it does. It is looked for at the
// namespace's own socket only: a service manager would start one for who only asks.
func (w *watcher) successor(ctx context.Context, at place) *ctl.Client {
	c, err := ctl.DialPath(ctx, at.socket, 0)
	if err != nil {
		return nil
	}
	names, err := c.List()
	if err != nil || w.name != "" && !slices.Contains(names, w.name) {
		c.Close()
		return nil
	}
	return c
}

// printTransition prints `time agr port machine: FROM -> TO (reason)`, for the
// present state `snapshot: STATE (reason)`, and how many were missed. The machine
// `daemon` has no port, and no interface unless one is watched.
func printTransition(w io.Writer, t ctl.Transition) error {
	var b strings.Builder
	b.WriteString(t.Time.Format("15:04:05.000 "))
	for _, name := range []string{t.Agr, t.Port} {
		if name != "" {
			b.WriteString(name + " ")
		}
	}
	switch t.Machine {
	case ctl.MachineSnapshot:
		fmt.Fprintf(&b, "%s: %s", t.Machine, t.To)
	case ctl.MachineMissed:
		fmt.Fprintf(&b, "%s: %d", t.Machine, t.Missed)
	default:
		fmt.Fprintf(&b, "%s: %s -> %s", t.Machine, orNone(t.From), orNone(t.To))
	}
	if t.Reason != "" {
		fmt.Fprintf(&b, " (%s)", t.Reason)
	}
	_, err := fmt.Fprintln(w, b.String())
	return err
}

// orNone makes an empty state visible.
func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
