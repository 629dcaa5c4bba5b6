package slow_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/slow"
	"ifagr/netutil/ether"
)

var markerSrc = ether.Addr{0x0e, 0x49, 0x65, 0x3c, 0xe2, 0x72}

var marker = slow.Marker{
	Type: slow.MarkerInformation, RequesterPort: 7, RequesterSystem: markerSrc, TransactionID: 0xa6000001,
}

const markerFrame = "0180c2000002 0e49653ce272 8809 02 01 0110 0007 0e49653ce272 a6000001 0000 0000"

// IEEE 802.1AX-2014 6.5.3.3: the layout, both ways.
func TestMarker_6_5_3_Layout(t *testing.T) {
	frame := unhex(t, markerFrame+zeros(90))
	if d := cmp.Diff(frame, slow.AppendMarker(nil, markerSrc, marker)); d != "" {
		t.Error(d)
	}
	got, err := slow.ParseMarker(frame)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(marker, got); d != "" {
		t.Error(d)
	}
}

// M3 to M5: the type of the TLV decides and nothing else.
func TestParseMarker_6_5_4_Validation(t *testing.T) {
	tests := []struct {
		name string
		edit func([]byte) []byte
		want error
	}{
		{"version 9", func(b []byte) []byte { b[15] = 9; return b }, nil},
		{"length of the TLV", func(b []byte) []byte { b[17] = 15; return b }, nil},
		{"pad", func(b []byte) []byte { b[30] = 1; return b }, nil},
		{"reserved octets", func(b []byte) []byte { b[123] = 1; return b }, nil},
		{"longer", func(b []byte) []byte { return append(b, 1, 2, 3) }, nil},
		{"response", func(b []byte) []byte { b[16] = 2; return b }, nil},
		{"type 0", func(b []byte) []byte { b[16] = 0; return b }, slow.ErrType},
		{"type 3", func(b []byte) []byte { b[16] = 3; return b }, slow.ErrType},
		{"short", func(b []byte) []byte { return b[:123] }, slow.ErrShort},
		{"LACP", func(b []byte) []byte { b[14] = 1; return b }, slow.ErrSubtype},
		{"unicast", func(b []byte) []byte { b[0] = 2; return b }, slow.ErrSubtype},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			frame := tt.edit(unhex(t, markerFrame+zeros(90)))
			want := slow.Marker{}
			if tt.want == nil {
				want = marker
				want.Type = frame[16]
			}
			m, err := slow.ParseMarker(frame)
			if !errors.Is(err, tt.want) || err == nil && tt.want != nil {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			if d := cmp.Diff(want, m); d != "" {
				t.Error(d)
			}
		})
	}
}

func FuzzParseMarker(f *testing.F) {
	everyCapture(f, func(_ string, _ int, frame []byte) { f.Add(frame) })
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, err := slow.ParseMarker(frame)
		if err != nil {
			return
		}
		again, err := slow.ParseMarker(slow.AppendMarker(nil, ether.Addr{}, m))
		if err != nil || again != m {
			t.Fatalf("round trip: %v, %+v, want %+v", err, again, m)
		}
		reply, err := slow.ParseMarker(slow.AppendMarkerReply(nil, frame, ether.Addr{}))
		m.Type = slow.MarkerResponse
		if err != nil || reply != m {
			t.Fatalf("reply: %v, %+v, want %+v", err, reply, m)
		}
	})
}
