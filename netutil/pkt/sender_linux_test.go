package pkt_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/netutil/nettest"
	"ifagr/netutil/pkt"
)

// TestSender sends what arrives as it was, and says why a frame cannot be sent.
func TestSender(t *testing.T) {
	l := newLink(t)
	far, batch := openData(t, l.b, l.ib), pkt.NewRecvBatch(4)
	var s *pkt.Sender
	l.a.Do(func() {
		var err error
		if s, err = pkt.OpenSender(l.ia); err != nil {
			t.Fatal(err)
		}
		if _, err := pkt.OpenSender(1<<31 - 1); !errors.Is(err, unix.ENODEV) {
			t.Errorf("no interface: %v", err)
		}
	})
	defer func() { _ = s.Close() }()
	frame := append(unhex(t, "0200000000020200000000018100000588b5"), make([]byte, 42)...)
	framed := append(make([]byte, pkt.HeaderLen), frame...)
	if err := s.Send(framed); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, 5*time.Second, func() error { return far.Receive(batch) })
	if diff := cmp.Diff([][]byte{framed}, batch.Frames()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if !s.WaitWritable(time.Second) {
		t.Error("an idle port takes nothing")
	}
	if err := s.Send(append(framed, make([]byte, 2000)...)); !errors.Is(err, unix.EMSGSIZE) {
		t.Errorf("too long: %v", err)
	}
	l.a.Run("ip", "link", "set", "re0", "down")
	if err := s.Send(framed); !errors.Is(err, unix.ENETDOWN) {
		t.Errorf("down: %v", err)
	}
	l.a.Run("ip", "link", "delete", "re0")
	if err := s.Send(framed); !errors.Is(err, unix.ENXIO) {
		t.Errorf("gone: %v", err)
	}
}
