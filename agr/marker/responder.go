package marker

import (
	"time"

	"ifagr/agr/slow"
	"ifagr/netutil/ether"
)

// ResponseLimit is how many responses a port sends in any second at most: the
// budget of a slow protocol (IEEE 802.3 Annex 57A.2).
const ResponseLimit = 10

// Respond appends to dst the response to a Marker Information that arrived on
// the port with the address src, and reports whether there is one. A Marker
// Response is never answered, nor is any other frame. Nor is a Marker of the own
// system: on a cable that brings back what is sent, the answer would come back as
// well, and say that the frames before the Marker had reached somebody.
func Respond(dst, frame []byte, src, system ether.Addr) ([]byte, bool) {
	m, err := slow.ParseMarker(frame)
	if err != nil || m.Type != slow.MarkerInformation || m.RequesterSystem == system {
		return dst, false
	}
	return slow.AppendMarkerReply(dst, frame, src), true
}

// Limiter bounds the responses of one port. The zero value is ready for use.
type Limiter struct {
	sent  [ResponseLimit]time.Duration // a ring, the oldest at next once it is full
	next  int
	count int
}

// Allow reports whether a response may be sent at the monotonic time now, and
// counts it if so: not more than ResponseLimit, all at once or spread, in any
// window of one second that includes its end and not its start.
func (l *Limiter) Allow(now time.Duration) bool {
	if l.count == ResponseLimit && now-l.sent[l.next] < time.Second {
		return false
	}
	l.sent[l.next] = now
	l.next = (l.next + 1) % ResponseLimit
	l.count = min(l.count+1, ResponseLimit)
	return true
}
