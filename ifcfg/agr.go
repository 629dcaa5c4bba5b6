package ifcfg

import (
	"encoding/json"
	"errors"
	"fmt"

	"ifagr/agr/ctl"
)

// agrFeature brings the words of agr(4), and prints the ports.
func agrFeature() feature {
	return feature{
		module: modAgr,
		usage:  []string{"[ agrport i ] [ -agrport i ]"},
		words:  agrWords,
		status: map[section]func(*printer) error{secAgr: printAgr},
	}
}

func agrWords(v *vocabulary) {
	for text, add := range map[string]bool{"agrport": true, "-agrport": false} {
		v.arg(text, rule{}, &iface{Max: maxIfaceName, Next: v.items, Emit: func(a args) step {
			return func(s *sentence) { s.add(&SetPort{Port: a.String(0), Add: add}) }
		}})
	}
	agrOptionWords(v)
}

// SetPort adds a port to the line's agr interface, or removes it.
type SetPort struct {
	Port string
	Add  bool
}

// Stage implements Op.
func (*SetPort) Stage() Stage { return StageNow }

// apply looks at the interface's name before anything else, as NetBSD does.
func (p *SetPort) apply(c *change) error {
	if !agrName(c.name) {
		return errNotAgr
	}
	port := p.Port[:min(len(p.Port), maxUsableIfName)]
	if l, err := c.Kernel.Link(port); err == nil {
		port = l.Name // agrd knows an interface by one name
	}
	keeps := ""
	if !p.Add {
		keeps = c.keepsAddrOf(port)
	}
	err := c.Aggr.SetPort(c.name, port, p.Add)
	if err == nil {
		if keeps != "" {
			c.hint("%s", keeps)
		}
		return nil
	}
	if p.Add && errors.Is(err, ctl.EBUSY) {
		c.explainBusy(port)
	}
	return failed("SIOCSETAGR", err)
}

// keepsAddrOf is advice for the time after a port has left whose own address
// the aggregate goes on using, so that two interfaces on one network may have
// it (design D10); "" when there is nothing to say.
func (c *change) keepsAddrOf(port string) string {
	if c.Hint == nil {
		return ""
	}
	st, err := c.Aggr.Status(c.name)
	if err != nil {
		return ""
	}
	if ps := portOf(st, port); ps == nil || len(st.Ports) < 2 || ps.OwnMAC != st.MAC || st.Options.MACPolicy != "first" {
		return ""
	}
	return fmt.Sprintf("%s keeps the address %s of %s; give it that of another port with: ifconfig %s agrmac follow",
		c.name, st.MAC, port, c.name)
}

// explainBusy gives advice about a port that was refused: it has addresses, or
// is a port already.
func (c *change) explainBusy(port string) {
	if c.Hint == nil {
		return
	}
	if owner, err := c.Aggr.Owner(port); err == nil && owner != "" {
		c.hint("%s is a port of %s; remove it with: ifconfig %s -agrport %s", port, owner, owner, port)
		return
	}
	l, err := c.Kernel.Link(port)
	if err != nil {
		return
	}
	all, err := c.Kernel.Addrs(l.Index)
	if err != nil {
		return
	}
	for _, a := range all[l.Index] {
		af := "inet"
		if a.IP.Is6() {
			af = "inet6"
		}
		shown := a.IP
		if a.IP.Is6() && a.IP.IsLinkLocalUnicast() {
			shown = a.IP.WithZone(port)
		}
		c.hint("%s has %s %s; remove it with: ifconfig %s %s %s delete", port, af, shown, port, af, a.IP)
	}
}

