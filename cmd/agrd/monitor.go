package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"ifagr/agr/ctl"
)

// monitor prints the present state, and then one line for each transition until it
// is interrupted.
func monitor(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("agrd monitor", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	asJSON := fs.Bool("j", false, "")
	if err := fs.Parse(args); err != nil || fs.NArg() > 1 {
		return errUsage
	}
	c, err := ctl.Dial(ctx)
	if err != nil {
		return fmt.Errorf("no agrd serves this network namespace: %w", err)
	}
	defer c.Close()
	show := func(t ctl.Transition) error { return printTransition(stdout, t) }
	if *asJSON {
		enc := json.NewEncoder(stdout)
		show = func(t ctl.Transition) error { return enc.Encode(t) }
	}
	err = c.Watch(ctx, fs.Arg(0), show)
	switch {
	case errors.Is(err, context.Canceled):
		return nil
	case ctl.IsGone(err):
		return fmt.Errorf("agrd does not answer any more: %w", err)
	}
	return err
}

// printTransition prints `time agr port machine: FROM -> TO (reason)`, for the
// present state `snapshot: STATE (reason)`, and how many were missed.
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
