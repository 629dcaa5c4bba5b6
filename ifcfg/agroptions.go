package ifcfg

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"ifagr/agr/ctl"
	"ifagr/ifcfg/grammar"
	"ifagr/netutil/ether"
)

// The words for what agr(4) cannot configure (design D13). They are ours, stand
// in no usage text, and are valid with agr interfaces only.

// SetOptions changes options of the line's agr interface. Words that stand
// together are one request: all of them take effect or none does.
type SetOptions struct{ Settings []ctl.Setting }

// Stage implements Op.
func (*SetOptions) Stage() Stage { return StageNow }

func (o *SetOptions) apply(c *change) error {
	if !agrName(c.name) {
		return errNotAgr
	}
	all := make([]ctl.Setting, len(o.Settings))
	for i, s := range o.Settings {
		s.Port = s.Port[:min(len(s.Port), maxUsableIfName)]
		if s.Port != "" {
			if l, err := c.Kernel.Link(s.Port); err == nil {
				s.Port = l.Name // agrd knows an interface by one name
			}
		}
		all[i] = s
	}
	if err := c.Aggr.SetOptions(c.name, all); err != nil {
		return failed("SIOCSETAGR", err)
	}
	return nil
}

// option adds a setting to the request that the word before began, or begins one.
func option(set ctl.Setting) step {
	return func(s *sentence) {
		if len(s.ops) > 0 {
			if last, ok := s.ops[len(s.ops)-1].(*SetOptions); ok {
				last.Settings = append(last.Settings, set)
				return
			}
		}
		s.add(&SetOptions{Settings: []ctl.Setting{set}})
	}
}

// agrOptionWords adds them.
func agrOptionWords(v *vocabulary) {
	v.optionChoice("lacpmode", ctl.OptMode, "active", "passive")
	v.optionChoice("lacptimeout", ctl.OptTimeout, "slow", "fast")
	v.optionChoice("agrhash", ctl.OptHash, "l2", "l3", "l4")
	v.optionNumber("lacpsyspri", ctl.OptSystemPrio)
	v.optionNumber("lacpkey", ctl.OptKey)
	v.optionNumber("maxports", ctl.OptMaxPorts)
	v.optionPair("minlinks", ctl.OptMinLinks)
	v.optionPair("lacprestore", ctl.OptWaitRestore)
	v.optionSwitch("lacpcoupled", ctl.OptCoupled, ctl.ControlCoupled, ctl.ControlIndependent)
	v.optionSwitch("lacpstrict", ctl.OptFallback, ctl.FallbackNone, ctl.FallbackAll)
	v.arg("lacpportpri", rule{}, &iface{Max: maxIfaceName, Next: &ints{
		Max: math.MaxUint32, Next: v.items, Emit: func(a args) step {
			return option(ctl.Setting{Option: ctl.OptPortPrio, Port: a.String(0), A: uint32(a.Int(1))})
		},
	}})
	v.arg("lacpfallback", rule{}, v.fallback())
	v.arg("agrmac", rule{}, v.macPolicy())
}

// optionSwitch adds a word and the one with a dash before it.
func (v *vocabulary) optionSwitch(text string, o ctl.Option, on, off uint32) {
	v.word(text, rule{}, func(args) step { return option(ctl.Setting{Option: o, A: on}) })
	v.word("-"+text, rule{}, func(args) step { return option(ctl.Setting{Option: o, A: off}) })
}

// optionChoice adds a word behind which one of others stands, in the order of
// their numbers.
func (v *vocabulary) optionChoice(text string, o ctl.Option, choices ...string) {
	v.arg(text, rule{}, v.choice(o, choices...))
}

func (v *vocabulary) choice(o ctl.Option, choices ...string) node {
	var words []word
	for i, c := range choices {
		words = append(words, word{Text: c, Next: v.items, Emit: func(args) step {
			return option(ctl.Setting{Option: o, A: uint32(i)})
		}})
	}
	return grammar.NewKeywords(words...)
}

// optionNumber adds a word with a number. Which numbers are possible agrd knows.
func (v *vocabulary) optionNumber(text string, o ctl.Option) {
	v.arg(text, rule{}, &ints{Max: math.MaxUint32, Next: v.items, Emit: func(a args) step {
		return option(ctl.Setting{Option: o, A: uint32(a.Int(0))})
	}})
}

// optionPair adds a word with N or N,M.
func (v *vocabulary) optionPair(text string, o ctl.Option) {
	v.arg(text, rule{}, &addrs{Parse: parsePair, Next: v.items, Emit: func(a args) step {
		n, _ := a[0].(pair)
		return option(ctl.Setting{Option: o, A: n.first, B: n.second})
	}})
}

