package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/ifcfg"
	"ifagr/ifcfg/agrclient"
	"ifagr/ifcfg/linux"
)

func main() {
	// A run is short: with thousands of interfaces it allocates a few times
	// what it keeps, and with few it never comes to a collection.
	debug.SetGCPercent(200)
	os.Exit(run(os.Args[1:], systemEnv(), os.Stdout, os.Stderr))
}

// env is the world around one run.
type env struct {
	style  string // IFCONFIG_STYLE
	hints  bool   // advice is wanted
	kernel func() (ifcfg.Kernel, error)
	aggr   func() ifcfg.Aggr
	names  ifcfg.Resolver
}

func systemEnv() env {
	return env{
		style:  os.Getenv("IFCONFIG_STYLE"),
		hints:  os.Getenv("IFCONFIG_HINTS") == "1" || isTerminal(os.Stderr),
		kernel: func() (ifcfg.Kernel, error) { return linux.Open() },
		aggr:   func() ifcfg.Aggr { return &agrclient.Client{} },
		names:  linux.Resolver{},
	}
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// run is the whole program; it gives the exit status.
func run(args []string, e env, stdout, stderr io.Writer) (status int) {
	p := &program{env: e, out: bufio.NewWriter(stdout), stderr: stderr}
	defer func() {
		if r := recover(); r != nil {
			p.complain(fmt.Sprint("internal error: ", r))
			status = 1
		}
	}()
	err := p.main(args)
	if flushErr := p.out.Flush(); err == nil && flushErr != nil {
		err = fmt.Errorf("stdout: %w", flushErr)
	}
	return p.exit(err)
}

// program is one run.
type program struct {
	env
	format ifcfg.Style
	out    *bufio.Writer
	stderr io.Writer
	advice []string
}

// errSilent ends the program with status 1 and no word.
var errSilent = errors.New("")

func (p *program) complain(text string) { fmt.Fprintf(p.stderr, "ifconfig: %s\n", text) }

// exit says what has to be said about the error, and gives the status.
func (p *program) exit(err error) int {
	if usage, ok := errors.AsType[*ifcfg.UsageError](err); ok {
		if usage.Note != "" {
			p.complain(usage.Note)
		}
		fmt.Fprint(p.stderr, p.format.Usage())
		return 1
	}
	if err != nil && err != errSilent {
		p.complain(err.Error())
	}
	p.explain(err)
	if p.hints {
		for _, a := range p.advice {
			p.complain("hint: " + a)
		}
	}
	if err != nil {
		return 1
	}
	return 0
}

// explain keeps what agrd said beyond NetBSD's words, unless there is advice
// already.
func (p *program) explain(err error) {
	r, ok := errors.AsType[*ctl.RequestError](err)
	if ok && r.Detail != "" && r.Detail != r.Errno.Error() && len(p.advice) == 0 {
		p.advice = []string{strings.TrimSuffix(r.Detail, ": "+r.Errno.Error())}
	}
}

func (p *program) main(args []string) error {
	var ok bool
	if p.format, ok = ifcfg.StyleNamed(p.style); !ok {
		return fmt.Errorf("IFCONFIG_STYLE: %s: no such style", p.style)
	}
	o, operands, err := parseOptions(args, p.complain)
	if err != nil {
		return err
	}
	cmd, err := ifcfg.Parse(o.form, operands, p.names)
	if err != nil {
		return err
	}
	k, err := p.kernel()
	if err != nil {
		return err
	}
	s := &ifcfg.Session{
		Kernel: k, Aggr: p.aggr(), Resolver: p.names, Style: p.format, Options: o.show, Out: p.out,
		Warn: func(err error) { p.complain(err.Error()); p.explain(err) },
	}
	if p.hints {
		s.Hint = func(text string) { p.advice = append(p.advice, text) }
	}
	return o.do(s, cmd)
}

// do does what the options and the line ask for.
func (o *options) do(s *ifcfg.Session, cmd *ifcfg.Command) error {
	switch {
	case o.cloners:
		return s.Cloners()
	case o.list:
		return s.List(o.filter)
	case o.wait:
		return wait(s, o.waitSecs, o.linkSecs)
	case o.json && o.form == ifcfg.FormAll:
		return s.StatusAllJSON(o.filter)
	case o.form == ifcfg.FormAll:
		return s.StatusAll(cmd.Family, o.filter)
	case o.form == ifcfg.FormCarrier:
		ok, err := s.Carrier(cmd.Iface)
		if err == nil && !ok {
			err = errSilent
		}
		return err
	case o.json:
		return s.StatusJSON(cmd.Iface)
	case len(cmd.Ops) == 0:
		return s.Status(cmd.Iface, cmd.Family, o.filter)
	}
	return s.Configure(cmd)
}

// waitPoll is the time between two looks at the addresses.
const waitPoll = 10 * time.Millisecond

// wait is -w, with -W; 0 seconds are no limit, or no wait for links.
func wait(s *ifcfg.Session, secs, linkSecs int) error {
	tick := time.NewTicker(waitPoll)
	defer tick.Stop()
	var deadline, links <-chan time.Time
	if secs > 0 {
		deadline = time.After(time.Duration(secs) * time.Second)
	}
	if linkSecs > 0 {
		links = time.After(time.Duration(linkSecs) * time.Second)
	}
	return s.Wait(tick.C, deadline, links)
}
