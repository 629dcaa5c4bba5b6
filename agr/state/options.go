package state

import (
	"encoding/json"

	"ifagr/netutil/ether"
)

// DefaultPriority is agr(4)'s, for systems and for ports.
const DefaultPriority = 0x8000

// Options are what agr(4) cannot configure of an agr interface, in the words of
// ifconfig(8).
type Options struct {
	Mode           string     `json:"lacpmode"`        // active, passive
	Timeout        string     `json:"lacptimeout"`     // slow, fast
	SystemPriority uint16     `json:"lacpsyspri"`      //
	Key            uint16     `json:"lacpkey"`         // 0 = by speed
	Fallback       string     `json:"lacpfallback"`    // all, single, none
	FallbackAfter  uint32     `json:"fallback_after"`  // seconds
	MinLinks       uint32     `json:"minlinks"`        // so many ports it takes to begin
	MinLinksDown   uint32     `json:"minlinks_down"`   // with fewer all of them stop
	MaxPorts       uint32     `json:"maxports"`        // 0 = no limit
	Hash           string     `json:"agrhash"`         // l2, l3, l4
	MACPolicy      string     `json:"agrmac"`          // first, follow, fixed
	FixedMAC       ether.Addr `json:"fixed_mac"`       // of fixed
	Coupled        bool       `json:"lacpcoupled"`     //
	RestoreMin     uint32     `json:"lacprestore_min"` // seconds, 0 = off
	RestoreMax     uint32     `json:"lacprestore_max"` // seconds
}

// DefaultOptions are agr(4)'s constants, and what changes nothing.
func DefaultOptions() Options {
	return Options{
		Mode: "active", Timeout: "slow", SystemPriority: DefaultPriority, Fallback: "all",
		MinLinks: 1, MinLinksDown: 1, Hash: "l3", MACPolicy: "first",
	}
}

// UnmarshalJSON gives a record that was written before there were options the
// default ones.
func (a *Agr) UnmarshalJSON(b []byte) error {
	type plain Agr
	rec := plain{Options: DefaultOptions()}
	if err := json.Unmarshal(b, &rec); err != nil {
		return err
	}
	*a = Agr(rec)
	return nil
}

// UnmarshalJSON gives a record that was written before there were priorities the
// default one.
func (p *Port) UnmarshalJSON(b []byte) error {
	type plain Port
	rec := plain{Priority: DefaultPriority}
	if err := json.Unmarshal(b, &rec); err != nil {
		return err
	}
	*p = Port(rec)
	return nil
}
