package kerneltest

import (
	"fmt"
	"slices"

	"ifagr/agr/ctl"
	"ifagr/ifcfg"
	"ifagr/netutil/ether"
)

// Aggr is an ifcfg.Aggr whose interfaces are in a Kernel. It makes agr(4)'s
// checks in agr(4)'s order. Its log lines go to the Kernel's.
type Aggr struct {
	Kernel *Kernel
	// States are answered by Status, for the interfaces of those names.
	States map[string]*ctl.Status
	// Fail makes the request with that name ("SetPort") fail.
	Fail map[string]ifcfg.Errno

	agrs map[string]*aggregate
}

type aggregate struct {
	flags ctl.LinkFlags
	ports []ctl.PortInfo
	own   map[string]ether.Addr // the ports' addresses before
	set   []ctl.Setting         // in their order
}

var _ ifcfg.Aggr = (*Aggr)(nil)

func (a *Aggr) log(call, format string, args ...any) error {
	a.Kernel.Log = append(a.Kernel.Log, "agrd "+call+" "+fmt.Sprintf(format, args...))
	if err := a.Fail[call]; err != ctl.OK {
		return err
	}
	return nil
}

func (a *Aggr) get(name string) (*aggregate, error) {
	if g := a.agrs[name]; g != nil {
		return g, nil
	}
	return nil, ctl.ENXIO
}

// Create implements ifcfg.AggrControl.
func (a *Aggr) Create(name string) error {
	if err := a.log("Create", "%s", name); err != nil {
		return err
	}
	if a.Kernel.Named(name) != nil {
		return ctl.EEXIST
	}
	i := NIC(name, ether.Addr{})
	i.Media = nil
	a.Kernel.Add(i)
	if a.agrs == nil {
		a.agrs = map[string]*aggregate{}
	}
	a.agrs[name] = &aggregate{own: map[string]ether.Addr{}}
	return nil
}

// Destroy implements ifcfg.AggrControl.
func (a *Aggr) Destroy(name string) error {
	if err := a.log("Destroy", "%s", name); err != nil {
		return err
	}
	g, err := a.get(name)
	if err != nil {
		return err
	}
	if len(g.ports) > 0 {
		return ctl.EBUSY
	}
	delete(a.agrs, name)
	a.Kernel.remove(name)
	return nil
}

// SetPort implements ifcfg.AggrControl.
func (a *Aggr) SetPort(name, port string, add bool) error {
	if err := a.log("SetPort", "%s %s add=%v", name, port, add); err != nil {
		return err
	}
	g, err := a.get(name)
	if err != nil {
		return err
	}
	i := a.Kernel.Named(port)
	if i == nil {
		return ctl.ENOENT
	}
	owner, _ := a.Owner(port)
	if !add {
		return a.removePort(name, g, i, owner)
	}
	if err := a.mayAdd(g, i, owner); err != nil {
		return err
	}
	agr := a.Kernel.Named(name)
	if len(g.ports) == 0 {
		agr.Addr = i.Addr
	}
	g.own[port], i.Addr, i.Port = i.Addr, agr.Addr, true
	g.ports = append(g.ports, ctl.PortInfo{Name: port})
	return nil
}

func (a *Aggr) mayAdd(g *aggregate, i *Iface, owner string) error {
	switch {
	case owner != "":
		return ctl.EBUSY
	case a.agrs[i.Name] != nil:
		return ctl.EINVAL
	case len(i.Addrs) > 0:
		return ctl.EBUSY
	case i.Class == ifcfg.ClassEthernet:
		return nil
	case len(g.ports) == 0:
		return ctl.EPROTONOSUPPORT
	}
	return ctl.EINVAL
}

func (a *Aggr) removePort(name string, g *aggregate, i *Iface, owner string) error {
	switch owner {
	case "":
		return ctl.ENOENT
	case name:
	default:
		return ctl.EINVAL
	}
	g.ports = slices.DeleteFunc(g.ports, func(p ctl.PortInfo) bool { return p.Name == i.Name })
	i.Addr, i.Port = g.own[i.Name], false
	return nil
}

