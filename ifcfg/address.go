package ifcfg

import (
	"math/bits"
	"net/netip"

	"ifagr/agr/ctl"
)

// Action is what a line does with its address.
type Action uint8

// The actions. ActionSet, the zero value, replaces the first inet address and
// adds one of another family.
const (
	ActionSet Action = iota
	ActionAlias
	ActionDelete
)

// Address is the address change of a line: at most one, built from all its
// address words and made after everything else.
type Address struct {
	Family Family   // Inet when the line names none
	Any    bool     // the line names none
	First  AddrWord // the address itself, if Given
	Given  bool
	Second *AddrWord // a mask on a broadcast interface, else the far end
	Masks  []MaskWord
	Cast   *AddrWord // broadcast address
	Action Action
	Active bool // link: make it the interface's address

	EUI64     bool
	Anycast   bool
	Deprecate *bool  // deprecated or -deprecated, whichever came last
	Preferred *int64 // pltime, vltime: seconds
	Valid     *int64
}

// MaskWord is one of the words that can say what the mask is; the last counts.
type MaskWord struct {
	Len    int64     // prefixlen
	Mask   *AddrWord // netmask; nil = Len counts
	Second bool      // stands for the second positional word
}

// Facts about the address words of a line.
const (
	factAddress   fact = "address"
	factSecond    fact = "second address"
	factMask      fact = "mask"
	factBroadcast fact = "broadcast"
	factAction    fact = "alias or delete"
)

// addressFeature brings what every family understands: the positional words,
// netmask, prefixlen, broadcast, alias and delete.
func addressFeature() feature {
	return feature{
		module: modAddress,
		usage: []string{
			"[ af [ address [ dest_addr ] ] [ netmask mask ] [ prefixlen n ]",
			"\t[ alias | -alias ] ]",
		},
		words: addressWords,
	}
}

func addressWords(v *vocabulary) {
	once := rule{Before: []fact{factAction}, Sets: factAction}
	for text, action := range map[string]Action{"alias": ActionAlias, "-alias": ActionDelete, "delete": ActionDelete} {
		v.word(text, once, func(args) step {
			return func(s *sentence) { v.address(s).Action = action }
		})
	}
	v.word("active", rule{}, func(args) step { return func(s *sentence) { v.address(s).Active = true } })
	v.arg("netmask", rule{}, v.addr(rule{Sets: factMask}, false, func(a *Address, w AddrWord) {
		a.Masks = append(a.Masks, MaskWord{Mask: &w})
	}))
	v.arg("prefixlen", rule{}, v.number(false, func(a args) step {
		n := int64(int32(a.Int(0)))
		return func(s *sentence) {
			s.add(&NeedMask{Len: n, Family: v.family})
			p := v.address(s)
			p.Masks = append(p.Masks, MaskWord{Len: n})
		}
	}))
	v.arg("broadcast", rule{}, v.cast(rule{Sets: factBroadcast}))
	v.positionals = append(v.positionals,
		v.addr(rule{Before: []fact{factAddress}, Sets: factAddress}, true, func(a *Address, w AddrWord) {
			a.First, a.Given = w, true
		}),
		v.second(),
		v.cast(rule{After: factMask, Before: []fact{factBroadcast}, Sets: factBroadcast}),
		v.cast(rule{After: factSecond, Before: []fact{factBroadcast}, Sets: factBroadcast}),
	)
}

// address is the sentence's address change.
func (v *vocabulary) address(s *sentence) *Address {
	a := pending[Address](s)
	a.Any, a.Family = v.family == FamilyNone, v.family
	if a.Any {
		a.Family = Inet
	}
	return a
}

// addr is a node for an address word that ends an item.
func (v *vocabulary) addr(r rule, slash bool, set func(*Address, AddrWord)) node {
	return &addrs{
		Rule:  r,
		Parse: parseAddrWord(v.family, v.names, slash),
		Emit: func(a args) step {
			w, _ := a[0].(AddrWord)
			return func(s *sentence) { set(v.address(s), w) }
		},
		Next: v.items,
	}
}

// second is the second positional word; what it means depends on the
// interface, which is looked at in its turn.
func (v *vocabulary) second() node {
	r := rule{After: factAddress, Before: []fact{factSecond, factMask}, Sets: factSecond}
	return &addrs{Rule: r, Parse: parseAddrWord(v.family, v.names, false), Next: v.items, Emit: func(a args) step {
		w, _ := a[0].(AddrWord)
		return func(s *sentence) {
			s.add(&NeedFlags{By: "setifdstormask"})
			p := v.address(s)
			p.Second, p.Masks = &w, append(p.Masks, MaskWord{Mask: &w, Second: true})
		}
	}}
}

// cast is a node for a broadcast address.
func (v *vocabulary) cast(r rule) node {
	return &addrs{Rule: r, Parse: parseAddrWord(v.family, v.names, false), Next: v.items, Emit: func(a args) step {
		w, _ := a[0].(AddrWord)
		return func(s *sentence) {
			s.add(&NeedFlags{By: "setifbroadaddr", Broadcast: true})
			v.address(s).Cast = &w
		}
	}}
}