// printAgr prints the ports, and with -v what agrd knows about them.
func printAgr(p *printer) error {
	if !isAgr(p.link.Name) || p.noAgrd {
		return nil
	}
	var st *ctl.Status
	if p.s.Options.Verbose {
		var err error
		if st, err = p.s.Aggr.Status(p.link.Name); err != nil {
			p.s.Warn(failed("SIOCGETAGR", err))
		}
	}
	for _, port := range p.ports {
		p.printf("\tagrport: %s, flags=%s\n", port.Name, p.s.Style.bits(uint64(port.Flags), agrPortNames()))
		if ps := portOf(st, port.Name); ps != nil {
			p.agrPort(ps)
		}
	}
	if st != nil {
		p.agrWhole(st)
	}
	return nil
}

// StatusJSON prints what agrd knows about an agr interface as one JSON document;
// docs/status.md says what is in it.
func (s *Session) StatusJSON(name string) error {
	if !agrName(name) {
		return errNotAgr
	}
	st, err := s.Aggr.Status(name)
	if err != nil {
		return failed("SIOCGETAGR", err)
	}
	return s.printJSON(st)
}

// StatusAllJSON prints an array with such a document for each agr interface that
// the filter lets pass, in the order of their indexes. One about which agrd does not
// answer is left out, and is the error.
func (s *Session) StatusAllJSON(filter Filter) error {
	links, err := s.selected(filter)
	if err != nil {
		return err
	}
	all, failure := []*ctl.Status{}, error(nil)
	for _, l := range links {
		if !isAgr(l.Name) {
			continue
		}
		switch st, err := s.Aggr.Status(l.Name); {
		case err == nil:
			all = append(all, st)
		case failure == nil:
			failure = failed("SIOCGETAGR "+l.Name, err)
		}
	}
	if err := s.printJSON(all); err != nil {
		return err
	}
	return failure
}

func (s *Session) printJSON(v any) error {
	b, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return fmt.Errorf("status: %w", err)
	}
	_, err = fmt.Fprintf(s.Out, "%s\n", b)
	return err
}

func portOf(st *ctl.Status, name string) *ctl.PortStatus {
	if st == nil {
		return nil
	}
	for i := range st.Ports {
		if st.Ports[i].Name == name {
			return &st.Ports[i]
		}
	}
	return nil
}

// agrPort prints the states of a port in the layout of NetBSD's lagg(4), and
// what keeps it from distributing.
func (p *printer) agrPort(ps *ctl.PortStatus) {
	state := func(v uint8) string { return p.s.Style.bits(uint64(v), lacpStateNames()) }
	line := p.portLine
	line("actor: state=%s", state(ps.Actor.State))
	line("actor: port=%04X prio=%04X key=%04X", ps.Actor.Port, ps.Actor.PortPriority, ps.Actor.Key)
	line("partner=%s", lagID(ps.Partner.SystemPriority, ps.Partner.System, ps.Partner.Key))
	line("partner: port=%04X prio=%04X state=%s", ps.Partner.Port, ps.Partner.PortPriority, state(ps.Partner.State))
	line("receive=%s periodic=%s mux=%s selected=%s aggregator=%d",
		ps.Receive, ps.Periodic, ps.Mux, ps.Selected, ps.Aggregator)
	line("churn: actor=%s partner=%s%s", ps.ActorChurn, ps.PartnerChurn,
		optional(counted{ps.ActorChurns, "actor churn"}, counted{ps.PartnerChurns, "partner churn"}))
	line("keepalive: %s", keepalive(ps))
	p.portCounters(&ps.Counters)
	if ps.Flags&ctl.PortDistributing == 0 && ps.Reason != "" {
		line("reason: %s", ps.Reason)
	}
	if !ps.HeldUntil.IsZero() {
		line("held until: %s", ps.HeldUntil.Format(timeFormat))
	}
	if h := ps.LastPartner; h != nil && ps.Receive != "CURRENT" {
		line("last partner=%s port=%04X at %s", lagID(h.SystemPriority, h.System, h.Key), h.Port, h.Time.Format(timeFormat))
	}
	for _, a := range ps.ForeignAddrs {
		line("foreign address: %s", a)
	}
	if ps.Conflict != "" {
		line("conflict: %s", ps.Conflict)
	}
	if ps.Loopback {
		line("loopback: its partner is this system")
	}
}

