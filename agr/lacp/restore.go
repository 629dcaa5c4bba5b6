package lacp

import (
	"fmt"
	"slices"
)

// Wait to restore: a port whose link flaps is kept STANDBY for a while after the
// link has come back. The standard has no such thing; STANDBY says it in the
// standard's words, so that the partner knows and sends nothing on the port.

// flaps is what a port remembers of the losses of its link.
type flaps struct {
	total  uint64 // since the port was added
	recent int    // since it has last been quiet for QuietTime
	back   Instant
	hold   timer // runs while the port is kept out
}

// linkLost counts a loss of the link. A port that has been back and free for
// QuietTime starts with a clean slate.
func (p *port) linkLost() {
	f := &p.flaps
	free := f.back.Add(p.sys.cfg.WaitToRestore.after(f.recent))
	if p.sys.now >= free.Add(QuietTime) {
		f.recent = 0
	}
	f.recent++
	f.total++
	f.hold.stop()
}

// linkBack begins the time for which the port is kept out.
func (p *port) linkBack() {
	f := &p.flaps
	f.back = p.sys.now
	if d := p.sys.cfg.WaitToRestore.after(f.recent); d > 0 {
		f.hold.start(p.sys.now.Add(d))
	}
}

// reviseHold is for when the times have changed. A port that is not kept out any
// more is not kept out again.
func (p *port) reviseHold() {
	f := &p.flaps
	if f.hold.running {
		f.hold.start(f.back.Add(p.sys.cfg.WaitToRestore.after(f.recent)))
	}
}

// held reports whether the port is kept out because its link has flapped.
func (p *port) held() bool { return p.flaps.hold.running }

// releaseHeld lets the ports in that are kept out, when no other port could carry
// frames: a link that may fail again is better than none.
func (s *System) releaseHeld() {
	if slices.ContainsFunc(s.ports, (*port).counts) {
		return
	}
	for _, p := range s.ports {
		p.flaps.hold.stop()
	}
}

// backReason says what follows from the link's having come back.
func (p *port) backReason() string {
	if p.held() {
		return p.heldReason()
	}
	return "usable"
}

// heldReason says for how long the port is kept out.
func (p *port) heldReason() string {
	return fmt.Sprintf("restored in %s after %s",
		seconds(p.flaps.hold.at, p.sys.now), count(p.flaps.recent, "flap"))
}
