package picture

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"ifagr/agr/ctl"
)

// Rate is what flows in one direction.
type Rate struct {
	Frames, Bits float64 // a second
	Width        int     // of its bar, 0..100
	known        bool
}

// String is the rate in words.
func (r Rate) String() string {
	if !r.known {
		return "–"
	}
	return bits(r.Bits)
}

// Detail is what String leaves out.
func (r Rate) Detail() string {
	if !r.known {
		return "not known yet"
	}
	return fmt.Sprintf("%s frames/s", thousands(r.Frames))
}

func (r Rate) plus(o Rate) Rate {
	return Rate{Frames: r.Frames + o.Frames, Bits: r.Bits + o.Bits, known: r.known || o.known}
}

// Busy is a conversation that carries much.
type Busy struct {
	Number int
	Port   string
	Rate   Rate
	Moving string // where it moves to, or that it waits
}

// busyShown is how many of them are listed.
const busyShown = 5

// Strip is the 256 conversations as one port has them: a mark for each that is
// its own, the higher the more it carries.
type Strip struct {
	Own     string // SVG path of its conversations
	Loaded  string // SVG path of what they carry
	Held    string // SVG path of those that wait
	Count   int    // its own
	Carry   int    // of them, those that carry frames
	Waiting int
}

// load compares two samples.
type load struct {
	known   bool
	seconds float64
	ports   map[uint16]ctl.Counters // a moment ago
	now     []ctl.Conversation
	rates   []Rate // of the conversations
	most    float64
}

func newLoad(now, last Sample) *load {
	l := &load{now: now.Status.Conversations, rates: make([]Rate, len(now.Status.Conversations))}
	d := now.At.Sub(last.At)
	if last.Status == nil || d <= 0 || last.Status.Index != now.Status.Index {
		return l
	}
	l.known, l.seconds = true, d.Seconds()
	l.ports = make(map[uint16]ctl.Counters)
	for _, p := range last.Status.Ports {
		l.ports[p.Number] = p.Counters
	}
	for i, c := range now.Status.Conversations {
		if i < len(last.Status.Conversations) {
			was := last.Status.Conversations[i]
			l.rates[i] = l.rate(c.Frames, was.Frames, c.Bytes, was.Bytes)
			l.most = max(l.most, l.rates[i].Bits)
		}
	}
	return l
}

// rate is what a pair of counters has grown in a second. One that was set back
// began anew.
func (l *load) rate(frames, wasFrames, bytes, wasBytes uint64) Rate {
	if !l.known {
		return Rate{}
	}
	if frames < wasFrames || bytes < wasBytes {
		return Rate{known: true}
	}
	return Rate{Frames: float64(frames-wasFrames) / l.seconds, Bits: 8 * float64(bytes-wasBytes) / l.seconds, known: true}
}

func (l *load) out(p *ctl.PortStatus) Rate {
	was, ok := l.ports[p.Number]
	if !ok {
		return Rate{}
	}
	return l.rate(p.Counters.TxFrames, was.TxFrames, p.Counters.TxBytes, was.TxBytes)
}

func (l *load) in(p *ctl.PortStatus) Rate {
	was, ok := l.ports[p.Number]
	if !ok {
		return Rate{}
	}
	return l.rate(p.Counters.RxFrames, was.RxFrames, p.Counters.RxBytes, was.RxBytes)
}

// stripHeight is that of the strip's picture; a conversation is 1 wide.
const stripHeight = 24

// strip draws the conversations of a port.
func (l *load) strip(number uint16) Strip {
	var s Strip
	var own, loaded, held strings.Builder
	for i, c := range l.now {
		if c.Port != number {
			continue
		}
		s.Count++
		fmt.Fprintf(&own, "M%d %dh1v-4h-1z", i, stripHeight)
		if h := l.height(l.rates[i].Bits); h > 0 {
			s.Carry++
			fmt.Fprintf(&loaded, "M%d %dh1v-%dh-1z", i, stripHeight, h)
		}
		if c.Held {
			s.Waiting++
			fmt.Fprintf(&held, "M%d 0h1v3h-1z", i)
		}
	}
	s.Own, s.Loaded, s.Held = own.String(), loaded.String(), held.String()
	return s
}

