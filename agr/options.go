package agr

import (
	"maps"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/dist"
	"ifagr/agr/lacp"
	"ifagr/agr/slow"
	"ifagr/agr/state"
	"ifagr/netutil/ether"
)

// What agr(4) cannot configure (design D13). A request is whole: it is read and
// checked, recorded, and only then takes effect.

// Limits of options.
const (
	maxKey     = 0x7fff // the bit above marks individual ports
	maxPrio    = 0xffff // of a system or a port
	maxCount   = 0xffff // of ports
	maxSeconds = 24 * 60 * 60
)

// The words of options with a choice that the owner asks for.
const (
	macFirst  = "first"
	macFollow = "follow"
	macFixed  = "fixed"
)

// Words by the number that a setting has for them.
var (
	modeWords     = [...]string{ctl.ModeActive: "active", ctl.ModePassive: "passive"}
	timeoutWords  = [...]string{ctl.TimeoutSlow: "slow", ctl.TimeoutFast: "fast"}
	fallbackWords = [...]string{ctl.FallbackAll: "all", ctl.FallbackSingle: "single", ctl.FallbackNone: "none"}
	hashWords     = [...]string{ctl.HashL2: "l2", ctl.HashL3: "l3", ctl.HashL4: "l4"}
	policyWords   = [...]string{ctl.MACFirst: macFirst, ctl.MACFollow: macFollow, ctl.MACFixed: macFixed}
)

// changed is the options with one of them changed.
func changed(o state.Options, s ctl.Setting) (state.Options, error) {
	var err error
	switch s.Option {
	case ctl.OptMode:
		o.Mode, err = oneOf("lacpmode", s.A, modeWords[:])
	case ctl.OptTimeout:
		o.Timeout, err = oneOf("lacptimeout", s.A, timeoutWords[:])
	case ctl.OptSystemPrio:
		o.SystemPriority, err = uint16(s.A), within("lacpsyspri", s.A, 0, maxPrio)
	case ctl.OptKey:
		o.Key, err = uint16(s.A), within("lacpkey", s.A, 0, maxKey)
	case ctl.OptMinLinks:
		o.MinLinks, o.MinLinksDown, err = s.A, orElse(s.B, s.A), within("minlinks", s.A, 1, maxCount)
	case ctl.OptMaxPorts:
		o.MaxPorts, err = s.A, within("maxports", s.A, 0, maxCount)
	case ctl.OptHash:
		o.Hash, err = oneOf("agrhash", s.A, hashWords[:])
	case ctl.OptCoupled:
		o.Coupled, err = s.A == ctl.ControlCoupled, within("lacpcoupled", s.A, 0, 1)
	case ctl.OptWaitRestore:
		o.RestoreMin, o.RestoreMax, err = s.A, orElse(s.B, s.A), within("lacprestore", s.A, 0, maxSeconds)
	case ctl.OptFallback:
		o.FallbackAfter = s.B
		o.Fallback, err = oneOf("lacpfallback", s.A, fallbackWords[:])
	case ctl.OptMACPolicy:
		o.FixedMAC = s.MAC
		o.MACPolicy, err = oneOf("agrmac", s.A, policyWords[:])
	default:
		err = refusal(ctl.EINVAL, "option %d", s.Option)
	}
	return o, err
}

