package ifagr_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ifagr/agr/ctl"
	"ifagr/netutil/nettest"
)

// survivor is an aggregate beside a switch that dies, and what it does then.
type survivor struct {
	number   int
	timeout  string
	fallback string
	uses     int // ports, when the switch has been silent long enough
}

func (s survivor) agr() string     { return fmt.Sprint("agr", s.number) }
func (s survivor) bond() string    { return fmt.Sprint("bond", s.number) }
func (s survivor) ports() []string { return named("re", 2*s.number, 2) }
func (s survivor) far() []string   { return named("q", 2*s.number, 2) }
func (s survivor) prefix(end byte) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(s.number), end}), 24)
}

// working is nil when both ends use both ports, with LACP.
func (s survivor) working(a *host, sw openVSwitch) error {
	st, err := a.statusOf(s.agr())
	if err == nil && st.Fallback {
		err = fmt.Errorf("%s falls back", s.agr())
	}
	return errors.Join(err, a.distributesOn(s.agr(), s.ports()...), bondUses(sw, s.bond(), s.far()...))
}

// A switch is killed, so that it says nothing while its links stay up, and comes
// back: what each aggregate does meanwhile is what lacptimeout and lacpfallback say,
// and the first LACPDU ends it.
func testSwitchDies(t *testing.T, datapath string) {
	all := []survivor{
		{0, "fast", "all", 2},
		{1, "fast", "single", 1},
		{2, "fast", "none", 0},
		{3, "fast", "all,1000", 0},
		{4, "slow", "none", 2}, // for 90 s
	}
	var bonds []nettest.OVSConfig
	for _, s := range all {
		bonds = append(bonds, nettest.OVSConfig{
			Bond: s.bond(), BridgeName: fmt.Sprint("br", s.number), Ports: s.far(), Addr: s.prefix(2),
		})
	}
	a, sw := besideSwitch(t, datapath, 2*len(all), bonds...)
	for _, s := range all {
		a.aggregate(s.agr(), s.ports(), "lacptimeout", s.timeout, "lacpfallback", s.fallback)
		a.ifconfig(s.agr(), s.prefix(1).String())
	}
	for _, s := range all {
		nettest.Eventually(t, patience, func() error { return s.working(a, sw) })
		a.reaches(s.prefix(2).Addr())
	}
	sw.Kill()
	for _, s := range all {
		if s.timeout == "fast" {
			s.expires(t, a)
		}
	}
	for _, s := range all {
		nettest.Eventually(t, patience, func() error { return s.manages(a) })
	}
	sw.Restart()
	for _, s := range all {
		nettest.Eventually(t, patience, func() error { return s.working(a, sw) })
		a.agreesWith(sw, s.agr(), s.bond(), s.far()...)
		a.reaches(s.prefix(2).Addr())
		s.cameBack(t, a)
	}
}

// expires waits until the partner has been given up, which must not be sooner than 3
// s after its last LACPDU and another 3 s (IEEE 802.1AX-2014 6.4.12).
func (s survivor) expires(t *testing.T, a *host) {
	t.Helper()
	nettest.Eventually(t, patience, func() error {
		st, err := a.statusOf(s.agr())
		if err != nil {
			return err
		}
		for _, p := range st.Ports {
			if p.Receive != "DEFAULTED" {
				return fmt.Errorf("%s is %s", p.Name, p.Receive)
			}
		}
		return nil
	})
	const short = 3*time.Second - time.Millisecond // a time is when it was noted, each a little late
	for _, p := range a.mustStatusOf(s.agr()).Ports {
		expired, defaulted := lastChange(p, "receive", "EXPIRED"), lastChange(p, "receive", "DEFAULTED")
		silent := expired.Time.Sub(p.LastPartner.Time)
		t.Logf("%s expired %v after the last LACPDU, and was defaulted %v later", p.Name, silent.Round(time.Millisecond),
			defaulted.Time.Sub(expired.Time).Round(time.Millisecond))
		if silent < short || defaulted.Time.Sub(expired.Time) < short {
			t.Errorf("%s: too soon: %+v, %+v", p.Name, expired, defaulted)
		}
	}
}

// lastChange is the last transition of a port's machine to a state.
func lastChange(p ctl.PortStatus, machine, to string) ctl.Change {
	for i := len(p.History) - 1; i >= 0; i-- {
		if c := p.History[i]; c.Machine == machine && c.To == to {
			return c
		}
	}
	return ctl.Change{}
}

// manages is nil when the aggregate does what it should without its switch.
func (s survivor) manages(a *host) error {
	st, err := a.statusOf(s.agr())
	if err != nil {
		return err
	}
	falls := s.timeout == "fast" && s.fallback != "none"
	if st.Fallback != falls || st.Carrier != (s.uses > 0) {
		return fmt.Errorf("%s: fallback %v, carrier %v", s.agr(), st.Fallback, st.Carrier)
	}
	if err := a.distributesOn(s.agr(), s.ports()[:s.uses]...); err != nil {
		return err
	}
	for _, p := range st.Ports[s.uses:] {
		want := map[string]string{
			"none": "no LACP partner", "single": "fallback single: standby behind " + s.ports()[0], "all,1000": "fallback: waiting ",
		}[s.fallback]
		if !strings.HasPrefix(p.Reason, want) {
			return fmt.Errorf("%s: %q, want %q", p.Name, p.Reason, want)
		}
	}
	return nil
}

// cameBack checks what an aggregate whose partner had been given up tells of its
// return.
func (s survivor) cameBack(t *testing.T, a *host) {
	t.Helper()
	for _, p := range a.mustStatusOf(s.agr()).Ports {
		if c := lastChange(p, "receive", "CURRENT"); s.timeout == "fast" && (c.From != "DEFAULTED" || c.Reason != "LACPDU received") {
			t.Errorf("%s: %+v", p.Name, c)
		}
	}
}
