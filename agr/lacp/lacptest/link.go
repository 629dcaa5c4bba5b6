package lacptest

import (
	"time"

	"ifagr/agr/lacp"
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

// direction is what happens to frames from one end to the other.
type direction struct {
	cut  bool
	drop int     // frames to lose
	loss float64 // 0..1, of frames
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
// arrive. A frame that is on its way when the carrier goes is lost.
func (l *Link) carry(from int, frame []byte) bool {
	if l.loses(&l.way[from]) {
		return false
	}
	to := l.ends[1-from]
	if to.Node == nil {
		return false
	}
	l.net.At(l.Delay, func() {
		if l.up && to.Node.port(to.Port) != nil {
			to.Node.receive(to.Port, frame)
		}
	})
	return true
}

// loses decides about one frame.
func (l *Link) loses(w *direction) bool {
	if w.drop > 0 {
		w.drop--
		return true
	}
	return !l.up || w.cut || w.loss > 0 && l.net.random.Float64() < w.loss
}
