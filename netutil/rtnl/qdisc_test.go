package rtnl

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// queueMessage is an RTM_NEWQDISC message, with counters of some length.
func queueMessage(tb testing.TB, kind string, counters int) []byte {
	tb.Helper()
	queue := binary.NativeEndian.AppendUint32(nil, 3)
	queue = binary.NativeEndian.AppendUint32(queue, 4500)
	queue = append(queue, make([]byte, 12)...) // drops, requeues, overlimits
	b, err := attributes(tcmsg(7, 0x10000, tcRoot, 0), func(ae *netlink.AttributeEncoder) error {
		ae.String(unix.TCA_KIND, kind)
		ae.Nested(unix.TCA_STATS2, func(ae *netlink.AttributeEncoder) error {
			ae.Bytes(1, make([]byte, 16)) // TCA_STATS_BASIC: what was sent
			ae.Bytes(3, queue[:counters])
			return nil
		})
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestDecodeQueue(t *testing.T) {
	tests := []struct {
		name   string
		in     []byte
		want   Queue
		exists bool
	}{
		{"with a queue", queueMessage(t, "fq_codel", 20), Queue{"fq_codel", 3, 4500}, true},
		{"counters cut short", queueMessage(t, "fq_codel", 7), Queue{Kind: "fq_codel"}, true},
		{"without", queueMessage(t, "noqueue", 0), Queue{Kind: "noqueue"}, false},
		{"nothing known", tcmsg(7, 0, tcRoot, 0), Queue{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decodeQueue(tt.in)
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("-want +got\n%s%v", diff, err)
			}
			if got.Exists() != tt.exists {
				t.Errorf("exists: %v, want %v", got.Exists(), tt.exists)
			}
		})
	}
	if _, err := decodeQueue(make([]byte, sizeofTcMsg-1)); err == nil {
		t.Error("a short message")
	}
}

// FuzzDecodeQueue: the counters are those of one attribute, or none.
func FuzzDecodeQueue(f *testing.F) {
	f.Add(queueMessage(f, "mq", 20))
	f.Add(queueMessage(f, "noqueue", 8))
	f.Add(make([]byte, sizeofTcMsg))
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := decodeQueue(b)
		if err != nil {
			return
		}
		if len(b) < sizeofTcMsg+12 && (q.Frames != 0 || q.Octets != 0) {
			t.Errorf("%+v of %d octets", q, len(b))
		}
		again, err := decodeQueue(b)
		if diff := cmp.Diff(q, again); diff != "" || err != nil {
			t.Errorf("two readings differ: %s%v", diff, err)
		}
	})
}
