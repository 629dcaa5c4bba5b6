package ifcfg

import (
	"fmt"
	"io"
	"net/netip"
	"slices"

	"ifagr/agr/ctl"
)

// Resolver knows host names. A nil Resolver knows none.
type Resolver interface {
	// LookupHost gives the addresses of a name, of one family (Inet or Inet6)
	// or of both (FamilyNone).
	LookupHost(name string, f Family) ([]netip.Addr, error)
	// LookupAddr gives the name of an address.
	LookupAddr(netip.Addr) (string, error)
}

// Options change what a status shows.
type Options struct {
	Verbose        bool // -v: counters, and what agrd knows about its ports
	Human          bool // -h: byte counts with a unit
	Lifetimes      bool // -L: of inet6 addresses
	Names          bool // -N: of hosts in place of addresses
	SupportedMedia bool // -m
	Zero           bool // -z: counters, which then begin again
}

// Session is one run of the program: what it works on and where it prints.
type Session struct {
	Kernel   Kernel
	Aggr     Aggr
	Resolver Resolver
	Style    Style
	Options  Options
	Out      io.Writer
	Warn     func(error)  // takes complaints that do not end the run
	Hint     func(string) // takes advice that NetBSD's ifconfig would not give; nil = unwanted
}

// Stage orders the operations of a line (ifconfig(8) applies them so, whatever
// their order in the line).
type Stage uint8

// The stages. StageNow operations happen in the order of their words.
const (
	StageNow Stage = iota
	StageMedia
	StageAddress
	StagePreference
	StageCapabilities
	StageEtherCaps
)

// Op is one change that a line asks for.
type Op interface {
	Stage() Stage
	// apply makes the change. An error that is neither a failure nor a
	// complaint leaves the words to the caller.
	apply(*change) error
}

// change is the run of one line.
type change struct {
	*Session
	name   string
	family Family
	link   *Link // as read first; its index and class stay what they are
}

// failure is a request that did not work.
type failure struct {
	request string
	cause   error
}

// Error is what err(3) would print: of the cause only NetBSD's text.
func (f *failure) Error() string { return f.request + ": " + ctl.ErrnoOf(f.cause).Error() }

// Unwrap is the cause, with what agrd or the kernel had to say about it.
func (f *failure) Unwrap() error { return f.cause }

func failed(request string, err error) error { return &failure{request: request, cause: err} }

// complaint is an error that no request made, with NetBSD's words for it.
type complaint string

func (c complaint) Error() string { return string(c) }

// Complaints of NetBSD's ifconfig(8).
const (
	errNotAgr       complaint = "valid only with agr(4) interfaces"
	errNotBroadcast complaint = "not a broadcast interface"
	errNotPointToPt complaint = "not a point-to-point interface" // ours
	errIfFlags      complaint = "unsupported interface flags"
	errMaskOfLink   complaint = "netmask not supported"
	errTimedOut     complaint = "timed out"
	errNoLocal      complaint = "could not determine link local address" // of eui64
)

// Configure applies the operations of the command. What was done before an
// operation failed stays done, as in NetBSD.
func (s *Session) Configure(cmd *Command) error {
	c := &change{Session: s, name: cmd.Iface, family: cmd.Family}
	addresses := slices.IndexFunc(cmd.Ops, func(op Op) bool { return op.Stage() >= StageAddress })
	if addresses < 0 {
		addresses = len(cmd.Ops)
	}
	if err := c.apply(cmd.Ops[:addresses]); err != nil {
		return err
	}
	// Only now does NetBSD's ifconfig look whether the kernel has the family.
	if cmd.Family != FamilyNone && !s.hasFamily(cmd.Family) {
		return failed("main: getsock", ctl.EAFNOSUPPORT)
	}
	return c.apply(cmd.Ops[addresses:])
}

func (c *change) apply(ops []Op) error {
	for _, op := range ops {
		if err := op.apply(c); err != nil {
			return worded(err)
		}
	}
	return nil
}

// worded gives an error the words that NetBSD has for a word of the line that
// does not complain itself.
func worded(err error) error {
	switch err.(type) { //nolint:errorlint // what is wrapped in something else has no words
	case *failure, complaint:
		return err
	}
	return failed("exec_matches", err)
}

func (s *Session) hasFamily(f Family) bool {
	switch f {
	case Inet, Inet6:
		return s.Kernel.HasFamily(f)
	case AppleTalk:
		return false
	case FamilyNone, LinkLayer:
	}
	return true
}

// on gives the interface that the line is about.
func (c *change) on() (*Link, error) {
	if c.link == nil {
		l, err := c.Kernel.Link(c.name)
		if err != nil {
			return nil, err
		}
		c.link = &l
	}
	return c.link, nil
}

// forget makes the next on look again: the interface is another one now.
func (c *change) forget() { c.link = nil }

// notPort is EBUSY when the interface is a port of an agr: such an interface
// refuses what would disturb the aggregate (agr(4)).
func (c *change) notPort(l *Link) error {
	owner, err := c.Aggr.Owner(l.Name)
	if err != nil {
		return err
	}
	if owner != "" {
		return ctl.EBUSY
	}
	return nil
}

// hint gives advice, if it is wanted.
func (s *Session) hint(format string, a ...any) {
	if s.Hint != nil {
		s.Hint(fmt.Sprintf(format, a...))
	}
}
