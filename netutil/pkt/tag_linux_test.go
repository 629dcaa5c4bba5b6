package pkt

import (
	"encoding/binary"
	"encoding/hex"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

// control makes one control message.
func control(level, typ int32, data []byte) []byte {
	b := make([]byte, unix.CmsgSpace(len(data)))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = level, typ
	h.SetLen(unix.CmsgLen(len(data)))
	copy(b[unix.CmsgLen(0):], data)
	return b
}

func auxdata(status uint32, tpid, tci uint16) []byte {
	a := unix.TpacketAuxdata{Status: status, Vlan_tci: tci, Vlan_tpid: tpid}
	return unsafe.Slice((*byte)(unsafe.Pointer(&a)), unsafe.Sizeof(a))
}

func TestVLANTag(t *testing.T) {
	type tag struct {
		TPID, TCI uint16
		OK        bool
	}
	const valid, withTPID = unix.TP_STATUS_VLAN_VALID, unix.TP_STATUS_VLAN_VALID | unix.TP_STATUS_VLAN_TPID_VALID
	aux := func(status uint32, tpid, tci uint16) []byte {
		return control(unix.SOL_PACKET, unix.PACKET_AUXDATA, auxdata(status, tpid, tci))
	}
	other := control(unix.SOL_SOCKET, unix.SO_TIMESTAMP, make([]byte, 16))
	tests := []struct {
		name string
		oob  []byte
		want tag
	}{
		{"nothing", nil, tag{}},
		{"no tag", aux(0, 0, 7), tag{}},
		{"C-tag", aux(withTPID, ether.TypeVLAN, 0xa064), tag{ether.TypeVLAN, 0xa064, true}},
		{"S-tag", aux(withTPID, ether.TypeSVLAN, 5), tag{ether.TypeSVLAN, 5, true}},
		{"priority tag", aux(withTPID, ether.TypeVLAN, 0), tag{ether.TypeVLAN, 0, true}},
		{"kernel that tells no TPID", aux(valid, 0, 5), tag{ether.TypeVLAN, 5, true}},
		{"behind another message", append(append([]byte{}, other...), aux(withTPID, ether.TypeVLAN, 9)...), tag{ether.TypeVLAN, 9, true}},
		{"another message only", other, tag{}},
		{"message cut short", aux(withTPID, ether.TypeVLAN, 9)[:20], tag{}},
		{"auxdata cut short", control(unix.SOL_PACKET, unix.PACKET_AUXDATA, make([]byte, 8)), tag{}},
		{"length 0", make([]byte, 32), tag{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got tag
			got.TPID, got.TCI, got.OK = vlanTag(tt.oob)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// FuzzVLANTag wants no panic, whatever the control messages say.
func FuzzVLANTag(f *testing.F) {
	f.Add(control(unix.SOL_PACKET, unix.PACKET_AUXDATA, auxdata(unix.TP_STATUS_VLAN_VALID, 0, 5)))
	f.Add(control(unix.SOL_SOCKET, 1, make([]byte, 3)))
	f.Fuzz(func(t *testing.T, oob []byte) {
		aligned := make([]byte, len(oob))
		copy(aligned, oob)
		if tpid, tci, ok := vlanTag(aligned); !ok && (tpid != 0 || tci != 0) {
			t.Errorf("no tag, but %#x %#x", tpid, tci)
		}
	})
}

// header is a virtio_net_hdr in the machine's byte order.
func header(flags, gso byte, hdrLen, gsoSize, csumStart, csumOffset uint16) []byte {
	b := []byte{flags, gso}
	for _, v := range []uint16{hdrLen, gsoSize, csumStart, csumOffset} {
		b = binary.NativeEndian.AppendUint16(b, v)
	}
	return b
}

func TestPutBackTag(t *testing.T) {
	addresses := unhex(t, "020000000002"+"020000000001")
	rest := unhex(t, "0800"+"4500")
	tests := []struct {
		name         string
		header, want []byte // headers
	}{
		{"plain", header(0, 0, 0, 0, 0, 0), header(0, 0, 0, 0, 0, 0)},
		{"checksum unfinished", header(1, 0, 42, 0, 34, 6), header(1, 0, 46, 0, 38, 6)},
		{"TCP to be segmented", header(1, 1, 66, 1448, 34, 16), header(1, 1, 70, 1448, 38, 16)},
		{"checksum known to be good", header(2, 0, 0, 0, 0, 0), header(2, 0, 0, 0, 0, 0)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := join(make([]byte, ether.TagLen), tt.header, addresses, rest)
			if !putBackTag(b, ether.TypeSVLAN, 0x2064) {
				t.Fatal("refused")
			}
			want := join(tt.want, addresses, unhex(t, "88a82064"), rest)
			if diff := cmp.Diff(want, b); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestPutBackTagRunt(t *testing.T) {
	b := make([]byte, ether.TagLen+HeaderLen+11)
	b[5] = 9
	want := append([]byte(nil), b...)
	if putBackTag(b, ether.TypeVLAN, 5) {
		t.Error("put a tag between halves of an address")
	}
	if diff := cmp.Diff(want, b); diff != "" {
		t.Errorf("changed a frame that it refused: %s", diff)
	}
}

func TestIsSlow(t *testing.T) {
	lacpdu := unhex(t, "0180c2000002"+"020000000001"+"88090101")
	tests := []struct {
		name  string
		frame []byte
		oob   []byte
		typ   uint8
		want  bool
	}{
		{"group address", lacpdu, nil, unix.PACKET_MULTICAST, true},
		{"for somebody else", lacpdu, nil, unix.PACKET_OTHERHOST, false},
		{"our own", lacpdu, nil, unix.PACKET_OUTGOING, false},
		{"tagged", lacpdu, control(unix.SOL_PACKET, unix.PACKET_AUXDATA, auxdata(unix.TP_STATUS_VLAN_VALID, 0, 0)), unix.PACKET_MULTICAST, false},
		{"unicast", unhex(t, "020000000002"+"020000000001"+"88090101"), nil, unix.PACKET_HOST, false},
		{"runt", lacpdu[:13], nil, unix.PACKET_MULTICAST, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := isSlow(tt.frame, tt.oob, &unix.SockaddrLinklayer{Pkttype: tt.typ}); got != tt.want {
				t.Errorf("isSlow = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestSendBatch(t *testing.T) {
	b := NewSendBatch(3)
	frames := [][]byte{make([]byte, HeaderLen+60), make([]byte, HeaderLen+1500), make([]byte, HeaderLen+64)}
	if b.Add(nil) {
		t.Error("took an empty frame")
	}
	for _, f := range frames {
		if !b.Add(f) {
			t.Fatal("no room")
		}
	}
	if b.Add(frames[0]) {
		t.Error("took a fourth frame into three places")
	}
	if &b.First()[0] != &frames[0][0] || len(b.First()) != len(frames[0]) {
		t.Error("First is not the first frame")
	}
	if n := b.Skip(2); n != 1560 || b.Len() != 1 {
		t.Errorf("skipped %d octets, %d frames left; want 1560, 1", n, b.Len())
	}
	if n := b.Skip(9); n != 64 || b.Len() != 0 {
		t.Errorf("skipped %d octets, %d frames left; want 64, 0", n, b.Len())
	}
	b.Reset()
	if !b.Add(frames[0]) || b.Len() != 1 {
		t.Error("no room after Reset")
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func join(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}
