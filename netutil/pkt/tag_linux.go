package pkt

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

// HeaderLen is the length of the virtio_net_hdr before every data frame, in
// octets. Its fields are in the machine's byte order.
const HeaderLen = 10

// Fields of virtio_net_hdr (OASIS VIRTIO 1.2, 5.1.6) that a tag put back moves.
const (
	hdrFlags     = 0 // u8
	hdrLen       = 2 // u16, octets of headers in front of the payload
	hdrCsumStart = 6 // u16, where the checksum begins
	needsCsum    = 1 // of hdrFlags: the checksum is unfinished
)

// vlanTag finds the tag that the kernel took out of a frame in the control
// messages that came with the frame.
func vlanTag(oob []byte) (tpid, tci uint16, ok bool) {
	for len(oob) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[0]))
		size := uint64(h.Len)
		if size < unix.SizeofCmsghdr || size > uint64(len(oob)) {
			return 0, 0, false
		}
		data := oob[unix.CmsgLen(0):size]
		if h.Level == unix.SOL_PACKET && h.Type == unix.PACKET_AUXDATA &&
			len(data) >= int(unsafe.Sizeof(unix.TpacketAuxdata{})) {
			return auxTag((*unix.TpacketAuxdata)(unsafe.Pointer(&data[0])))
		}
		next := unix.CmsgSpace(len(data))
		if next > len(oob) {
			return 0, 0, false
		}
		oob = oob[next:]
	}
	return 0, 0, false
}

// auxTag is the tag of one PACKET_AUXDATA. Kernels before 3.14 do not tell the
// TPID: then it is the C-tag's.
func auxTag(a *unix.TpacketAuxdata) (tpid, tci uint16, ok bool) {
	if a.Status&unix.TP_STATUS_VLAN_VALID == 0 {
		return 0, 0, false
	}
	if a.Status&unix.TP_STATUS_VLAN_TPID_VALID == 0 {
		return ether.TypeVLAN, a.Vlan_tci, true
	}
	return a.Vlan_tpid, a.Vlan_tci, true
}

// putBackTag inserts a VLAN tag behind the addresses of the frame in b, which is
// ether.TagLen octets of room, a virtio_net_hdr and the frame. The header and
// the addresses move into the room, so that the rest of the frame, which may be
// 64 KB, stays where it is. Offsets in the header that count from the start of
// the frame grow with it. It reports false, and does nothing, for a frame that
// is shorter than its addresses.
func putBackTag(b []byte, tpid, tci uint16) bool {
	const addresses = HeaderLen + 2*ether.AddrLen
	if len(b) < ether.TagLen+addresses {
		return false
	}
	copy(b, b[ether.TagLen:ether.TagLen+addresses])
	binary.BigEndian.PutUint16(b[addresses:], tpid)
	binary.BigEndian.PutUint16(b[addresses+2:], tci)
	if b[hdrFlags]&needsCsum != 0 {
		addUint16(b[hdrCsumStart:], ether.TagLen)
		addUint16(b[hdrLen:], ether.TagLen)
	}
	return true
}

func addUint16(b []byte, n uint16) {
	binary.NativeEndian.PutUint16(b, binary.NativeEndian.Uint16(b)+n)
}
