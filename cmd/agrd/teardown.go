package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"

	"ifagr/ifcfg/agrclient"
)

// atATime is how many agr interfaces are taken down at the same time: each port waits
// for its partner, and there may be a thousand.
const atATime = 16

// teardown is the orderly end of agr interfaces: every port leaves as with -agrport,
// and the interface is destroyed.
func teardown(ctx context.Context, args []string, _, stderr io.Writer) error {
	fs := flag.NewFlagSet("agrd teardown", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	force := fs.Bool("f", false, "")
	if err := fs.Parse(args); err != nil {
		return errUsage
	}
	var daemon agrclient.Client
	defer daemon.Close()
	names, err := daemon.Resume()
	if err != nil {
		return fmt.Errorf("teardown: %w", err)
	}
	all := make([]*removal, 0, len(names))
	for _, name := range wantedNames(names, fs.Args(), *force) {
		all = append(all, &removal{name: name})
	}
	var group errgroup.Group
	group.SetLimit(atATime)
	for _, r := range all {
		group.Go(func() error { r.run(ctx); return nil })
	}
	_ = group.Wait() // what failed is in the removals
	failed := 0
	for _, r := range all {
		for _, f := range r.failures {
			fmt.Fprintf(stderr, "agrd: %s\n", f)
		}
		failed += len(r.failures)
	}
	if failed > 0 {
		return fmt.Errorf("teardown: %s failed", count(failed, "step"))
	}
	return daemon.AwaitEnd()
}

// wantedNames are those of there that are asked for, or all of them; and those that
// are asked for and are not there, unless that does not matter.
func wantedNames(there, asked []string, force bool) []string {
	if len(asked) == 0 {
		return there
	}
	var names []string
	for _, name := range asked {
		if !slices.Contains(names, name) && (!force || slices.Contains(there, name)) {
			names = append(names, name)
		}
	}
	return names
}

// removal takes one agr interface down.
type removal struct {
	name     string
	daemon   agrclient.Client
	failures []string
}

// run goes on past failures. The first port, whose address the interface has, is the
// last to leave.
func (r *removal) run(ctx context.Context) {
	defer r.daemon.Close()
	ports, err := r.daemon.Ports(r.name)
	if err != nil {
		r.fail("SIOCGETAGR", err)
		return
	}
	for _, p := range slices.Backward(ports) {
		if ctx.Err() != nil {
			r.fail("-agrport "+p.Name, ctx.Err())
			return
		}
		if err := r.daemon.SetPort(r.name, p.Name, false); err != nil {
			r.fail("-agrport "+p.Name+": SIOCSETAGR", err)
		}
	}
	if err := r.daemon.Destroy(r.name); err != nil {
		r.fail("SIOCIFDESTROY", err)
	}
}

func (r *removal) fail(what string, err error) {
	r.failures = append(r.failures, fmt.Sprintf("%s: %s: %v", r.name, what, err))
}
