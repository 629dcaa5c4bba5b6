package nettest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ifagr/netutil/ether"
)

// OVSState is what an Open vSwitch says of its bond (ovs-vswitchd(8), lacp/show
// and bond/show).
type OVSState struct {
	Status   string // "active negotiated", empty without LACP
	System   ether.Addr
	Priority uint16
	Key      uint16
	Time     string // "fast" or "slow"

	Mode       string // "balance-tcp"
	LACPStatus string // "negotiated", "configured", "off"

	Ports map[string]OVSPort
}

// OVSPort is one interface of the bond.
type OVSPort struct {
	State    string // "current", "expired" or "defaulted"; empty without LACP
	Attached bool   // to the aggregator
	Enabled  bool   // carries data
	Actor    OVSEnd
	Partner  OVSEnd
}

// OVSEnd is one end of a link in the switch's eyes.
type OVSEnd struct {
	System       ether.Addr
	Priority     uint16 // of the system
	Port         uint16
	PortPriority uint16
	Key          uint16
	// State has the set bits of activity, timeout, aggregation, synchronized,
	// collecting, distributing, defaulted, expired.
	State []string
}

// Has reports whether all these bits are set.
func (e OVSEnd) Has(bits ...string) bool {
	for _, b := range bits {
		if !slices.Contains(e.State, b) {
			return false
		}
	}
	return true
}

// distributing is nil when all ports carry data, else an error that says what
// is missing.
func (s OVSState) distributing(ports []string, lacp bool) error {
	for _, name := range ports {
		p, ok := s.Ports[name]
		switch {
		case !ok:
			return fmt.Errorf("open vswitch does not know %s", name)
		case !p.Enabled:
			return fmt.Errorf("%s is disabled: %s, actor %v, partner %v", name, p.State, p.Actor.State, p.Partner.State)
		case !lacp:
		case !p.Attached || p.State != "current":
			return fmt.Errorf("%s is %s, attached %v", name, p.State, p.Attached)
		case !p.Actor.Has("collecting", "distributing"), !p.Partner.Has("collecting", "distributing"):
			return fmt.Errorf("%s: actor %v, partner %v", name, p.Actor.State, p.Partner.State)
		}
	}
	return nil
}

// parseOVS reads the two texts. Lines that it does not know are passed over.
func parseOVS(lacp, bond string) OVSState {
	s := OVSState{Ports: make(map[string]OVSPort)}
	s.parseLACP(lacp)
	s.parseBond(bond)
	return s
}

// parseLACP reads lacp/show: lines about the whole first, then for each port a
// line that starts in the first column and its details.
func (s *OVSState) parseLACP(text string) {
	name := ""
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch {
		case line[0] != ' ' && line[0] != '\t':
			// "KIND: NAME: STATE attached|detached"
			var state string
			name, state, _ = strings.Cut(value, ": ")
			p := s.Ports[name]
			p.State, state, _ = strings.Cut(state, " ")
			p.Attached = state == "attached"
			s.Ports[name] = p
		case name == "":
			s.set(key, value)
		default:
			p := s.Ports[name]
			end, field, _ := strings.Cut(key, " ")
			switch end {
			case "actor":
				p.Actor.set(field, value)
			case "partner":
				p.Partner.set(field, value)
			}
			s.Ports[name] = p
		}
	}
}

func (s *OVSState) set(key, value string) {
	switch key {
	case "status":
		s.Status = value
	case "sys_id":
		s.System = mac(value)
	case "sys_priority":
		s.Priority = number(value)
	case "aggregation key":
		s.Key = number(value)
	case "lacp_time":
		s.Time = value
	}
}

func (e *OVSEnd) set(field, value string) {
	switch field {
	case "sys_id":
		e.System = mac(value)
	case "sys_priority":
		e.Priority = number(value)
	case "port_id":
		e.Port = number(value)
	case "port_priority":
		e.PortPriority = number(value)
	case "key":
		e.Key = number(value)
	case "state":
		e.State = strings.Fields(value)
	}
}

// parseBond reads bond/show, where a port is "KIND NAME: enabled|disabled".
func (s *OVSState) parseBond(text string) {
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ": ")
		if !ok {
			continue
		}
		_, name, two := strings.Cut(key, " ")
		switch {
		case key == "bond_mode":
			s.Mode = value
		case key == "lacp_status":
			s.LACPStatus = value
		case two && key[0] != ' ' && (value == "enabled" || value == "disabled"):
			p := s.Ports[name]
			p.Enabled = value == "enabled"
			s.Ports[name] = p
		}
	}
}

// mac is an address, zero when it is none.
func mac(s string) ether.Addr {
	a, err := ether.ParseAddr(s)
	if err != nil {
		return ether.Addr{}
	}
	return a
}

// number is a decimal number of 16 bits, 0 when it is none.
func number(s string) uint16 {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}
