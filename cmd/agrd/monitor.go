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

// monitor prints one line for each transition until it is interrupted.
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
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// printTransition prints `time agr port machine: FROM -> TO (reason)`.
func printTransition(w io.Writer, t ctl.Transition) error {
	var b strings.Builder
	b.WriteString(t.Time.Format("15:04:05.000 "))
	b.WriteString(t.Agr)
	if t.Port != "" {
		b.WriteString(" " + t.Port)
	}
	fmt.Fprintf(&b, " %s: %s -> %s", t.Machine, orNone(t.From), orNone(t.To))
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