// consistent checks what one option alone does not show.
func consistent(o state.Options) error {
	fixed := o.MACPolicy == macFixed
	switch {
	case o.MaxPorts != 0 && o.MinLinks > o.MaxPorts:
		return refusal(ctl.EINVAL, "minlinks %d is more than maxports %d", o.MinLinks, o.MaxPorts)
	case o.MinLinksDown > o.MinLinks:
		return refusal(ctl.EINVAL, "minlinks %d,%d: the second is more than the first", o.MinLinks, o.MinLinksDown)
	case o.RestoreMax < o.RestoreMin:
		return refusal(ctl.EINVAL, "lacprestore %d,%d: the second is less than the first", o.RestoreMin, o.RestoreMax)
	case o.RestoreMin == 0 && o.RestoreMax != 0:
		return refusal(ctl.EINVAL, "lacprestore 0 is off and has no second time")
	case o.Fallback == fallbackWords[ctl.FallbackNone] && o.FallbackAfter != 0:
		return refusal(ctl.EINVAL, "lacpfallback none has no time")
	case fixed && (o.FixedMAC.IsZero() || o.FixedMAC.IsGroup()):
		return refusal(ctl.EINVAL, "%s cannot be the address of an interface", o.FixedMAC)
	case !fixed && !o.FixedMAC.IsZero():
		return refusal(ctl.EINVAL, "agrmac %s has no address", o.MACPolicy)
	case o.RestoreMax > maxSeconds:
		return within("lacprestore", o.RestoreMax, 0, maxSeconds)
	}
	return within("lacpfallback", o.FallbackAfter, 0, maxSeconds)
}

// oneOf is the word that a number stands for.
func oneOf(what string, n uint32, words []string) (string, error) {
	if n >= uint32(len(words)) {
		return "", refusal(ctl.EINVAL, "%s: there is no choice %d", what, n)
	}
	return words[n], nil
}

func within(what string, n, least, most uint32) error {
	if n < least || n > most {
		return refusal(ctl.EINVAL, "%s %d is not in %d to %d", what, n, least, most)
	}
	return nil
}

// orElse is n, or another number in place of 0.
func orElse(n, other uint32) uint32 {
	if n == 0 {
		return other
	}
	return n
}

// SetOptions changes options of an agr interface, all of them or none.
func (m *Manager) SetOptions(name string, all []ctl.Setting) error {
	return m.change(name, func(a *aggregate) error { return a.setOptions(all) })
}

// setOptions changes options and priorities of ports. What has been refused has
// changed nothing.
func (a *aggregate) setOptions(all []ctl.Setting) error {
	opts, prios, err := a.readSettings(all)
	if err == nil {
		err = consistent(opts)
	}
	if err != nil || opts == a.opts && len(prios) == 0 {
		return err
	}
	old, oldConfig := a.opts, a.config()
	oldPrios := a.exchange(opts, prios)
	if err := a.ledger.put(a.record()); err != nil {
		a.exchange(old, oldPrios)
		return err
	}
	if err := a.giveAddr(a.wantedAddr(old)); err != nil {
		a.exchange(old, oldPrios)
		a.ledger.note(a.record())
		return asErrno(err)
	}
	a.changeHash()
	if cfg := a.config(); cfg != oldConfig {
		a.step(lacp.Configure{Config: cfg})
	}
	for _, p := range a.ports {
		if prio, ok := prios[p]; ok {
			a.step(lacp.PortPriority{Number: p.number, Priority: prio})
		}
	}
	a.program()
	return nil
}

// readSettings is what the options are with these settings, and the priorities of ports
// that are others then.
func (a *aggregate) readSettings(all []ctl.Setting) (opts state.Options, prios map[*port]uint16, err error) {
	opts, prios = a.opts, make(map[*port]uint16)
	for _, s := range all {
		if s.Option != ctl.OptPortPrio {
			if opts, err = changed(opts, s); err != nil {
				return opts, nil, err
			}
			continue
		}
		p := a.portByName(s.Port)
		if p == nil {
			return opts, nil, refusal(ctl.ENOENT, "%s is no port of %s", s.Port, a.name)
		}
		if err := within("lacpportpri", s.A, 0, maxPrio); err != nil {
			return opts, nil, err
		}
		prios[p] = uint16(s.A)
	}
	maps.DeleteFunc(prios, func(p *port, prio uint16) bool { return p.priority == prio })
	return opts, prios, nil
}

