package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sync/errgroup"

	"ifagr/agr"
	"ifagr/agr/ctl"
	"ifagr/ifcfg/agrclient"
)

// atATime is how many agr interfaces are taken down at the same time: each port waits
// for its partner, and there may be a thousand.
const atATime = 16

// teardown is the orderly end of agr interfaces: every port leaves as with -agrport,
// and the interface is destroyed. One that is there and stays is a failure, whoever
// has made it.
func teardown(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("agrd teardown", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	force := fs.Bool("f", false, "")
	list := fs.Bool("n", false, "")
	if err := fs.Parse(args); err != nil {
		return errUsage
	}
	if *list {
		return listThere(stdout, fs.Args())
	}
	var daemon agrclient.Client
	defer daemon.Close()
	names, err := daemon.Resume()
	if err != nil {
		return fmt.Errorf("teardown: %w", err)
	}
	failures := takeDown(ctx, wantedNames(names, fs.Args(), *force))
	strays, err := unknown(fs.Args())
	if err != nil {
		failures = append(failures, fmt.Sprintf("what is left is not known: %v", err))
	}
	for _, name := range strays {
		failures = append(failures, name+": not taken down: it is there, but no daemon that answers here controls it, so that its ports cannot be given back what they had. "+
			"It may belong to a daemon with another "+ctl.SocketEnv)
	}
	for _, f := range failures {
		fmt.Fprintf(stderr, "agrd: %s\n", f)
	}
	if len(failures) > 0 {
		return fmt.Errorf("teardown: %s failed", count(len(failures), "step"))
	}
	return daemon.AwaitEnd()
}

// takeDown takes interfaces down, and says what failed.
func takeDown(ctx context.Context, names []string) (failures []string) {
	all := make([]*removal, 0, len(names))
	for _, name := range names {
		all = append(all, &removal{name: name})
	}
	var group errgroup.Group
	group.SetLimit(atATime)
	for _, r := range all {
		group.Go(func() error { r.run(ctx); return nil })
	}
	_ = group.Wait() // what failed is in the removals
	for _, r := range all {
		failures = append(failures, r.failures...)
	}
	return failures
}

// listThere prints the names of the agr interfaces that are there, of those that are
// asked for or of all.
func listThere(w io.Writer, asked []string) error {
	names, err := there(asked)
	if err != nil {
		return fmt.Errorf("teardown: %w", err)
	}
	for _, name := range names {
		fmt.Fprintln(w, name)
	}
	return nil
}

// there are the agr interfaces that the kernel has, of those that are asked for or of
// all, whoever made them.
func there(asked []string) ([]string, error) {
	users := append(predecessors(ctl.RunDirectory()), uint32(os.Geteuid()))
	names, err := agr.There(users...)
	return slices.DeleteFunc(names, func(name string) bool {
		return len(asked) > 0 && !slices.Contains(asked, name)
	}), err
}

// unknown are those of them that no daemon controls whom a teardown could ask. The
// daemon is asked after the kernel: what was made meanwhile is no stray.
func unknown(asked []string) ([]string, error) {
	names, err := there(asked)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	var daemon agrclient.Client
	defer daemon.Close()
	known, err := daemon.List()
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(known, name) }), err
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
