package agr

import (
	"sync/atomic"
	"time"

	"ifagr/netutil/pkt"
)

// A flood of slow-protocol frames would fill the socket of a port faster than it is
// read, and the kernel would drop what comes then, whoever sends it. So for a time
// the kernel is told to drop all but a share of them, and none of the partner's.

const (
	// siftAbove is how many frames in a second are a flood: more than a port's
	// budgets let in, and less than a socket has room for.
	siftAbove = 120
	// siftFor is how long the kernel sifts. When half of it is over a flood that shows
	// even so begins it anew.
	siftFor = time.Second
)

// sieve has the kernel sift the frames of one port in a flood. It belongs to the
// port's reader.
type sieve struct {
	conn  SlowConn
	known *atomic.Pointer[identity] // whose LACPDUs pass
	quota quota
	timer *time.Timer // runs while the kernel sifts
	until time.Time   // nothing is to be said to the kernel
}

func newSieve(conn SlowConn, known *atomic.Pointer[identity]) *sieve {
	timer := time.AfterFunc(siftFor, func() { conn.SiftNone() }) // which fails when the port has left
	timer.Stop()
	return &sieve{conn: conn, known: known, quota: quota{limit: siftAbove}, timer: timer}
}

// frame is called with each frame.
func (s *sieve) frame(now time.Time) error {
	if ok, _ := s.quota.take(now); ok || now.Before(s.until) {
		return nil
	}
	var keep *pkt.Speaker
	if id := s.known.Load(); id != nil {
		keep = &pkt.Speaker{Priority: id.system.Priority, System: id.system.Addr, Port: id.port}
	}
	err := s.conn.Sift(keep)
	s.until = now.Add(siftFor / 2)
	s.timer.Reset(siftFor)
	return err
}

func (s *sieve) close() { s.timer.Stop() }
