package lacptest

import (
	"slices"
	"time"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
	"ifagr/netutil/ether"
)

// DefaultDelay is how long a frame takes through a link.
const DefaultDelay = time.Millisecond

// DefaultSpeed is the speed of an end that does not say, in Mb/s.
const DefaultSpeed = 1000

// End is where one end of a link is plugged in.
type End struct {
	Node       *Node  // nil: something that speaks no LACP
	Port       uint16 // its number there
	Speed      uint64 // as this end sees it, Mb/s; 0 is DefaultSpeed
	HalfDuplex bool
}

// Link is a cable. Its directions are named by the end that sends: 0 or 1.
type Link struct {
	// Delay is the time that a frame takes.
	Delay time.Duration

	net  *Network
	ends [2]End
	way  [2]direction
	up   bool
}

// direction is what happens to frames from one end to the other. Ratios are 0 to 1,
// of frames.
type direction struct {
	cut       bool
	drop      int // frames to lose
	loss      float64
	duplicate float64
	corrupt   float64
	jitter    time.Duration
	reflect   bool
	edit      func(*slow.LACPDU) bool
}

// Connect plugs a cable into two ports, which are added to their nodes.
func (n *Network) Connect(a, b End) *Link {
	l := &Link{net: n, Delay: DefaultDelay, ends: [2]End{a, b}, up: true}
	for i := range l.ends {
		e := &l.ends[i]
		if e.Speed == 0 {
			e.Speed = DefaultSpeed
		}
		if e.Node != nil {
			e.Node.plug(e.Port, l, i)
		}
	}
	return l
}

// SetCarrier gives both ends a carrier or takes it.
func (l *Link) SetCarrier(up bool) {
	l.up = up
	l.tell()
}

// SetSpeed changes the speed that one end sees, in Mb/s.
func (l *Link) SetSpeed(end int, speed uint64) {
	l.ends[end].Speed = speed
	l.tell()
}

// Cut loses all frames of one direction from now on, or no more. Neither end
// loses its carrier.
func (l *Link) Cut(from int, cut bool) { l.way[from].cut = cut }

// Drop loses the next count frames of one direction.
func (l *Link) Drop(from, count int) { l.way[from].drop = count }

// Lose loses a ratio of the frames of one direction, 0 to 1.
func (l *Link) Lose(from int, ratio float64) { l.way[from].loss = ratio }

// Duplicate delivers a ratio of the frames of one direction twice.
func (l *Link) Duplicate(from int, ratio float64) { l.way[from].duplicate = ratio }

// Corrupt changes a bit of a ratio of the frames of one direction, somewhere behind
// the header. Nothing else notices it: it stands for what a checksum lets through.
func (l *Link) Corrupt(from int, ratio float64) { l.way[from].corrupt = ratio }

// Jitter delays each frame of one direction by a random time up to most, so that
// frames overtake each other.
func (l *Link) Jitter(from int, most time.Duration) { l.way[from].jitter = most }

// Reflect sends the frames of one end back to it as well, as a looped cable does.
func (l *Link) Reflect(from int, on bool) { l.way[from].reflect = on }

// Edit makes one end a sloppy partner: f may change what it says in each of its
// LACPDUs, and loses the LACPDU when it is false. A nil f changes nothing.
func (l *Link) Edit(from int, f func(*slow.LACPDU) bool) { l.way[from].edit = f }

// Swap exchanges the far ends of two cables without anyone noticing a loss of
// carrier.
func Swap(a, b *Link) {
	a.ends[1], b.ends[1] = b.ends[1], a.ends[1]
	for _, l := range []*Link{a, b} {
		if e := l.ends[1]; e.Node != nil {
			e.Node.port(e.Port).link = l
		}
	}
}

// tell lets both ends know what the link is like.
func (l *Link) tell() {
	for i, e := range l.ends {
		if e.Node != nil && e.Node.port(e.Port) != nil {
			e.Node.Step(lacp.LinkChange{Number: e.Port, Link: l.state(i)})
		}
	}
}

// state is what one end sees.
func (l *Link) state(end int) lacp.Link {
	e := l.ends[end]
	return lacp.Link{Up: l.up, Speed: e.Speed, HalfDuplex: e.HalfDuplex}
}

// carry takes a frame from one end to the other, and reports whether it will
// arrive there. A frame that is on its way when the carrier goes is lost.
func (l *Link) carry(from int, frame []byte) bool {
	w := &l.way[from]
	if l.loses(w) {
		return false
	}
	frame, ok := edited(w.edit, frame)
	if !ok {
		return false
	}
	if w.reflect {
		l.deliver(w, from, frame)
	}
	if l.chance(w.duplicate) {
		l.deliver(w, 1-from, frame)
	}
	l.deliver(w, 1-from, frame)
	return l.ends[1-from].Node != nil
}

// deliver lets a frame arrive at an end after a while.
func (l *Link) deliver(w *direction, end int, frame []byte) {
	delay := l.Delay
	if w.jitter > 0 {
		delay += time.Duration(l.net.random.Int64N(int64(w.jitter)))
	}
	damaged := l.chance(w.corrupt)
	if damaged {
		frame = l.damage(frame)
	}
	l.net.At(delay, func() {
		if to := l.ends[end]; l.up && to.Node != nil && to.Node.port(to.Port) != nil {
			to.Node.receive(to.Port, frame, damaged)
		}
	})
}

// edited is the frame with what a sloppy partner says.
func edited(edit func(*slow.LACPDU) bool, frame []byte) ([]byte, bool) {
	if edit == nil {
		return frame, true
	}
	pdu, err := slow.ParseLACPDU(frame)
	if err != nil || !edit(&pdu) {
		return nil, false
	}
	src := ether.Addr(frame[ether.AddrLen : 2*ether.AddrLen])
	return slow.AppendLACPDU(nil, src, pdu), true
}

// damage changes one bit behind the header.
func (l *Link) damage(frame []byte) []byte {
	frame = slices.Clone(frame)
	at := ether.HeaderLen + l.net.random.IntN(len(frame)-ether.HeaderLen)
	frame[at] ^= 1 << l.net.random.IntN(8)
	return frame
}

// loses decides about one frame.
func (l *Link) loses(w *direction) bool {
	if w.drop > 0 {
		w.drop--
		return true
	}
	return !l.up || w.cut || l.chance(w.loss)
}

// chance is true in a ratio of the cases.
func (l *Link) chance(ratio float64) bool {
	return ratio > 0 && l.net.random.Float64() < ratio
}
