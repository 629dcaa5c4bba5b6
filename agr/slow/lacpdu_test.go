package slow_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/slow"
	"ifagr/netutil/ether"
)

// vectors are LACPDUs of other vendors, with what they say.
var vectors = []struct {
	name, frame string
	src         ether.Addr
	want        slow.LACPDU
}{
	{
		name: "unknown partner, maximum delay",
		frame: "0180c2000002 0004961f506a 8809 01 01" +
			"0114 91f4 0004961f506a 8000 0000 0012 47 000000" +
			"0214 0000 000000000000 0000 0000 0000 3b 000000" +
			"0310 0002 " + zeros(12) + "0000" + zeros(50),
		src: ether.Addr{0x00, 0x04, 0x96, 0x1f, 0x50, 0x6a},
		want: slow.LACPDU{
			Version: 1,
			Actor: slow.PortInfo{
				System: slow.System{Priority: 0x91f4, Addr: ether.Addr{0x00, 0x04, 0x96, 0x1f, 0x50, 0x6a}},
				Key:    0x8000, Port: 0x12,
				State: slow.Activity | slow.Timeout | slow.Aggregation | slow.Defaulted,
			},
			Partner: slow.PortInfo{
				State: slow.Activity | slow.Timeout | slow.Synchronization | slow.Collecting | slow.Distributing,
			},
			CollectorMaxDelay: 2,
		},
	},
	{
		name: "recorded partner",
		frame: "0180c2000002 0013c4120f0d 8809 01 01" +
			"0114 8000 0013c4120f00 000d 8000 0016 85 000000" +
			"0214 8000 000e8316f500 000d 8000 0019 36 000000" +
			"0310 8000 " + zeros(12) + "0000" + zeros(50),
		src: ether.Addr{0x00, 0x13, 0xc4, 0x12, 0x0f, 0x0d},
		want: slow.LACPDU{
			Version: 1,
			Actor: slow.PortInfo{
				System: slow.System{Priority: 0x8000, Addr: ether.Addr{0x00, 0x13, 0xc4, 0x12, 0x0f, 0x00}},
				Key:    13, Priority: 0x8000, Port: 22,
				State: slow.Activity | slow.Aggregation | slow.Expired,
			},
			Partner: slow.PortInfo{
				System: slow.System{Priority: 0x8000, Addr: ether.Addr{0x00, 0x0e, 0x83, 0x16, 0xf5, 0x00}},
				Key:    13, Priority: 0x8000, Port: 25,
				State: slow.Timeout | slow.Aggregation | slow.Collecting | slow.Distributing,
			},
			CollectorMaxDelay: 0x8000,
		},
	},
}

func zeros(n int) string { return strings.Repeat("00", n) }

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// IEEE 802.1AX-2014 6.4.2.3: the layout, both ways.
func TestLACPDU_6_4_2_Vectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			frame := unhex(t, v.frame)
			got, err := slow.ParseLACPDU(frame)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(v.want, got); d != "" {
				t.Error(d)
			}
			made := slow.AppendLACPDU(nil, v.src, v.want)
			if d := cmp.Diff(frame, made); d != "" {
				t.Error(d)
			}
		})
	}
}

// IEEE 802.1AX-2014 6.4.2.4 and 6.4.12: what may be wrong with a LACPDU, and what
// must not matter.
func TestParseLACPDU_6_4_12_Validation(t *testing.T) {
	set := func(off int, values ...byte) func([]byte) []byte {
		return func(b []byte) []byte { copy(b[off:], values); return b }
	}
	tests := []struct {
		name string
		edit func([]byte) []byte
		want error
	}{
		{"as it is", set(0), nil},
		{"version 0", set(15, 0), nil},
		{"version 2", set(15, 2), nil},
		{"version 255", set(15, 255), nil},
		{"actor type", set(16, 0x7f), nil},
		{"partner type", set(36, 0x00), nil},
		{"collector type", set(56, 0xff), nil},
		{"reserved octets", set(33, 1, 2, 3), nil},
		{"terminator of another length", set(72, 9, 9), nil},
		{"longer", func(b []byte) []byte { return append(b, make([]byte, 1500-124)...) }, nil},
		{"one octet longer", func(b []byte) []byte { return append(b, 0) }, nil},
		{"one octet short", func(b []byte) []byte { return b[:123] }, slow.ErrShort},
		{"subtype is all", func(b []byte) []byte { return b[:15] }, slow.ErrShort},
		{"no subtype", func(b []byte) []byte { return b[:14] }, slow.ErrSubtype},
		{"empty", func([]byte) []byte { return nil }, slow.ErrSubtype},
		{"actor length", set(17, 19), slow.ErrLength},
		{"partner length", set(37, 21), slow.ErrLength},
		{"collector length", set(57, 0), slow.ErrLength},
		{"Marker", set(14, 2), slow.ErrSubtype},
		{"subtype 0", set(14, 0), slow.ErrSubtype},
		{"unicast", set(0, 0x02), slow.ErrSubtype},
		{"another group", set(5, 0x00), slow.ErrSubtype},
		{"another EtherType", set(12, 0x88, 0xcc), slow.ErrSubtype},
		{"tagged", func(b []byte) []byte {
			return append(append(bytes.Clone(b[:12]), 0x81, 0x00, 0x00, 0x00), b[12:]...)
		}, slow.ErrSubtype},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := slow.ParseLACPDU(tt.edit(unhex(t, vectors[0].frame)))
			if !errors.Is(err, tt.want) || err == nil && tt.want != nil {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			want := slow.LACPDU{}
			if err == nil {
				want = vectors[0].want
				want.Version = p.Version
			}
			if d := cmp.Diff(want, p); d != "" {
				t.Error(d)
			}
		})
	}
}

