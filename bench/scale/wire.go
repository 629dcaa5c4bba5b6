package scale

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/slow"
	"ifagr/bench/lab"
	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
)

// period is what lies between two LACPDUs of a port at most, whose partner has
// the short timeout: FAST_PERIODIC_TIME of IEEE 802.1AX-2014 6.4.4.
const period = time.Second

// wire times the LACPDUs that arrive in a namespace.
type wire struct {
	fd      int
	stopped atomic.Bool

	mu   sync.Mutex
	last map[int]time.Duration // by interface index: when the latest one arrived
	seen punctuality
}

// punctuality is how well the ports kept to the period.
type punctuality struct {
	pdus  uint64
	late  lab.Series    // how many seconds after the period each LACPDU came; 0 for one in time
	worst time.Duration // greatest of them
}

// listen starts to time what arrives on all interfaces of a namespace.
func listen(t testing.TB, ns *nettest.NS) *wire {
	w := &wire{last: make(map[int]time.Duration)}
	var err error
	ns.Do(func() { w.fd, err = slowSocket() })
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(w.receive)
	t.Cleanup(func() {
		w.stopped.Store(true)
		done.Wait()
		_ = unix.Close(w.fd)
	})
	return w
}

// slowSocket receives slow-protocol frames of every interface, with the time at
// which the kernel took them in.
func slowSocket() (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(bits.ReverseBytes16(ether.TypeSlow)))
	if err != nil {
		return -1, err
	}
	const buffer = 64 << 20
	timeout := unix.Timeval{Usec: 200_000} // how long a stop may wait
	return fd, errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
	)
}

func (w *wire) receive() {
	frame, oob := make([]byte, 256), make([]byte, 128)
	for !w.stopped.Load() {
		n, oobn, _, from, err := unix.Recvmsg(w.fd, frame, oob, 0)
		if err != nil {
			continue
		}
		link, ok := from.(*unix.SockaddrLinklayer)
		at, stamped := arrival(oob[:oobn])
		if !ok || !stamped || link.Pkttype == unix.PACKET_OUTGOING || n < 15 || frame[14] != slow.SubtypeLACP {
			continue
		}
		w.note(link.Ifindex, at)
	}
}

// arrival reads the kernel's time stamp.
func arrival(oob []byte) (time.Duration, bool) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, false
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
			sec, nsec := binary.NativeEndian.Uint64(m.Data), binary.NativeEndian.Uint64(m.Data[8:])
			return time.Duration(sec)*time.Second + time.Duration(nsec), true
		}
	}
	return 0, false
}

// note takes in a LACPDU.
func (w *wire) note(index int, at time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if before, ok := w.last[index]; ok {
		w.seen.add(at - before)
	}
	w.last[index] = at
}

// add takes in the time between two LACPDUs of a port.
func (p *punctuality) add(gap time.Duration) {
	late := max(0, gap-period)
	p.pdus++
	p.late = append(p.late, late.Seconds())
	p.worst = max(p.worst, late)
}

// forget begins to measure anew: what was before counts no more.
func (w *wire) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.last)
	w.seen = punctuality{}
}

// tell is what was seen since forget, and how many ports spoke. A port that owes
// a LACPDU now is late by as much as it owes.
func (w *wire) tell() (p punctuality, ports int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Duration(time.Now().UnixNano())
	for _, at := range w.last {
		if owes := now - at; owes > period {
			w.seen.worst = max(w.seen.worst, owes-period)
		}
	}
	return w.seen, len(w.last)
}
