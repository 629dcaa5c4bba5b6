package ifcfg

import (
	"math"

	"ifagr/agr/ctl"
	"ifagr/ifcfg/grammar"
	"ifagr/netutil/ether"
)

// ieee80211Feature brings the words of wireless interfaces, of which this
// system has none that understands them.
func ieee80211Feature() feature {
	return feature{
		module: modIEEE80211,
		usage: []string{
			"[ nwid network_id ] [ nwkey network_key | -nwkey ]",
			"[ list scan ]",
			"[ powersave | -powersave ] [ powersavesleep duration ]",
			"[ hidessid | -hidessid ] [ apbridge | -apbridge ]",
		},
		words: ieee80211Words,
	}
}

// Ranges of ieee80211.h, in octets.
const (
	minFragment, maxFragment = 256, 2346
	minRTS, maxRTS           = 1, 2346
	maxSSID                  = 32
)

func ieee80211Words(v *vocabulary) {
	const set = "SIOCS80211"
	ssid := func(a args) step { return func(s *sentence) { s.add(&SSID{Text: a.String(0)}) } }
	v.arg("ssid", rule{}, v.text(true, ssid))
	v.arg("nwid", rule{}, v.text(true, ssid))
	v.arg("nwkey", rule{}, v.text(false, refusing(unknownTo("SIOCS80211NWKEY"))))
	v.refuse(unknownTo("SIOCS80211NWKEY"), "-nwkey")
	v.arg("bssid", rule{}, v.text(false, func(a args) step { return func(s *sentence) { s.add(&BSSID{Text: a.String(0)}) } }))
	v.refuse(unknownTo("SIOCS80211BSSID"), "-bssid")
	v.arg("chan", rule{}, v.between(0, math.MaxUint16, refusing(unknownTo("SIOCS80211CHANNEL"))))
	v.refuse(unknownTo("SIOCS80211CHANNEL"), "-chan")
	v.refuse(unknownTo("SIOCG80211POWER"), "powersave", "-powersave")
	v.arg("powersavesleep", rule{}, v.between(0, math.MaxInt32, refusing(unknownTo("SIOCG80211POWER"))))
	v.refuse(Refusal{Warning: set, Errno: ctl.ENOTTY}, "hidessid", "-hidessid", "apbridge", "-apbridge")
	fragment := Refusal{Warning: set, Request: "IEEE80211_IOC_FRAGTHRESHOLD", Errno: ctl.ENOTTY}
	v.arg("frag", rule{}, v.between(minFragment, maxFragment, refusing(fragment)))
	v.refuse(fragment, "-frag")
	rts := Refusal{Warning: set, Request: "IEEE80211_IOC_RTSTHRESHOLD", Errno: ctl.ENOTTY}
	v.arg("rts", rule{}, v.between(minRTS, maxRTS, refusing(rts)))
	v.refuse(rts, "-rts")
	v.arg("list", rule{}, grammar.NewKeywords(word{Text: "scan", Next: v.items, Emit: func(args) step {
		return func(s *sentence) { s.add(&Scan{}) }
	}}))
}

// between is a node for an integer of a range that ends an item.
func (v *vocabulary) between(low, high int64, emit func(args) step) node {
	return &ints{Min: low, Max: high, Emit: emit, Next: v.items}
}

// SSID is a name of a wireless network, which has a length of its own.
type SSID struct {
	Text string
}

// Stage implements Op.
func (*SSID) Stage() Stage { return StageNow }

func (s *SSID) apply(c *change) error {
	if len(s.Text) > maxSSID {
		return complaint("setifssid: SSID too long")
	}
	r := unknownTo("SIOCS80211NWID")
	return r.apply(c)
}

// BSSID is the address of an access point, which has a form of its own.
type BSSID struct {
	Text string
}

// Stage implements Op.
func (*BSSID) Stage() Stage { return StageNow }

func (b *BSSID) apply(c *change) error {
	if o, ok := parseOctets(b.Text); !ok || len(o) != ether.AddrLen {
		return complaint("malformed BSSID: " + b.Text)
	}
	r := unknownTo("SIOCS80211BSSID")
	return r.apply(c)
}

// Complaints of list scan.
const (
	errDownScan complaint = "The interface must be up before scanning."
	errNoScan   complaint = "unable to get scan results"
)

// Scan asks for the wireless networks in reach.
type Scan struct{}

// Stage implements Op.
func (*Scan) Stage() Stage { return StageNow }

func (*Scan) apply(c *change) error {
	c.forget() // up may come before it
	l, err := c.on()
	if err != nil {
		c.Warn(failed("ioctl(SIOCGIFFLAGS)", err))
		return err
	}
	if l.Flags&FlagUp == 0 {
		return errDownScan
	}
	if c.Style.scanWarns {
		c.Warn(failed("SIOCS80211", ctl.ENOTTY))
	}
	return errNoScan
}
