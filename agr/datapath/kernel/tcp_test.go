package kernel_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"ifagr/netutil/hook"
	"ifagr/netutil/nettest"
)

// TestTCP sends 50 MB with segmentation left to whoever comes last.
func TestTCP(t *testing.T) {
	each(t, func(t *testing.T, kind hook.Kind) {
		a, b := pair(t, kind)
		const size = 50 << 20
		a.transfer(b, size, nil)
		var frames, octets uint64
		for _, s := range b.dev.Stats().Ports {
			frames, octets = frames+s.RxFrames, octets+s.RxBytes
		}
		if octets < size || octets/frames < 4000 {
			t.Errorf("%d octets in %d frames: they were not left whole", octets, frames)
		}
	})
}

// TestTCPHeld sends while its conversation is held and released all the time.
func TestTCPHeld(t *testing.T) {
	a, b := pair(t, hook.TCX)
	a.prog.Table = all(1)
	a.reprogram()
	round := uint16(0)
	a.transfer(b, 300<<20, func() {
		leaves := round%2 + 1
		a.hold(leaves, all(3-leaves))
		a.release()
		round++
	})
	nettest.Eventually(t, 5*time.Second, func() error {
		if held := a.dev.Stats().Held; held != 0 {
			return fmt.Errorf("%d held", held)
		}
		return nil
	})
	st := a.dev.Stats()
	t.Logf("%d rounds: %+v", round, st.Ports)
	for number, p := range st.Ports {
		if p.TxErrors != 0 || p.TxFrames > 0 && p.TxBytes/p.TxFrames < 1000 {
			t.Errorf("port %d: %+v", number, p)
		}
	}
}

// transfer sends that many octets, and calls meanwhile again and again.
func (s *side) transfer(to *side, size int64, meanwhile func()) {
	s.t.Helper()
	l, c := s.connect(to)
	came := make(chan received, 1)
	go func() { came <- drain(l) }()
	h := sha256.New()
	sent := make(chan error, 1)
	go func() {
		_, err := io.CopyN(io.MultiWriter(c, h), rand.NewChaCha8([32]byte{1}), size)
		sent <- errors.Join(err, c.Close())
	}()
	for done := false; !done; {
		if meanwhile != nil {
			meanwhile()
		}
		select {
		case err := <-sent:
			if err != nil {
				s.t.Fatal(err)
			}
			done = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	select {
	case r := <-came:
		if r.err != nil || !bytes.Equal(r.sum[:], h.Sum(nil)) {
			s.t.Errorf("%v, or the octets are not those that were sent", r.err)
		}
	case <-time.After(30 * time.Second):
		s.t.Fatal("not received within 30 s")
	}
}

// connect opens a connection from one side to the other.
func (s *side) connect(to *side) (l net.Listener, c net.Conn) {
	s.t.Helper()
	var err error
	to.Do(func() { l, err = net.Listen("tcp", net.JoinHostPort(to.addr.String(), "0")) })
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = l.Close() })
	s.Do(func() { c, err = net.DialTimeout("tcp", l.Addr().String(), 5*time.Second) })
	if err != nil {
		s.t.Fatal(err)
	}
	return l, c
}

// received is what came through a connection.
type received struct {
	sum [sha256.Size]byte
	err error
}

// drain reads one connection to its end.
func drain(l net.Listener) received {
	c, err := l.Accept()
	if err != nil {
		return received{err: err}
	}
	defer func() { _ = c.Close() }()
	h := sha256.New()
	_, err = io.Copy(h, c)
	return received{[sha256.Size]byte(h.Sum(nil)), err}
}
