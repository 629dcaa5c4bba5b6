package netstart

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"ifagr/ifcfg"
)

// Runner configures the interfaces of a machine.
type Runner struct {
	Files   fs.FS          // /etc, or what is there in its place
	Session *ifcfg.Session // what the lines work on; Warn and Hint are set for each line
	// Shell runs the command of an !command line; iface is what $int is for it.
	Shell func(ctx context.Context, command, iface string) error
	// Report takes what failed, and complaints that are no failure. The place
	// is a file with the number of a line, "ifconfig.agr0:3", or only a file.
	Report func(place string, err error)
	Hint   func(place, text string) // takes advice; nil = unwanted
}

// run is one run.
type run struct {
	*Runner
	ctx         context.Context
	vars        map[string]variable
	varsTrusted bool
	failed      int
}

// Run configures the named interfaces, in that order, or without names all that
// exist or can be created and have a script. It gives the number of failures,
// all of which it has reported. When ctx is done it begins no other line.
func (r *Runner) Run(ctx context.Context, names ...string) (failed int) {
	n := &run{Runner: r, ctx: ctx}
	text, trusted, err := n.read(rcFile)
	if err != nil {
		n.fail(rcFile, err)
	}
	n.vars, n.varsTrusted = variables(text), trusted
	if len(names) == 0 {
		n.loopback()
	}
	scripts := n.plan(names)
	for _, s := range scripts {
		n.start(s)
	}
	n.aliases(scripts, names)
	return n.failed
}

// loopback gives lo0 the address without which little works. An address that
// is there is left alone, because what uses it would lose it for a moment.
func (r *run) loopback() {
	l, err := r.Session.Kernel.Link(lo0)
	if err != nil {
		r.fail(lo0, err)
		return
	}
	addrs, err := r.Session.Kernel.Addrs(l.Index)
	if err != nil {
		r.fail(lo0, err)
		return
	}
	up := l.Flags&ifcfg.FlagUp != 0
	local := func(a ifcfg.Addr) bool { return a.IP.Is4() && a.IP.IsLoopback() }
	if !up || !slices.ContainsFunc(addrs[l.Index], local) {
		r.configure(lo0, lo0, []string{"inet", "127.0.0.1"})
	}
}

// start runs the script of one interface, which is created when it is missing.
func (r *run) start(s *script) {
	if !r.isThere(s.iface) {
		r.configure(s.file, s.iface, []string{"create"})
	}
	for _, l := range s.lines {
		if r.ctx.Err() != nil {
			r.fail(at(s.file, l.number), r.ctx.Err())
			return
		}
		r.line(s, l)
	}
}

// isThere asks the kernel, and where it knows nothing the list, which has
// interfaces that do not exist in Linux yet.
func (r *run) isThere(name string) bool {
	if _, err := r.Session.Kernel.Link(name); err == nil {
		return true
	}
	return slices.Contains(r.existing(), name)
}

// line runs one line.
func (r *run) line(s *script, l line) {
	place := at(s.file, l.number)
	command, isCommand := strings.CutPrefix(l.text, "!")
	switch {
	case l.text == "create": // it is there by now
	case l.text == "dhcp":
		r.fail(place, errDHCP)
	case isCommand && !s.trusted:
		r.fail(place, errUntrusted)
	case isCommand:
		if err := r.Shell(r.ctx, command, s.iface); err != nil {
			r.fail(place, fmt.Errorf("%s: %w", l.text, err))
		}
	default:
		words, err := splitWords(l.text)
		if err != nil {
			r.fail(place, err)
			return
		}
		r.configure(place, s.iface, words)
	}
}

var (
	errDHCP      = errors.New("dhcp: agrd runs no DHCP client; start one by an !command line, or by other means")
	errUntrusted = errors.New("the command is not run: the file must belong to root and be writable by nobody else")
)

// configure runs one ifconfig.
func (r *run) configure(place, iface string, words []string) {
	s := *r.Session
	s.Warn = func(err error) { r.Report(place, err) }
	s.Hint = nil
	if r.Hint != nil {
		s.Hint = func(text string) { r.Hint(place, text) }
	}
	cmd, err := ifcfg.Parse(ifcfg.FormCommand, append([]string{iface}, words...), s.Resolver)
	switch usage, isUsage := errors.AsType[*ifcfg.UsageError](err); {
	case isUsage:
		err = notUnderstood(words, usage.Note)
	case err != nil:
	case len(cmd.Ops) == 0:
		err = s.Status(cmd.Iface, cmd.Family, ifcfg.Filter{})
	default:
		err = s.Configure(cmd)
	}
	if err != nil {
		r.fail(place, err)
	}
}

func notUnderstood(words []string, note string) error {
	err := fmt.Errorf("not understood: %s", strings.Join(words, " "))
	if note != "" {
		err = fmt.Errorf("%w: %s", err, note)
	}
	return err
}

func (r *run) fail(place string, err error) {
	r.failed++
	r.Report(place, err)
}

// at is the place of a line.
func at(file string, number int) string { return fmt.Sprintf("%s:%d", file, number) }
