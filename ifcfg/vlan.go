package ifcfg

import (
	"strings"

	"ifagr/agr/ctl"
)

// vlanFeature brings the words of vlan(4), and prints what an interface is
// attached to.
func vlanFeature() feature {
	return feature{
		module: modVLAN,
		usage:  []string{"[ vlan n vlanif i ] [ -vlanif i ]"},
		words:  vlanWords,
		status: map[section]func(*printer) error{secVLAN: printVLAN},
	}
}

const (
	factVLAN fact = "vlan"

	maxVLANWord   = 65535 // what the parser takes
	maxTag        = 4095  // what NetBSD 7 takes
	errNotVLAN    = complaint("valid only with vlan(4) interfaces")
	requestVLAN   = "SIOCSETVLAN"
	readVLAN      = "setvlan: getvlan"
	readVLANOfIts = "setvlanif: getsock" // NetBSD's words for the same request
)

func vlanWords(v *vocabulary) {
	// The tag is an argument of both words: of vlan itself, and of the vlanif
	// that may follow anywhere behind it.
	v.arg("vlan", rule{Sets: factVLAN}, &ints{Max: maxVLANWord, Next: v.items, Emit: func(a args) step {
		return func(s *sentence) { s.tag = int(a.Int(0)); s.add(&SetTag{Tag: s.tag}) }
	}})
	v.arg("vlanif", rule{After: factVLAN}, &iface{Max: maxIfaceName, Next: v.items, Emit: func(a args) step {
		return func(s *sentence) { s.add(&Attach{Tag: s.tag, Parent: a.String(0)}) }
	}})
	// What follows is not looked at: it used to be the parent's name.
	v.keywords = append(v.keywords, word{Text: "-vlanif", Rest: true, Emit: func(args) step {
		return func(s *sentence) { s.add(&Attach{}) }
	}})
}

// SetTag would give an attached vlan(4) interface its tag, which NetBSD refuses
// until it is detached. Without a parent a tag means nothing.
type SetTag struct {
	Tag int // 0 to 65535
}

// Stage implements Op.
func (*SetTag) Stage() Stage { return StageNow }

func (t *SetTag) apply(c *change) error {
	l, err := c.vlan(readVLAN)
	if err != nil {
		return err
	}
	if l.VLAN.Parent == "" {
		return nil
	}
	if t.Tag > maxTag {
		return failed(requestVLAN, ctl.EINVAL)
	}
	return failed(requestVLAN, ctl.EBUSY)
}

// Attach puts a vlan(4) interface onto its parent; without a parent it detaches
// it, which one that is not attached bears as well.
type Attach struct {
	Tag    int    // 0 to 65535
	Parent string // "" detaches
}

// Stage implements Op.
func (*Attach) Stage() Stage { return StageNow }

func (a *Attach) apply(c *change) error {
	l, err := c.vlan(readVLANOfIts)
	if err != nil {
		return err
	}
	run := a.attach
	if a.Parent == "" {
		run = a.detach
	}
	if err := run(c, l); err != nil {
		return failed(requestVLAN, err)
	}
	c.forget()
	return nil
}

// detach leaves the interface down and with its inet addresses only.
func (a *Attach) detach(c *change, l *Link) error {
	if l.VLAN.Parent == "" {
		return nil
	}
	if err := c.notPort(l); err != nil {
		return err
	}
	if err := c.Kernel.SetVLAN(l.Index, VLAN{}); err != nil {
		return err
	}
	all, err := c.Kernel.Addrs(l.Index)
	if err != nil {
		return err
	}
	for _, own := range all[l.Index] {
		if own.IP.Is4() {
			continue
		}
		if err := c.Kernel.DelAddr(l.Index, own.IP); err != nil {
			return err
		}
	}
	return c.Kernel.SetFlags(l.Index, 0, FlagUp)
}

// attach looks at the tag first, then at the parent, then at the interface
// itself, as NetBSD's kernel does. Linux has no room for tags 0 and 4095.
func (a *Attach) attach(c *change, l *Link) error {
	if a.Tag > maxTag {
		return ctl.EINVAL
	}
	parent, err := c.Kernel.Link(a.Parent[:min(len(a.Parent), maxUsableIfName)])
	if err != nil {
		return ctl.ENOENT
	}
	if l.VLAN.Parent != "" {
		return ctl.EBUSY
	}
	if err := c.carriesVLANs(&parent); err != nil {
		return err
	}
	if a.Tag == 0 || a.Tag == maxTag {
		return ctl.EINVAL
	}
	return c.putOnto(l, &parent, uint16(a.Tag))
}

// putOnto attaches the interface, which is up then if its parent is. One that
// is up cannot be put onto a parent that is down.
func (c *change) putOnto(l, parent *Link, tag uint16) error {
	up := parent.Flags&FlagUp != 0
	if !up {
		if err := c.Kernel.SetFlags(l.Index, 0, FlagUp); err != nil {
			return err
		}
	}
	if err := c.Kernel.SetVLAN(l.Index, VLAN{Tag: tag, Parent: parent.Name}); err != nil || !up {
		return err
	}
	return c.Kernel.SetFlags(l.Index, FlagUp, 0)
}

// carriesVLANs is EPROTONOSUPPORT for an interface that is no Ethernet one. An
// agr interface becomes one with its first port.
func (c *change) carriesVLANs(l *Link) error {
	switch l.Class {
	case ClassEthernet, ClassBridge:
	case ClassOther, ClassLoopback, ClassVLAN:
		return ctl.EPROTONOSUPPORT
	}
	if !isAgr(l.Name) {
		return nil
	}
	ports, err := c.Aggr.Ports(l.Name)
	if err == nil && len(ports) == 0 {
		err = ctl.EPROTONOSUPPORT
	}
	return err
}

// vlan gives the line's interface, which must have a vlan(4) name: the prefix
// and a digit.
func (c *change) vlan(request string) (*Link, error) {
	unit, ok := strings.CutPrefix(c.name, "vlan")
	if !ok || unit == "" || !isDigit(unit[0]) {
		return nil, errNotVLAN
	}
	l, err := c.on()
	if err != nil {
		return nil, failed(request, err)
	}
	return l, nil
}

func printVLAN(p *printer) error {
	if v := p.link.VLAN; v.Parent != "" {
		p.printf("\tvlan: %d parent: %s\n", v.Tag, v.Parent)
	}
	return nil
}