// SetState makes a port collect and distribute, or not.
func (a *Aggr) SetState(name, port string, f ctl.PortFlags) {
	for i := range a.agrs[name].ports {
		if p := &a.agrs[name].ports[i]; p.Name == port {
			p.Flags = f
		}
	}
}

// SetFlags implements ifcfg.AggrControl.
func (a *Aggr) SetFlags(name string, set, clear ctl.LinkFlags) error {
	if err := a.log("SetFlags", "%s +%#x -%#x", name, set, clear); err != nil {
		return err
	}
	g, err := a.get(name)
	if err != nil {
		return err
	}
	g.flags = g.flags&^clear | set
	return nil
}

// SetMTU implements ifcfg.AggrControl.
func (a *Aggr) SetMTU(name string, mtu int) error {
	if err := a.log("SetMTU", "%s %d", name, mtu); err != nil {
		return err
	}
	if _, err := a.get(name); err != nil {
		return err
	}
	if mtu < 68 {
		return ctl.EINVAL
	}
	a.Kernel.Named(name).MTU = mtu
	return nil
}

// SetAddr implements ifcfg.AggrControl.
func (a *Aggr) SetAddr(name string, addr ether.Addr) error {
	if err := a.log("SetAddr", "%s %s", name, addr); err != nil {
		return err
	}
	if _, err := a.get(name); err != nil {
		return err
	}
	a.Kernel.Named(name).Addr = addr
	return nil
}

// SetOptions implements ifcfg.AggrControl. Of agrd's checks it makes that of the
// port's name, and the one for min-links and max-ports in one request.
func (a *Aggr) SetOptions(name string, all []ctl.Setting) error {
	if err := a.log("SetOptions", "%s %v", name, all); err != nil {
		return err
	}
	g, err := a.get(name)
	if err != nil {
		return err
	}
	values := map[ctl.Option]uint32{}
	for _, s := range all {
		if owner, _ := a.Owner(s.Port); s.Option == ctl.OptPortPrio && owner != name {
			return ctl.ENOENT
		}
		values[s.Option] = s.A
	}
	if limit := values[ctl.OptMaxPorts]; limit != 0 && values[ctl.OptMinLinks] > limit {
		return ctl.EINVAL
	}
	g.set = append(g.set, all...)
	return nil
}

// Settings are all settings of an agr interface so far.
func (a *Aggr) Settings(name string) []ctl.Setting {
	if g := a.agrs[name]; g != nil {
		return slices.Clone(g.set)
	}
	return nil
}

// Ports implements ifcfg.AggrView.
func (a *Aggr) Ports(name string) ([]ctl.PortInfo, error) {
	g, err := a.get(name)
	if err != nil {
		return nil, err
	}
	return slices.Clone(g.ports), nil
}

// Flags implements ifcfg.AggrView.
func (a *Aggr) Flags(name string) (ctl.LinkFlags, error) {
	g, err := a.get(name)
	if err != nil {
		return 0, err
	}
	return g.flags, nil
}

// Status implements ifcfg.AggrView.
func (a *Aggr) Status(name string) (*ctl.Status, error) {
	if _, err := a.get(name); err != nil {
		return nil, err
	}
	if err := a.Fail["Status"]; err != ctl.OK {
		return nil, err
	}
	if st := a.States[name]; st != nil {
		return st, nil
	}
	return &ctl.Status{Version: ctl.StatusVersion, Name: name, Datapath: "user", Options: ctl.Options{
		Mode: "active", Timeout: "slow", SystemPriority: 0x8000, Fallback: "all", MinLinks: 1, MinLinksDown: 1, Hash: "l3", MACPolicy: "first",
	}}, nil
}

// Owner implements ifcfg.AggrView.
func (a *Aggr) Owner(ifname string) (string, error) {
	for name, g := range a.agrs {
		if slices.ContainsFunc(g.ports, func(p ctl.PortInfo) bool { return p.Name == ifname }) {
			return name, nil
		}
	}
	return "", nil
}
