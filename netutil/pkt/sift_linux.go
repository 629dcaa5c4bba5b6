package pkt

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

// Speaker is who sends a LACPDU: the first fields of its Actor (IEEE 802.1AX-2014
// 6.4.2.3).
type Speaker struct {
	Priority uint16
	System   ether.Addr
	Port     uint16
}

// siftShare is one in how many frames passes a sieve, a power of two.
const siftShare = 64

// Places in a LACPDU, from the destination address on.
const (
	atSubtype  = 14
	atPriority = 18
	atSystem   = 20
	atPort     = 30
	subLACP    = 1
)

// Sift lets the kernel drop most of what arrives, for a time in which more comes than
// can be read and the socket would lose frames without a choice: the LACPDUs of one
// speaker pass, if it is not nil, and of everything else a random one in 64.
func (s *Slow) Sift(keep *Speaker) error { return s.setFilter(sieve(keep)) }

// SiftNone ends Sift.
func (s *Slow) SiftNone() error {
	return s.setFilter([]unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: maxSlow}})
}

// maxSlow is how much of a frame passes a filter: all of it.
const maxSlow = 1 << 16

// sieve is the filter of Sift. What it reads beyond the end of a frame ends it, and
// the frame, which is too short for any of these protocols.
func sieve(keep *Speaker) []unix.SockFilter {
	const random = 0xfffff000 + 56 // SKF_AD_OFF + SKF_AD_RANDOM of linux/filter.h
	share := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: random},
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: siftShare - 1},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: maxSlow},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	if keep == nil {
		return share
	}
	want := []struct {
		size uint16
		at   uint32
		is   uint32
	}{
		{unix.BPF_B, atSubtype, subLACP},
		{unix.BPF_H, atPriority, uint32(keep.Priority)},
		{unix.BPF_W, atSystem, binary.BigEndian.Uint32(keep.System[:4])},
		{unix.BPF_H, atSystem + 4, uint32(binary.BigEndian.Uint16(keep.System[4:]))},
		{unix.BPF_H, atPort, uint32(keep.Port)},
	}
	var all []unix.SockFilter
	for i, w := range want {
		rest := uint8(2*(len(want)-1-i) + 1) // to share, over what is left and its return
		all = append(
			all,
			unix.SockFilter{Code: unix.BPF_LD | w.size | unix.BPF_ABS, K: w.at},
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: w.is, Jf: rest},
		)
	}
	all = append(all, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: maxSlow})
	return append(all, share...)
}

// setFilter exchanges the socket's filter in one step.
func (s *Slow) setFilter(prog []unix.SockFilter) error {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("pkt slow filter: %w", err)
	}
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: unsafe.SliceData(prog)}
	ctlErr := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &fprog)
	})
	if ctlErr != nil {
		err = ctlErr
	}
	if err != nil {
		return fmt.Errorf("pkt slow filter: %w", err)
	}
	return nil
}