// exchange puts options and priorities in the place of others, which it returns
// the priorities of.
func (a *aggregate) exchange(opts state.Options, prios map[*port]uint16) (old map[*port]uint16) {
	old = make(map[*port]uint16, len(prios))
	for p, prio := range prios {
		old[p], p.priority = p.priority, prio
	}
	a.opts = opts
	return old
}

// config is what the protocol is told about this system.
func (a *aggregate) config() lacp.Config {
	o := &a.opts
	cfg := lacp.Config{
		System:        slow.System{Priority: o.SystemPriority, Addr: a.system},
		Passive:       o.Mode == modeWords[ctl.ModePassive],
		ShortTimeout:  o.Timeout == timeoutWords[ctl.TimeoutFast],
		Static:        a.flags&ctl.Link1 != 0,
		Coupled:       o.Coupled,
		KeyBase:       keyBase(a.unit),
		Key:           o.Key,
		MinLinks:      lacp.MinLinks{Up: int(o.MinLinks), Down: int(o.MinLinksDown)},
		MaxPorts:      int(o.MaxPorts),
		FallbackAfter: seconds(o.FallbackAfter),
		WaitToRestore: lacp.WaitToRestore{Min: seconds(o.RestoreMin), Max: seconds(o.RestoreMax)},
	}
	switch o.Fallback {
	case fallbackWords[ctl.FallbackSingle]:
		cfg.Fallback = lacp.FallbackSingle
	case fallbackWords[ctl.FallbackNone]:
		cfg.Fallback = lacp.FallbackNone
	}
	return cfg
}

func seconds(n uint32) time.Duration { return time.Duration(n) * time.Second }

// hashMode is the mode of that name, agr(4)'s for a name that is none.
func hashMode(name string) dist.Mode {
	for _, m := range []dist.Mode{dist.L2, dist.L4} {
		if m.String() == name {
			return m
		}
	}
	return dist.L3
}

// wantedAddr is the address that agrN shall have with its options, which were
// others before. An address that a port brought stays as long as that port does.
func (a *aggregate) wantedAddr(old state.Options) ether.Addr {
	switch {
	case a.opts.MACPolicy == macFixed:
		return a.opts.FixedMAC
	case len(a.ports) == 0 || a.opts.MACPolicy == old.MACPolicy || a.bringer(a.mac) != nil:
		return a.mac
	default:
		return a.ports[0].undo.MAC
	}
}

// bringer is the port whose own address that is, or nil.
func (a *aggregate) bringer(addr ether.Addr) *port {
	for _, p := range a.ports {
		if p.undo.MAC == addr {
			return p
		}
	}
	return nil
}

// giveAddr gives agrN another address, and its ports where their drivers take it
// while they are up; the others let it in beside theirs. The system id stays
// (design D10).
func (a *aggregate) giveAddr(addr ether.Addr) error {
	if addr == a.mac {
		return nil
	}
	if err := a.os.SetAddr(a.dev.Index(), addr); err != nil {
		return err
	}
	a.mac = addr
	for _, p := range a.ports {
		if err := a.os.SetAddr(p.index, addr); err == nil {
			p.mac = addr
		}
	}
	if err := a.look(); err != nil {
		a.log.Error("receive filters not set", "agr", a.name, "err", err)
	}
	return nil
}

// bringerLeft is for when the port has left whose address agrN has, while others
// stay.
func (a *aggregate) bringerLeft(p *port) {
	if a.opts.MACPolicy != macFollow {
		a.log.Warn("the owner of this address has left, and the interface keeps it", "agr", a.name, "port", p.name, "mac", a.mac)
		return
	}
	addr := a.ports[0].undo.MAC
	if err := a.giveAddr(addr); err != nil {
		a.log.Error("address not changed", "agr", a.name, "mac", addr, "err", err)
		return
	}
	a.log.Info("the owner of the address has left, and the interface has that of another port", "agr", a.name, "port", a.ports[0].name, "mac", addr)
}
