package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"ifagr/agr/ctl"
	"ifagr/ifcfg"
	"ifagr/ifcfg/agrclient"
	"ifagr/ifcfg/linux"
	"ifagr/ifcfg/netstart"
)

// runNetstart configures interfaces from ifconfig.xxN files, ifconfig.if(5).
func runNetstart(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("agrd netstart", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	dir := fs.String("d", "/etc", "")
	if err := fs.Parse(args); err != nil {
		return errUsage
	}
	if _, err := os.ReadDir(*dir); err != nil {
		return fmt.Errorf("netstart: %w", err)
	}
	style, ok := ifcfg.StyleNamed(os.Getenv("IFCONFIG_STYLE"))
	if !ok {
		return fmt.Errorf("netstart: IFCONFIG_STYLE: %s: no such style", os.Getenv("IFCONFIG_STYLE"))
	}
	kernel, err := linux.Open()
	if err != nil {
		return fmt.Errorf("netstart: %w", err)
	}
	defer kernel.Close()
	var aggr agrclient.Client
	defer aggr.Close()
	r := &netstart.Runner{
		Files: os.DirFS(*dir),
		Session: &ifcfg.Session{
			Kernel: kernel, Aggr: &aggr, Resolver: linux.Resolver{}, Style: style, Out: stdout,
		},
		Shell: func(ctx context.Context, command, iface string) error {
			return shell(ctx, command, iface, stdout, stderr)
		},
		Report: func(place string, err error) { report(stderr, place, err) },
		Hint:   func(place, text string) { hint(stderr, place, text) },
	}
	if failed := r.Run(ctx, fs.Args()...); failed > 0 {
		return fmt.Errorf("netstart: %s failed", count(failed, "step"))
	}
	return nil
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprint(n, " ", what)
}

// report says what failed, and what agrd had to say about it beyond NetBSD's
// words.
func report(w io.Writer, place string, err error) {
	fmt.Fprintf(w, "%s: %v\n", place, err)
	if r, ok := errors.AsType[*ctl.RequestError](err); ok && r.Detail != "" {
		hint(w, place, strings.TrimSuffix(r.Detail, ": "+r.Errno.Error()))
	}
}

// hint gives the advice that ifconfig gives on a terminal. A boot log is read
// when it is too late to ask for it.
func hint(w io.Writer, place, text string) { fmt.Fprintf(w, "%s: hint: %s\n", place, text) }

// shell runs a command with $int set. Our ifconfig is the first that it finds.
func shell(ctx context.Context, command, iface string, stdout, stderr io.Writer) error {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.Env = append(os.Environ(), "int="+iface)
	if self, err := os.Executable(); err == nil {
		cmd.Env = append(cmd.Env, "PATH="+filepath.Dir(self)+":"+os.Getenv("PATH"))
	}
	return cmd.Run()
}