// F1, F2: what we send is made as the standard wants it, whatever the values.
func TestAppendLACPDU_6_4_2_Form(t *testing.T) {
	src := ether.Addr{0x02, 0xaa, 0, 0, 0, 9}
	b := slow.AppendLACPDU([]byte("before"), src, slow.LACPDU{Version: 7})
	if !bytes.HasPrefix(b, []byte("before")) {
		t.Error("does not append")
	}
	want := unhex(t, "0180c2000002 02aa00000009 8809 0101 0114"+zeros(18)+"0214"+zeros(18)+"0310"+zeros(66))
	if d := cmp.Diff(want, b[len("before"):]); d != "" {
		t.Error(d)
	}
}

// Each LACPDU that NetBSD or Open vSwitch sent is made again, octet by octet. What
// the prober of the captures sent is malformed on purpose.
func TestLACPDU_Captures(t *testing.T) {
	prober := ether.Addr{0x02, 0, 0, 0, 0, 0x99}
	count := 0
	everyCapture(t, func(file string, number int, frame []byte) {
		src := ether.Addr(frame[6:12])
		if sub, ok := slow.Subtype(frame); !ok || sub != slow.SubtypeLACP || src == prober {
			return
		}
		count++
		p, err := slow.ParseLACPDU(frame)
		if err != nil {
			t.Errorf("%s frame %d: %v", file, number, err)
		}
		if d := cmp.Diff(frame, slow.AppendLACPDU(nil, src, p)); d != "" {
			t.Errorf("%s frame %d: %s", file, number, d)
		}
	})
	if count < 100 {
		t.Errorf("only %d LACPDUs in all captures", count)
	}
}

// What agr(4) refuses because it is malformed, we refuse; the frame of 200 octets
// and those of the versions 0 and 2 are good.
func TestParseLACPDU_Malformed(t *testing.T) {
	var got []string
	for i, frame := range readCapture(t, captures+"/netbsd-marker-port1.pcap") {
		if _, err := slow.ParseLACPDU(frame); err != nil && !errors.Is(err, slow.ErrSubtype) {
			got = append(got, string(rune('a'+i))+" "+err.Error())
		}
	}
	want := []string{
		"m " + slow.ErrLength.Error(), // actor TLV of 19
		"p " + slow.ErrLength.Error(), // partner TLV
		"q " + slow.ErrLength.Error(), // collector TLV
		"r " + slow.ErrShort.Error(),  // 60 octets
		"s " + slow.ErrShort.Error(),  // 20
		"t " + slow.ErrShort.Error(),  // 15
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	frame := unhex(t, vectors[0].frame)
	out := make([]byte, 0, slow.FrameLen)
	n := testing.AllocsPerRun(100, func() {
		p, _ := slow.ParseLACPDU(frame)
		out = slow.AppendLACPDU(out[:0], ether.Addr{}, p)
		m, _ := slow.ParseMarker(frame)
		out = slow.AppendMarker(out[:0], ether.Addr{}, m)
	})
	if n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func FuzzParseLACPDU(f *testing.F) {
	everyCapture(f, func(_ string, _ int, frame []byte) { f.Add(frame) })
	for _, v := range vectors {
		f.Add(unhex(f, v.frame))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		p, err := slow.ParseLACPDU(frame)
		if err != nil {
			if p != (slow.LACPDU{}) {
				t.Fatalf("%v and a LACPDU", err)
			}
			return
		}
		again, err := slow.ParseLACPDU(slow.AppendLACPDU(nil, ether.Addr{}, p))
		p.Version = 1
		if err != nil || again != p {
			t.Fatalf("round trip: %v, %+v, want %+v", err, again, p)
		}
	})
}

func TestSystemLess_6_3_2(t *testing.T) {
	sys := func(prio uint16, last byte) slow.System {
		return slow.System{Priority: prio, Addr: ether.Addr{0x02, 0, 0, 0, 0, last}}
	}
	tests := []struct {
		name string
		a, b slow.System
		want bool
	}{
		{"priority decides", sys(1, 9), sys(2, 1), true},
		{"then the address", sys(1, 1), sys(1, 2), true},
		{"greater address", sys(1, 2), sys(1, 1), false},
		{"equal", sys(1, 1), sys(1, 1), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.a.Less(tt.b); got != tt.want {
				t.Errorf("Less = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestState(t *testing.T) {
	s := slow.Activity | slow.Synchronization
	if !s.Has(slow.Activity) || s.Has(slow.Activity|slow.Timeout) {
		t.Errorf("Has is wrong of %v", s)
	}
	if got := s.With(slow.Timeout, true).With(slow.Activity, false); got != slow.Timeout|slow.Synchronization {
		t.Errorf("With gave %v", got)
	}
	if d := cmp.Diff("ACTIVITY,TIMEOUT,AGGREGATION,SYNC,COLLECTING,DISTRIBUTING,DEFAULTED,EXPIRED",
		slow.State(0xff).String()); d != "" {
		t.Error(d)
	}
}
