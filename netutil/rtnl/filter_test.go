package rtnl

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

// entry is an RTM_NEWNEIGH message about interface 7.
func entry(state uint16, flags uint8, addr ...byte) []byte {
	b := make([]byte, sizeofNdMsg)
	b[0], b[4], b[8], b[9], b[10] = unix.AF_BRIDGE, 7, byte(state), byte(state>>8), flags
	return append(append(b, byte(4+len(addr)), 0, unix.NDA_LLADDR, 0), addr...)
}

func TestDecodeFilter(t *testing.T) {
	own := []byte{2, 0, 0, 0, 0, 9}
	tests := []struct {
		name string
		b    []byte
		want bool
	}{
		{"an address", entry(unix.NUD_PERMANENT, unix.NTF_SELF, own...), true},
		{"a group", entry(unix.NUD_PERMANENT, unix.NTF_SELF, 1, 0, 0x5e, 0, 0, 1), false},
		{"learnt", entry(unix.NUD_REACHABLE, unix.NTF_SELF, own...), false},
		{"a bridge's", entry(unix.NUD_PERMANENT, unix.NTF_MASTER, own...), false},
		{"of another length", entry(unix.NUD_PERMANENT, unix.NTF_SELF, 1, 2, 3, 4), false},
		{"without an address", entry(unix.NUD_PERMANENT, unix.NTF_SELF)[:sizeofNdMsg], false},
		{"short", make([]byte, sizeofNdMsg-1), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := decodeFilter(tt.b)
			if ok != tt.want {
				t.Fatalf("ok = %v, want %v", ok, tt.want)
			}
			want := FilterAddr{Index: 7, Addr: ether.Addr(own)}
			if diff := cmp.Diff(want, got); ok && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWalk(t *testing.T) {
	type attr struct {
		Type  uint16
		Value string
	}
	a, b := []byte{5, 0, 1, 0, 'x', 0, 0, 0}, []byte{6, 0, 2, 0x80, 'y', 'z'}
	tests := []struct {
		name string
		b    []byte
		want []attr
		err  error
	}{
		{"none", nil, nil, nil},
		{"padded, flagged, and without padding at the end", append(bytes.Clone(a), b...), []attr{{1, "x"}, {2, "yz"}}, nil},
		{"empty", []byte{4, 0, 3, 0}, []attr{{3, ""}}, nil},
		{"longer than what is there", append(bytes.Clone(a), 9, 0, 2, 0, 'y'), []attr{{1, "x"}}, errMalformed},
		{"shorter than its header", []byte{3, 0, 1, 0}, nil, errMalformed},
		{"half a header", []byte{8, 0}, nil, errMalformed},
		{"no length", make([]byte, 8), nil, errMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []attr
			err := walk(tt.b, func(typ uint16, v []byte) { got = append(got, attr{typ, string(v)}) })
			if diff := cmp.Diff(tt.want, got); diff != "" || !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v (-want +got):\n%s", err, tt.err, diff)
			}
		})
	}
}

// Whatever the kernel sends: no fault, and no group among the addresses.
func FuzzDecodeFilter(f *testing.F) {
	f.Add(entry(unix.NUD_PERMANENT, unix.NTF_SELF, 2, 0, 0, 0, 0, 9))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, ok := decodeFilter(b); ok && a.Addr.IsGroup() {
			t.Errorf("%v", a)
		}
	})
}
