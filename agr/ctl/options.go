package ctl

import (
	"encoding/binary"
	"fmt"

	"ifagr/netutil/ether"
)

// Option is something about an agr interface that agr(4) cannot configure.
type Option uint32

// The options. What A and B of a Setting mean stands behind each.
const (
	OptMode        Option = iota + 1 // A: 0 active, 1 passive
	OptTimeout                       // A: 0 slow, 1 fast
	OptSystemPrio                    // A: 0..65535
	OptKey                           // A: 0 by speed, or 1..32767
	OptPortPrio                      // of Port; A: 0..65535
	OptFallback                      // A: 0 all, 1 single, 2 none; B: after seconds
	OptMinLinks                      // A: 1..65535; B: release below, 0 = A
	OptMaxPorts                      // A: 0 no limit, or 1..65535
	OptHash                          // A: 0 l2, 1 l3, 2 l4
	OptMACPolicy                     // A: 0 first, 1 follow, 2 fixed, to MAC
	OptCoupled                       // A: 0 independent, 1 coupled control
	OptWaitRestore                   // A: seconds, 0 off; B: at most seconds, 0 = A
	optionsEnd                       // the first number that is none
)

// Values of A for options that are a choice.
const (
	ModeActive, ModePassive                   = 0, 1
	TimeoutSlow, TimeoutFast                  = 0, 1
	FallbackAll, FallbackSingle, FallbackNone = 0, 1, 2
	HashL2, HashL3, HashL4                    = 0, 1, 2
	MACFirst, MACFollow, MACFixed             = 0, 1, 2
	ControlIndependent, ControlCoupled        = 0, 1
)

// A setting on the wire.
const (
	settingSize     = 4 + 4 + 4 + NameSize + ether.AddrLen + settingReserved
	settingReserved = 2
	maxSettings     = 64 // in one request
)

// Setting gives an option a value. What an option does not use is zero.
type Setting struct {
	Option Option
	Port   string     // interface name, of OptPortPrio
	A, B   uint32     // as the option has it
	MAC    ether.Addr // of MACFixed
}

// Options are all options of an agr interface, in the words of ifconfig(8).
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

// appendSettings appends the buffer of a SetOptions: for each setting its option,
// A and B, the name of the port, the address, and two octets that are zero.
func appendSettings(b []byte, all []Setting) []byte {
	for _, s := range all {
		b = binary.LittleEndian.AppendUint32(b, uint32(s.Option))
		b = binary.LittleEndian.AppendUint32(b, s.A)
		b = binary.LittleEndian.AppendUint32(b, s.B)
		b = appendName(b, s.Port)
		b = append(b, s.MAC[:]...)
		b = append(b, make([]byte, settingReserved)...)
	}
	return b
}

// parseSettings reads them. An option that is not known is an error with a
// sentence: it comes from a newer ifconfig.
func parseSettings(b []byte) ([]Setting, error) {
	n := len(b) / settingSize
	if n == 0 || n > maxSettings || len(b)%settingSize != 0 {
		return nil, fmt.Errorf("ctl: settings of %d octets: %w", len(b), ErrMessage)
	}
	all := make([]Setting, 0, n)
	for ; len(b) > 0; b = b[settingSize:] {
		s, err := parseSetting(b[:settingSize])
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func parseSetting(b []byte) (Setting, error) {
	s := Setting{
		Option: Option(binary.LittleEndian.Uint32(b)),
		A:      binary.LittleEndian.Uint32(b[4:]),
		B:      binary.LittleEndian.Uint32(b[8:]),
		MAC:    ether.Addr(b[12+NameSize : 12+NameSize+ether.AddrLen]),
	}
	if s.Option < OptMode || s.Option >= optionsEnd {
		return s, fmt.Errorf("ctl: option %d is not known to this agrd: %w", s.Option, ErrMessage)
	}
	if b[settingSize-2] != 0 || b[settingSize-1] != 0 {
		return s, fmt.Errorf("ctl: option %d: octets behind its address: %w", s.Option, ErrMessage)
	}
	var err error
	s.Port, err = parseName(b[12 : 12+NameSize])
	return s, err
}