// NeedFlags looks at the interface's flags in the turn of a word whose meaning
// depends on them.
type NeedFlags struct {
	By        string // NetBSD's name for the place, in the message
	Broadcast bool   // the interface must be a broadcast one
	PointToPt bool   // the interface must be a point-to-point one
}

// Stage implements Op.
func (*NeedFlags) Stage() Stage { return StageNow }

func (n *NeedFlags) apply(c *change) error {
	l, err := c.on()
	if err != nil {
		return failed(n.By+": getifflags", err)
	}
	if n.Broadcast && l.Flags&FlagBroadcast == 0 {
		return errNotBroadcast
	}
	if n.PointToPt && l.Flags&FlagPointToPt == 0 {
		return errNotPointToPt
	}
	return nil
}

// NeedMask looks, in the turn of a prefixlen, whether the family has masks of
// that length, also when the line has no address.
type NeedMask struct {
	Len    int64 // as NetBSD 7 has it: what its low 32 bits are
	Family Family
}

// Stage implements Op.
func (*NeedMask) Stage() Stage { return StageNow }

func (n *NeedMask) apply(*change) error {
	width := -1 // of a family without prefixes
	switch n.Family {
	case FamilyNone, Inet:
		width = 32
	case Inet6:
		width = 128
	case LinkLayer, AppleTalk:
	}
	_, err := prefixMask(n.Len, width)
	return err
}

// Stage implements Op.
func (*Address) Stage() Stage { return StageAddress }

func (a *Address) apply(c *change) error {
	if !a.Given && a.Action != ActionDelete {
		return nil
	}
	foreign := a.Given && a.Any && a.First.IP.Is6()
	if foreign && a.First.PrefixLen > 32 {
		return failed("prefixlen_to_mask", ctl.EINVAL)
	}
	l, err := c.on()
	if err != nil && a.Given {
		return failed("commit_address: getifflags", err)
	}
	if foreign {
		return a.wrongFamily()
	}
	switch a.Family {
	case Inet6:
		return a.inet6(c, l, err)
	case LinkLayer:
		return a.linkLayer(c, l, err)
	case Inet, FamilyNone, AppleTalk:
	}
	return a.inet(c, l, err)
}

// wrongFamily is what an inet6 address without the word inet6 ends in.
func (a *Address) wrongFamily() error {
	if a.Action == ActionDelete {
		return failed("SIOCDIFADDR", ctl.EADDRNOTAVAIL)
	}
	return failed("SIOCAIFADDR", ctl.EAFNOSUPPORT)
}

// mask gives the mask that the words ask for, or the zero Addr when none does;
// width is the family's, in bits.
func (a *Address) mask(l *Link, width int) (netip.Addr, error) {
	for i := len(a.Masks) - 1; i >= 0; i-- {
		m := a.Masks[i]
		if m.Second && l.Flags&FlagBroadcast == 0 {
			continue
		}
		if m.Mask != nil {
			return m.Mask.IP, nil
		}
		return prefixMask(m.Len, width)
	}
	if a.First.PrefixLen >= 0 {
		return prefixMask(int64(a.First.PrefixLen), width)
	}
	return netip.Addr{}, nil
}

// prefixMask is NetBSD's prefixlen_to_mask: a length of 0 gives all ones.
func prefixMask(n int64, width int) (netip.Addr, error) {
	if n < 0 || n > int64(width) {
		return netip.Addr{}, failed("prefixlen_to_mask", ctl.EINVAL)
	}
	if n == 0 {
		n = int64(width)
	}
	return MaskOf(int(n), width), nil
}

// MaskOf is the mask of a prefix length, 0 to width bits; width is 32 or 128.
func MaskOf(n, width int) netip.Addr {
	b := make([]byte, width/8)
	for i := range n {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// PrefixLen is the length of a contiguous mask.
func PrefixLen(mask netip.Addr) (n int, contiguous bool) {
	b := mask.AsSlice()
	for i, o := range b {
		if o == 0xff {
			n += 8
			continue
		}
		ones := bits.LeadingZeros8(^o)
		if o<<ones != 0 {
			return 0, false
		}
		for _, rest := range b[i+1:] {
			if rest != 0 {
				return 0, false
			}
		}
		return n + ones, true
	}
	return n, true
}

// fits reports whether all addresses are of the family with that many bits: a
// line that names no family can mix them.
func (a *Address) fits(width int) bool {
	ok := a.First.IP.BitLen() == width
	for _, m := range a.Masks {
		ok = ok && (m.Mask == nil || m.Mask.IP.BitLen() == width)
	}
	for _, w := range []*AddrWord{a.Second, a.Cast} {
		ok = ok && (w == nil || w.IP.BitLen() == width)
	}
	return ok
}

// destination is the far end that the line names, if the interface has one.
func (a *Address) destination(l *Link) netip.Addr {
	if a.Second == nil || l.Flags&FlagPointToPt == 0 {
		return netip.Addr{}
	}
	return a.Second.IP
}

// seconds turns a lifetime word into a lifetime. As in NetBSD the number is what
// its low 32 bits are, so that -1 has no end.
func seconds(n *int64) uint32 {
	if n == nil {
		return Infinite
	}
	return uint32(*n)
}