// height is that of a conversation's mark. The scale is logarithmic, three powers
// of ten high, so that a small conversation beside a big one can be seen.
func (l *load) height(bits float64) int {
	if bits <= 0 {
		return 0
	}
	share := 1 + math.Log10(bits/l.most)/3
	return max(7, int(math.Round(stripHeight*share)))
}

// busiest lists the conversations that carry most.
func (l *load) busiest(st *ctl.Status) []Busy {
	var all []Busy
	for i, r := range l.rates {
		c := l.now[i]
		if r.Frames == 0 && !c.Held {
			continue
		}
		b := Busy{Number: i, Port: portName(st, c.Port), Rate: r}
		switch {
		case c.Held:
			b.Moving = "waits, moves to " + portName(st, c.Next)
		case c.Next != 0:
			b.Moving = "moves to " + portName(st, c.Next) + " when it pauses"
		}
		all = append(all, b)
	}
	slices.SortStableFunc(all, func(x, y Busy) int { return cmp.Compare(y.Rate.Bits, x.Rate.Bits) })
	return all[:min(len(all), busyShown)]
}

func portName(st *ctl.Status, number uint16) string {
	for _, p := range st.Ports {
		if p.Number == number {
			return p.Name
		}
	}
	return "no port"
}

// scale gives the bars of an aggregate's ports their widths: the whole is the
// speed of the port, or where that is not known the most that any port carries.
func scale(a *Agr, st *ctl.Status) {
	var most float64
	for _, p := range a.Ports {
		most = max(most, p.Out.Bits, p.In.Bits)
	}
	for i := range a.Ports {
		p := &a.Ports[i]
		whole := most
		if mbps := st.Ports[i].Speed; mbps > 0 && float64(mbps)*1e6 >= most {
			whole = float64(mbps) * 1e6
		}
		p.Out.Width, p.In.Width = width(p.Out.Bits, whole), width(p.In.Bits, whole)
	}
}

// width is that of a bar. The scale is logarithmic, four powers of ten wide, so
// that a little on a fast link can be seen and told from much.
func width(part, whole float64) int {
	if part <= 0 || whole <= 0 {
		return 0
	}
	return min(100, max(2, int(math.Round(100+25*math.Log10(part/whole)))))
}

// bits is a rate in words.
func bits(b float64) string {
	units := [...]string{"b/s", "kb/s", "Mb/s", "Gb/s", "Tb/s"}
	i := 0
	for ; b >= 999.5 && i < len(units)-1; i++ {
		b /= 1000
	}
	if b < 9.95 && i > 0 {
		return fmt.Sprintf("%.1f %s", b, units[i])
	}
	return fmt.Sprintf("%.0f %s", b, units[i])
}

// thousands is a number with its thousands apart.
func thousands(f float64) string {
	s := fmt.Sprintf("%.0f", f)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// Event is a transition as it is shown.
type Event struct {
	ID                        string // for the stream; may be empty
	Time                      time.Time
	Agr, Port, What, From, To string
	Reason                    string
	Note                      bool // no transition, but something about the list
}

// EventOf is the Event of a transition.
func EventOf(t ctl.Transition) Event {
	return Event{
		Time: t.Time, Agr: t.Agr, Port: t.Port, What: t.Machine, From: orNone(t.From), To: orNone(t.To), Reason: t.Reason,
	}
}

// Clock is the time of day of the event.
func (e Event) Clock() string { return e.Time.Format("15:04:05.000") }

// History is what a status remembers, newest first.
func History(all []*ctl.Status) []Event {
	var events []Event
	for _, st := range all {
		for _, p := range st.Ports {
			for _, c := range p.History {
				events = append(events, Event{
					Time: c.Time, Agr: st.Name, Port: p.Name, What: c.Machine, From: orNone(c.From), To: orNone(c.To), Reason: c.Reason,
				})
			}
		}
	}
	slices.SortStableFunc(events, func(x, y Event) int { return y.Time.Compare(x.Time) })
	return events
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