// pair is two numbers, of which the second may be missing: 0, which is no second
// number of any option.
type pair struct{ first, second uint32 }

func parsePair(text string) (any, bool, error) {
	first, second, two := strings.Cut(text, ",")
	n, ok := parseCount(first)
	p := pair{first: n}
	if two && ok {
		p.second, ok = parseCount(second)
		ok = ok && p.second > 0
	}
	return p, ok, nil
}

func parseCount(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil
}

// fallback takes all, single or none, each also with a comma and seconds.
func (v *vocabulary) fallback() node {
	names := []string{"all", "single", "none"}
	b := &grammar.Branch[step]{}
	b.Add(v.choice(ctl.OptFallback, names...), &addrs{
		Parse: func(text string) (any, bool, error) {
			name, after, _ := strings.Cut(text, ",")
			for i, n := range names {
				if n == name {
					secs, ok := parseCount(after)
					return pair{uint32(i), secs}, ok, nil
				}
			}
			return nil, false, nil
		},
		Next: v.items,
		Emit: func(a args) step {
			p, _ := a[0].(pair)
			return option(ctl.Setting{Option: ctl.OptFallback, A: p.first, B: p.second})
		},
	})
	return b
}

// macPolicy takes first, follow, or fixed and an address.
func (v *vocabulary) macPolicy() node {
	fixed := &addrs{
		Parse: func(text string) (any, bool, error) {
			a, err := ether.ParseAddr(text)
			return a, err == nil, nil
		},
		Next: v.items,
		Emit: func(a args) step {
			addr, _ := a[0].(ether.Addr)
			return option(ctl.Setting{Option: ctl.OptMACPolicy, A: ctl.MACFixed, MAC: addr})
		},
	}
	b := &grammar.Branch[step]{}
	b.Add(v.choice(ctl.OptMACPolicy, "first", "follow"), grammar.NewKeywords(word{Text: "fixed", Next: fixed}))
	return b
}

// defaultPriority is agr(4)'s, of a system or a port.
const defaultPriority = 0x8000

// agrOptions prints the options that are not agr(4)'s constants, as the words
// that set them: those of LACP, and the others.
func (p *printer) agrOptions(st *ctl.Status) {
	for _, words := range [][]string{lacpWords(st), otherWords(&st.Options)} {
		if len(words) > 0 {
			p.printf("\toptions: %s\n", strings.Join(words, " "))
		}
	}
}

func lacpWords(st *ctl.Status) (words []string) {
	o := &st.Options
	add := func(differs bool, format string, a ...any) {
		if differs {
			words = append(words, fmt.Sprintf(format, a...))
		}
	}
	add(o.Mode != "active", "lacpmode %s", o.Mode)
	add(o.Timeout != "slow", "lacptimeout %s", o.Timeout)
	add(o.SystemPriority != defaultPriority, "lacpsyspri %d", o.SystemPriority)
	add(o.Key != 0, "lacpkey %d", o.Key)
	add(o.FallbackAfter != 0, "lacpfallback %s,%d", o.Fallback, o.FallbackAfter)
	add(o.FallbackAfter == 0 && o.Fallback != "all", "lacpfallback %s", o.Fallback)
	add(o.Coupled, "lacpcoupled")
	add(o.RestoreMin != 0, "lacprestore %s", pairOf(o.RestoreMin, o.RestoreMax))
	for _, ps := range st.Ports {
		add(ps.Actor.PortPriority != defaultPriority, "lacpportpri %s %d", ps.Name, ps.Actor.PortPriority)
	}
	return words
}

func otherWords(o *ctl.Options) (words []string) {
	if o.MinLinks != 1 || o.MinLinksDown != 1 {
		words = append(words, "minlinks "+pairOf(o.MinLinks, o.MinLinksDown))
	}
	if o.MaxPorts != 0 {
		words = append(words, fmt.Sprintf("maxports %d", o.MaxPorts))
	}
	if o.Hash != "l3" {
		words = append(words, "agrhash "+o.Hash)
	}
	switch o.MACPolicy {
	case "first":
	case "fixed":
		words = append(words, "agrmac fixed "+o.FixedMAC.String())
	default:
		words = append(words, "agrmac "+o.MACPolicy)
	}
	return words
}

// pairOf is N or N,M as optionPair takes it.
func pairOf(first, second uint32) string {
	if first == second {
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%d,%d", first, second)
}
