package ifcfg

import (
	"net/netip"
	"strconv"

	"ifagr/agr/ctl"
)

// tunnelFeature brings the two ends of a tunnel, and prints them.
func tunnelFeature() feature {
	return feature{
		module: modTunnel,
		usage:  []string{"[ [ af ] tunnel src_addr dest_addr ] [ deletetunnel ]"},
		words:  tunnelWords,
		status: map[section]func(*printer) error{secTunnel: printTunnel},
	}
}

// Complaints about the ends of a tunnel, ifconfig(8).
const (
	errTunnelFamilies complaint = "source and destination address families do not match"
	errTunnelScope    complaint = "scope mismatch"
	errTunnelGroup    complaint = "tunnel src/dst is multicast"
)

func tunnelWords(v *vocabulary) {
	end := func(next node, emit func(args) step) node {
		return &addrs{Parse: parseAddrWord(v.family, v.names, false), Next: next, Emit: emit}
	}
	v.arg("tunnel", rule{}, end(end(v.items, func(a args) step {
		src, _ := a[0].(AddrWord)
		dst, _ := a[1].(AddrWord)
		return func(s *sentence) { s.add(&SetTunnel{Src: src, Dst: dst}) }
	}), nil))
	v.word("deletetunnel", rule{}, func(args) step {
		return func(s *sentence) { s.add(&DeleteTunnel{}) }
	})
}

// SetTunnel gives the line's interface both ends of its tunnel. A refusal of
// the kernel's is a warning.
type SetTunnel struct {
	Src, Dst AddrWord
}

// Stage implements Op.
func (*SetTunnel) Stage() Stage { return StageNow }

func (t *SetTunnel) apply(c *change) error {
	src, dst := t.Src.IP, t.Dst.IP
	switch {
	case src.BitLen() != dst.BitLen():
		return errTunnelFamilies
	case src.Zone() != dst.Zone():
		return errTunnelScope
	case src.Is6() && (src.IsMulticast() || dst.IsMulticast()):
		return errTunnelGroup
	}
	if err := t.set(c); err != nil {
		c.Warn(failed("SIOCSLIFPHYADDR", err))
	}
	return nil
}

func (t *SetTunnel) set(c *change) error {
	l, err := c.on()
	if err != nil {
		return err
	}
	if !t.Src.IP.IsValid() { // of a family that carries no tunnels
		return ctl.EAFNOSUPPORT
	}
	if err := c.notPort(l); err != nil {
		return err
	}
	c.forget()
	return c.Kernel.SetTunnel(l.Index, Tunnel{
		Src: netip.AddrPortFrom(t.Src.IP, t.Src.Port), Dst: netip.AddrPortFrom(t.Dst.IP, t.Dst.Port),
	})
}

// DeleteTunnel takes both ends away.
type DeleteTunnel struct{}

// Stage implements Op.
func (*DeleteTunnel) Stage() Stage { return StageNow }

func (*DeleteTunnel) apply(c *change) error {
	l, err := c.on()
	if err == nil {
		err = c.notPort(l)
	}
	if err == nil {
		c.forget()
		err = c.Kernel.SetTunnel(l.Index, Tunnel{})
	}
	if err != nil {
		return failed("SIOCDIFPHYADDR", err)
	}
	return nil
}

func printTunnel(p *printer) error {
	t := p.link.Tunnel
	if !t.Src.IsValid() || !t.Dst.IsValid() {
		return nil
	}
	af := "inet"
	if t.Src.Addr().Is6() {
		af = "inet6"
	}
	p.printf("\ttunnel %s %s --> %s\n", af, p.end(t.Src), p.end(t.Dst))
	return nil
}

// end is one end of a tunnel, with its port if it has one.
func (p *printer) end(a netip.AddrPort) string {
	if a.Port() == 0 {
		return p.host(a.Addr())
	}
	return p.host(a.Addr()) + "," + strconv.Itoa(int(a.Port()))
}
