package pkt_test

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"ifagr/netutil/ether"
	"ifagr/netutil/pkt"
)

// In a flood that is far more than the socket has room for each frame of the one who
// is to be heard arrives, and a few of the others.
func TestSift(t *testing.T) {
	keep := pkt.Speaker{Priority: 0x8000, System: ether.Addr{2, 0, 0, 0, 0, 7}, Port: 3}
	for _, tt := range []struct {
		name  string
		sift  func(*pkt.Slow) error
		all   bool // of the known ones arrive
		least int  // how many others do
		most  int
	}{
		{"one is kept", func(s *pkt.Slow) error { return s.Sift(&keep) }, true, 1, floods / 8},
		{"nobody is", func(s *pkt.Slow) error { return s.Sift(nil) }, false, 1, floods / 8},
		{"no more", func(s *pkt.Slow) error { return errors.Join(s.Sift(&keep), s.SiftNone()) }, false, 10, floods},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLink(t)
			s, send := listenSlow(t, l.a, l.ia), raw(t, l.b, l.ib)
			if err := tt.sift(s); err != nil {
				t.Fatal(err)
			}
			known, others := flood(t, s, send, keep)
			if (known == floods/100) != tt.all || others < tt.least || others > tt.most {
				t.Errorf("%d of %d frames of the known one arrived, and %d of %d others", known, floods/100, others, floods)
			}
		})
	}
}

// floods is how many frames of others a flood has.
const floods = 6_400

// flood sends LACPDUs of others, and now and then one of the speaker; then it reads
// what has arrived.
func flood(t *testing.T, s *pkt.Slow, send func([]byte), keep pkt.Speaker) (known, others int) {
	t.Helper()
	for i := range floods {
		other := keep
		switch i % 3 { // in one respect they differ
		case 0:
			other.Priority++
		case 1:
			other.System[i%6]++
		case 2:
			other.Port++
		}
		send(lacpduOf(t, other))
		if i%100 == 0 {
			send(lacpduOf(t, keep))
		}
	}
	if err := s.SiftNone(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 256)
	for s.SetDeadline(time.Now().Add(300*time.Millisecond)) == nil {
		n, err := s.Read(b)
		switch {
		case err != nil:
			return known, others
		case string(b[:n]) == string(lacpduOf(t, keep)):
			known++
		default:
			others++
		}
	}
	return known, others
}

// lacpduOf is a LACPDU, as far as who sends it.
func lacpduOf(t *testing.T, who pkt.Speaker) []byte {
	t.Helper()
	b := append(unhex(t, group+sa+"880901010114"), make([]byte, 106)...)
	binary.BigEndian.PutUint16(b[18:], who.Priority)
	copy(b[20:], who.System[:])
	binary.BigEndian.PutUint16(b[30:], who.Port)
	return b
}
