package nettest

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestArrivals(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name string
		in   []uint64
		sent uint64
		want Report
	}{
		{name: "nothing sent"},
		{
			name: "all arrived", in: []uint64{0, 1, 2}, sent: 3,
			want: Report{Sent: 3, Received: 3},
		},
		{
			name: "none arrived", sent: 2,
			want: Report{Sent: 2, Lost: 2, Runs: []Run{{First: 0, Count: 2, Lasts: 2 * ms}}},
		},
		{
			name: "two runs, one at the end", in: []uint64{0, 3, 4}, sent: 6,
			want: Report{Sent: 6, Received: 3, Lost: 3, Runs: []Run{{First: 1, Count: 2, Lasts: 2 * ms}, {First: 5, Count: 1, Lasts: ms}}},
		},
		{
			name: "a late one is not lost", in: []uint64{0, 2, 1}, sent: 3,
			want: Report{Sent: 3, Received: 3, Reordered: 1},
		},
		{
			name: "copies count once", in: []uint64{0, 0, 1, 0}, sent: 2,
			want: Report{Sent: 2, Received: 2, Duplicated: 2},
		},
		{
			name: "a number that was never sent", in: []uint64{1 << 60}, sent: 1,
			want: Report{Sent: 1, Lost: 1, Runs: []Run{{First: 0, Count: 1, Lasts: ms}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var a arrivals
			for _, n := range tt.in {
				a.add(n)
			}
			if diff := cmp.Diff(tt.want, a.report(tt.sent, ms)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// TestStream cuts a link under a stream: what is lost is one run, as long as the
// cut was, and it does not start at the beginning.
func TestStream(t *testing.T) {
	a, b := New(t), New(t)
	Veth(a, "re0", b, "q0", NoIPv6)
	a.Run("ip", "addr", "add", "192.0.2.1/24", "dev", "re0")
	b.Run("ip", "addr", "add", "192.0.2.2/24", "dev", "q0")
	// Its own address for the far end survives the cut, so that no ARP is lost.
	a.Run("ip", "neigh", "add", "192.0.2.2", "lladdr", b.LinkAddr(0).String(), "dev", "re0")
	s := StartStream(t, StreamConfig{From: a, To: b, Addr: netip.MustParseAddr("192.0.2.2"), Rate: 500})
	atLeast := func(n uint64) {
		t.Helper()
		Eventually(t, 5*time.Second, func() error {
			if got := s.Received(); got < n {
				return fmt.Errorf("%d received, want %d", got, n)
			}
			return nil
		})
	}
	atLeast(50)
	b.Run("nft", "add table netdev cut; add chain netdev cut in { type filter hook ingress device q0 priority 0; policy drop; }")
	cut := s.Sent()
	Eventually(t, 5*time.Second, func() error {
		if s.Sent() < cut+50 {
			return fmt.Errorf("sent only %d", s.Sent()-cut)
		}
		return nil
	})
	b.Run("nft", "delete table netdev cut")
	atLeast(s.Received() + 50)
	r := s.Stop()
	if len(r.Runs) != 1 || r.Lost < 50 || r.Lost != r.Runs[0].Count || r.Runs[0].First < 50 ||
		r.Received+r.Lost != r.Sent || r.Duplicated+r.Reordered+r.SendErrors != 0 {
		t.Errorf("got %v, want one run of 50 or more lost, not from the start", r)
	}
}
