package ifcfg

import (
	"math"
	"strconv"

	"ifagr/agr/ctl"
	"ifagr/ifcfg/grammar"
	"ifagr/netutil/ether"
)

// netToolsFeature brings words of Linux's other ifconfig, that of net-tools, as
// far as no NetBSD line changes its meaning through them. The usage text has
// none of them. A word that could be the name of a host is one of these words
// only when something follows that could not follow a host.
func netToolsFeature() feature {
	return feature{words: func(v *vocabulary) {
		v.flag("promisc", "-promisc", FlagPromisc, 0)
		v.flag("allmulti", "-allmulti", FlagAllMulti, 0)
		v.flag("multicast", "-multicast", FlagMulticast, 0)
		v.tuningWords()
		v.hardwareWord()
		v.destinationWords()
		v.moreWord("add", ActionAlias)
		v.moreWord("del", ActionDelete)
	}}
}

// before adds a keyword that is one only before a word that fits.
func (v *vocabulary) before(text string, r rule, fits func(string) bool, next node) {
	v.keywords = append(v.keywords, word{Text: text, Rule: r, Next: next, If: func(after []string) bool {
		return len(after) > 0 && fits(after[0])
	}})
}

// literal reports an address of the line's family that is written as a number.
func (v *vocabulary) literal(slash bool) func(string) bool {
	parse := parseAddrWord(v.family, nil, slash)
	return func(text string) bool {
		_, ok, _ := parse(text)
		return ok
	}
}

func (v *vocabulary) tuningWords() {
	number := func(text string) bool { _, err := strconv.ParseUint(text, 10, 31); return err == nil }
	v.before("txqueuelen", rule{}, number, v.between(0, math.MaxInt32, func(a args) step {
		return func(s *sentence) { s.add(&SetQueueLen{Frames: int(a.Int(0))}) }
	}))
	anything := func(text string) bool { return text != "" }
	v.before("name", rule{}, anything, &iface{Max: maxUsableIfName, Next: v.items, Emit: func(a args) step {
		return func(s *sentence) { s.add(&Rename{Name: a.String(0)}) }
	}})
}

// hardwareWord adds "hw ether MAC", where ether may be left out.
func (v *vocabulary) hardwareWord() {
	parse := parseAddrWord(LinkLayer, nil, false)
	mac := &addrs{Parse: parse, Next: v.items, Emit: func(a args) step {
		w, _ := a[0].(AddrWord)
		return func(s *sentence) { s.add(&SetHardware{Addr: w}) }
	}}
	six := func(text string) bool {
		o, ok := parseOctets(text)
		return ok && len(o) == ether.AddrLen
	}
	next := &grammar.Branch[step]{}
	next.Add(grammar.NewKeywords(word{Text: "ether", Next: mac}), mac)
	v.keywords = append(v.keywords, word{Text: "hw", Next: next, If: func(after []string) bool {
		if len(after) > 1 && after[0] == "ether" {
			after = after[1:]
		}
		return len(after) > 0 && six(after[0])
	}})
}

// destinationWords add two names for the far end of a point-to-point link.
func (v *vocabulary) destinationWords() {
	r := rule{Before: []fact{factSecond}, Sets: factSecond}
	for _, text := range []string{"pointopoint", "dstaddr"} {
		v.before(text, rule{}, v.literal(false), &addrs{
			Rule: r, Parse: parseAddrWord(v.family, nil, false), Next: v.items, Emit: func(a args) step {
				w, _ := a[0].(AddrWord)
				return func(s *sentence) {
					s.add(&NeedFlags{By: "setifdstaddr", PointToPt: true})
					v.address(s).Second = &w
				}
			},
		})
	}
}

// moreWord adds a word that changes an address beside the line's own. Without a
// family the address tells which one it is.
func (v *vocabulary) moreWord(text string, action Action) {
	fits := v.literal(true)
	if v.family == LinkLayer || v.family == AppleTalk {
		fits = func(string) bool { return false }
	}
	v.before(text, rule{}, fits, &addrs{
		Parse: parseAddrWord(v.family, nil, true), Next: v.items, Emit: func(a args) step {
			w, _ := a[0].(AddrWord)
			return func(s *sentence) {
				s.add(&MoreAddress{Change: Address{Family: familyOf(w.IP), First: w, Given: true, Action: action}})
			}
		},
	})
}

// SetHardware makes an address the interface's link-layer address, in the turn
// of its word.
type SetHardware struct {
	Addr AddrWord
}

// Stage implements Op.
func (*SetHardware) Stage() Stage { return StageNow }

func (h *SetHardware) apply(c *change) error {
	a := Address{Family: LinkLayer, First: h.Addr, Given: true, Active: true}
	return a.apply(c)
}

// MoreAddress adds or removes one address beside the line's own.
type MoreAddress struct {
	Change Address
}

// Stage implements Op.
func (*MoreAddress) Stage() Stage { return StageAddress }

func (m *MoreAddress) apply(c *change) error { return m.Change.apply(c) }

// SetQueueLen sets how many frames may wait to be sent.
type SetQueueLen struct {
	Frames int
}

// Stage implements Op.
func (*SetQueueLen) Stage() Stage { return StageNow }

func (q *SetQueueLen) apply(c *change) error {
	l, err := c.on()
	if err == nil {
		err = c.Kernel.SetQueueLen(l.Index, q.Frames)
	}
	if err != nil {
		return failed("SIOCSIFTXQLEN", err)
	}
	return nil
}

// Rename gives the interface another name, by which the rest of the line goes
// on to mean it.
type Rename struct {
	Name string
}

// Stage implements Op.
func (*Rename) Stage() Stage { return StageNow }

func (r *Rename) apply(c *change) error {
	if err := r.rename(c); err != nil {
		return failed("SIOCSIFNAME", err)
	}
	c.name = r.Name
	c.forget()
	return nil
}

// rename refuses interfaces that agrd knows by their name.
func (r *Rename) rename(c *change) error {
	l, err := c.on()
	if err != nil {
		return err
	}
	if isAgr(l.Name) || isAgr(r.Name) {
		return ctl.EBUSY
	}
	if err := c.notPort(l); err != nil {
		return err
	}
	return c.Kernel.Rename(l.Index, r.Name)
}