// keepalive is whether the kernel would speak for a daemon that is late or dead,
// and how often it has.
func keepalive(ps *ctl.PortStatus) string {
	answered := optional(counted{ps.Counters.LACPAnswered, "LACPDU"})
	if ps.Keepalive {
		return "by the kernel" + answered
	}
	return "none, " + ps.KeepaliveWhy + answered
}

// timeFormat is how the times of an aggregate are shown.
const timeFormat = "2006-01-02 15:04:05"

// portLine prints a line about a port.
func (p *printer) portLine(format string, a ...any) { p.printf("\t\t\t"+format+"\n", a...) }

// portCounters prints what crossed a port, and what was said on it.
func (p *printer) portCounters(n *ctl.Counters) {
	line := p.portLine
	line("input: %s, %s%s", count(n.RxFrames, "packet"), p.bytes(n.RxBytes), optional(counted{n.RxDropped, "drop"}))
	line("output: %s, %s%s", count(n.TxFrames, "packet"), p.bytes(n.TxBytes), optional(counted{n.TxErrors, "error"}))
	line("LACPDUs: %d sent, %d received%s%s", n.LACPTx, n.LACPRx, bad(n.LACPBad)+strangers(n.LACPStrangers),
		optional(counted{n.LACPTxErrors, "error"}))
	line("Markers: %d sent, %d received%s", n.MarkerTx, n.MarkerRx, bad(n.MarkerBad))
	if n.UnknownRx+n.SlowDropped+n.Flaps > 0 {
		line("%s, slow protocols: %d unknown, %d too many", count(n.Flaps, "flap"), n.UnknownRx, n.SlowDropped)
	}
}

// strangers is how many LACPDUs were not the partner's, who goes on to speak.
func strangers(n uint64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of strangers ignored", n)
}

// bad is how many PDUs were refused, and why.
func bad(b ctl.Bad) string {
	if b.Total() == 0 {
		return ""
	}
	why := ""
	for _, c := range []counted{{b.Short, "short"}, {b.Length, "wrong length"}, {b.Type, "wrong type"}} {
		if c.n > 0 {
			why += fmt.Sprintf(", %d %s", c.n, c.what)
		}
	}
	return fmt.Sprintf(", %d bad (%s)", b.Total(), why[len(", "):])
}

// agrWhole prints what concerns the aggregate as a whole.
func (p *printer) agrWhole(st *ctl.Status) {
	p.printf("\tdatapath: %s", st.Datapath)
	if st.DatapathWhy != "" {
		p.printf(" (%s)", st.DatapathWhy)
	}
	if st.Shield != "" {
		p.printf(", ports shielded by %s", st.Shield)
	}
	p.printf("\n\t\toutput: %s, %d held\n", count(st.Drops, "drop"), st.Held)
	if st.Conflict != "" {
		p.printf("\t\tconflict: %s\n", st.Conflict)
	}
	p.agrOptions(st)
	for _, a := range st.Aggregators {
		if !a.Active {
			continue
		}
		p.printf("\taggregator: %d, %d Mb/s\n", a.ID, st.Speed)
		p.printf("\t\tactor=%s\n", lagID(a.Actor.SystemPriority, a.Actor.System, a.Actor.Key))
		p.printf("\t\tpartner=%s\n", lagID(a.Partner.SystemPriority, a.Partner.System, a.Partner.Key))
	}
}

// lagID is a system and its key as lagg(4) writes them.
func lagID(priority uint16, system [6]byte, key uint16) string {
	return fmt.Sprintf("[%04X,%02X-%02X-%02X-%02X-%02X-%02X,%04X]",
		priority, system[0], system[1], system[2], system[3], system[4], system[5], key)
}
