package user

import (
	"bytes"
	"sync/atomic"

	"ifagr/agr/dist"
)

// What a device keeps of all held conversations together. A hold lasts as long
// as a Marker and its response take, a few milliseconds.
const (
	maxHeldFrames = 4096
	maxHeldOctets = 32 << 20
)

// heldFrame is a copy of a frame, behind its virtio_net_hdr.
type heldFrame struct {
	conversation uint8
	frame        []byte
}

// held are the frames of the conversations that wait, in the order in which
// the host sent them. They belong to the outbound, but for their number.
type held struct {
	frames []heldFrame
	octets int
	number atomic.Uint64 // of frames
}

// keep puts a copy of a frame behind the others, and reports whether there was
// room.
func (h *held) keep(c uint8, f []byte) bool {
	if len(h.frames) == maxHeldFrames || h.octets+len(f) > maxHeldOctets {
		return false
	}
	h.frames = append(h.frames, heldFrame{c, bytes.Clone(f)})
	h.octets += len(f)
	h.number.Store(uint64(len(h.frames)))
	return true
}

// release gives the frames of conversations that are not to be held any more to
// send, in order. The others stay.
func (h *held) release(hold *dist.Set, send func(heldFrame)) {
	stay := h.frames[:0]
	for _, f := range h.frames {
		if hold.Has(f.conversation) {
			stay = append(stay, f)
			continue
		}
		h.octets -= len(f.frame)
		send(f)
	}
	clear(h.frames[len(stay):])
	h.frames = stay
	if len(stay) == 0 {
		h.frames = nil // seldom needed
	}
	h.number.Store(uint64(len(stay)))
}
