package ifagr_test

import (
	"errors"
	"net/netip"
	"testing"

	"ifagr/netutil/nettest"
)

// Both ends allow fewer ports than there are cables, and prefer others: the better
// system's priorities hold at both, as many ports are used as the end allows that
// allows fewer, and the next one takes over when a cable is cut.
func testOwnPartnerLimits(t *testing.T, datapath string) {
	a, b := manyLinks(t, datapath, datapath, 4)
	ports := named("re", 0, 4)
	a.aggregate("agr0", ports, "lacpsyspri", "100", "maxports", "3", "lacptimeout", "fast")
	b.aggregate("agr0", ports, "maxports", "2", "lacptimeout", "fast")
	a.ifconfig("agr0", "lacpportpri", "re3", "1", "lacpportpri", "re2", "2")
	b.ifconfig("agr0", "lacpportpri", "re0", "1", "lacpportpri", "re1", "2")
	a.ifconfig("agr0", hostAddr.String())
	b.ifconfig("agr0", switchAddr.String())
	agree := func(ports ...string) {
		t.Helper()
		nettest.Eventually(t, patience, func() error { return errors.Join(a.distributes(ports...), b.distributes(ports...)) })
		a.reaches(switchAddr.Addr())
	}
	agree("re2", "re3") // as the first end wants it
	for _, port := range []string{"re0", "re1"} {
		nettest.Eventually(t, patience, func() error { return b.hasReason(port, "max-ports 2: standby behind re3, re2") })
	}
	b.ifconfig("re3", "down")
	agree("re0", "re2")
	b.ifconfig("re3", "up")
	agree("re2", "re3")
	b.ifconfig("agr0", "lacpsyspri", "50")
	agree("re0", "re1") // as the second end wants it
	a.ifconfig("agr0", "maxports", "1")
	agree("re0")
	for _, h := range []*host{a, b} {
		h.ifconfig("agr0", "maxports", "0")
	}
	agree(ports...)
}

// One end controls its ports coupled, the other one does not: both carry frames, each
// in its own way, whichever end comes first, and a link that comes and goes disturbs
// nobody.
func testOwnPartnerCoupled(t *testing.T, datapath string) {
	a, b := manyLinks(t, datapath, datapath, 2)
	ports := named("re", 0, 2)
	a.aggregate("agr0", ports, "lacpcoupled", "lacptimeout", "fast")
	b.aggregate("agr0", ports)
	a.ifconfig("agr0", hostAddr.String())
	b.ifconfig("agr0", switchAddr.String())
	both := func() {
		t.Helper()
		until(t, a, muxOf("COLLECTING_DISTRIBUTING"))
		until(t, b, muxOf("DISTRIBUTING"))
		bothDistribute(t, a, b)
		a.reaches(switchAddr.Addr())
	}
	both()
	for _, way := range []struct {
		from, to *host
		addr     netip.Addr
	}{{a, b, switchAddr.Addr()}, {b, a, hostAddr.Addr()}} {
		s := nettest.StartStream(t, nettest.StreamConfig{From: way.from.NS, To: way.to.NS, Addr: way.addr})
		waitReceived(t, s, 200)
		way.from.ifconfig("re1", "down")
		waitReceived(t, s, s.Received()+200)
		cut := s.Stop()
		s = nettest.StartStream(t, nettest.StreamConfig{From: way.from.NS, To: way.to.NS, Addr: way.addr})
		waitReceived(t, s, 200)
		way.from.ifconfig("re1", "up")
		both()
		waitReceived(t, s, s.Received()+200)
		back := s.Stop()
		t.Logf("from %s: cut: %v; back: %v", way.from.Name, cut, back)
		if cut.Duplicated+back.Duplicated > 0 {
			t.Errorf("from %s: cut: %v; back: %v", way.from.Name, cut, back)
		}
	}
}
