package ifcfg

import (
	"fmt"
	"strings"
)

// Medium is one word of ifmedia(4).
type Medium struct {
	// Subtype is the name that ifconfig(8) prints, "autoselect" or
	// "1000baseT"; "none" when nothing is in use.
	Subtype  string
	Options  MediaOptions
	Instance int // of several media on one interface; Linux knows only 0
}

// String is the word as a status shows it.
func (m Medium) String() string { return m.words(" ") }

// words is the word with something between its subtype and its options.
func (m Medium) words(between string) string {
	s := m.Subtype
	if m.Options != 0 {
		s += between + m.Options.String()
	}
	if m.Instance != 0 {
		s += fmt.Sprintf(" instance %d", m.Instance)
	}
	return s
}

// Media is the link's medium, when its driver knows media (ifmedia(4)).
type Media struct {
	Type      string   // "Ethernet"
	Current   Medium   // what is configured
	Active    Medium   // what is in use
	Valid     bool     // the driver knows whether the link is there
	Supported []Medium // in the driver's order
}

// MediaRequest is the medium that a line asks for.
type MediaRequest struct {
	Medium
	// Cleared are the options that the line names to turn them off, which for
	// some of them is more than not to have them.
	Cleared MediaOptions
}

// MediaOptions are the options of a Medium.
type MediaOptions uint16

// Bits of MediaOptions, in the order in which they are printed.
const (
	MediaFullDuplex MediaOptions = 1 << iota
	MediaHalfDuplex
	MediaFlowControl
	MediaFlag0
	MediaFlag1
	MediaFlag2
	MediaLoopback
	MediaMaster // the clock of a 1000baseT link is ours
	MediaRxPause
	MediaTxPause
)

// mediaOptionNames are the options' names, each followed by what else it may
// be called.
func mediaOptionNames() [][]string {
	return [][]string{
		{"full-duplex", "fdx"},
		{"half-duplex", "hdx"},
		{"flowcontrol", "flow"},
		{"flag0"},
		{"flag1"},
		{"flag2"},
		{"loopback", "hw-loopback", "loop"},
		{"master"},
		{"rxpause"},
		{"txpause"},
	}
}

// String joins the names with commas.
func (o MediaOptions) String() string {
	var set []string
	for i, names := range mediaOptionNames() {
		if o&(1<<i) != 0 {
			set = append(set, names[0])
		}
	}
	return strings.Join(set, ",")
}

// mediaOptions reads names with commas between them, as strtok(3) takes them
// apart. Without ok, bad is the first that is none.
func mediaOptions(text string) (o MediaOptions, bad string, ok bool) {
	for word := range strings.SplitSeq(text, ",") {
		if word == "" {
			continue
		}
		bit, ok := mediaOption(word)
		if !ok {
			return 0, word, false
		}
		o |= bit
	}
	return o, "", true
}

func mediaOption(word string) (MediaOptions, bool) {
	for i, names := range mediaOptionNames() {
		for _, n := range names {
			if strings.EqualFold(n, word) {
				return 1 << i, true
			}
		}
	}
	return 0, false
}

// mediaSubtype finds an Ethernet subtype by any of its names. Some names are
// short for one with an option.
func mediaSubtype(word string) (Medium, bool) {
	if short, ok := cutSuffixFold(word, "-FDX"); ok {
		for _, s := range []string{"10baseT", "10BASE-T", "100baseTX", "100BASE-TX", "1000baseT"} {
			if strings.EqualFold(s, short) {
				m, ok := mediaSubtype(s)
				m.Options = MediaFullDuplex
				return m, ok
			}
		}
	}
	for names := range strings.Lines(mediaSubtypeNames) {
		fields := strings.Fields(names)
		for _, n := range fields {
			if strings.EqualFold(n, word) {
				return Medium{Subtype: fields[0]}, true
			}
		}
	}
	return Medium{}, false
}

func cutSuffixFold(s, suffix string) (string, bool) {
	n := len(s) - len(suffix)
	if n < 0 || !strings.EqualFold(s[n:], suffix) {
		return s, false
	}
	return s[:n], true
}

// mediaSubtypeNames has a line for each Ethernet subtype of NetBSD 7 and 10:
// the name that is printed, and what else it may be called.
const mediaSubtypeNames = `autoselect auto
manual
none
10baseT 10baseT/UTP UTP 10UTP 10BASE-T
10base2 10base2/BNC BNC 10BNC 10BASE2
10base5 10base5/AUI AUI 10AUI 10BASE5
10baseSTP STP 10STP 10BASE-STP
10baseFL FL 10FL 10BASE-FL
HomePNA1 HPNA1
100baseTX 100TX 100BASE-TX
100baseFX 100FX 100BASE-FX
100baseT4 100T4 100BASE-T4
100baseVG 100VG 100VG-AnyLAN
100baseT2 100T2 100BASE-T2
1000baseSX 1000SX 1000BASE-SX
1000baseLX 1000LX 1000BASE-LX
1000baseCX 1000CX 1000BASE-CX
1000BASE-BX10
1000BASE-KX 1000baseKX
1000BASE-SGMII
1000baseT 1000T 1000BASE-T
2500BASE-KX 2500baseKX
2500baseSX 2500SX
2.5GBASE-T 2500baseT
5GBASE-T 5GbaseT
5GBASE-KR
Other
10GbaseLR 10GLR 10GBASE-LR
10GbaseSR 10GSR 10GBASE-SR
10Gbase-LRM
10Gbase-Twinax
10Gbase-Twinax-Long
10Gbase-T
10GbaseCX4 10GCX4 10GBASE-CX4
10GBASE-AOC
10GBASE-CR1
10GBASE-ER
10GBASE-KR
10GBASE-KX4
10GBASE-LX4
10GBASE-SFI
10GBASE-ZR
20GBASE-KR2
25GBASE-ACC
25GBASE-AOC
25GBASE-CR
25GBASE-CR-S
25GBASE-ER
25GBASE-KR
25GBASE-KR-S
25GBASE-LR
25GBASE-SR
25GBASE-T
25G-AUI
40GBASE-AOC
40GBASE-CR4
40GBASE-ER4
40GBASE-FR
40GBASE-KR4
40GBASE-LR4
40GBASE-SR4
40GBASE-T
40G-XLPPI
50GAUI-1
50GAUI-2
50GBASE-CR
50GBASE-CR2
50GBASE-FR
50GBASE-KR
50GBASE-KR2
50GBASE-LR
50GBASE-SR
50GBASE-SR2
50GLAUI-2
56GBASE-R4
100GBASE-ACC
100GBASE-AOC
100GBASE-CR2
100GBASE-CR4
100GBASE-CR10
100GBASE-DR
100GBASE-ER4
100GBASE-FR
100GBASE-KP4
100GBASE-KR2
100GBASE-KR4
100GBASE-LR
100GBASE-LR4
100GBASE-SR2
100GBASE-SR4
100GBASE-SR10
200GBASE-CR2
200GBASE-CR4
200GBASE-DR4
200GBASE-ER4
200GBASE-FR4
200GBASE-KR2
200GBASE-KR4
200GBASE-LR4
200GBASE-SR4
400GBASE-CR4
400GBASE-DR4
400GBASE-ER8
400GBASE-FR4
400GBASE-FR8
400GBASE-KR4
400GBASE-LR4
400GBASE-LR8
400GBASE-SR4.2
400GBASE-SR8
400GBASE-SR16
`
