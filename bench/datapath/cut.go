package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ifagr/bench/lab"
	"ifagr/netutil/nettest"
)

// cutRate is the frames a second of the one conversation that a cut hits.
const cutRate = 10_000

// injury is a way to take a link away and to give it back.
type injury struct {
	name       string
	hurt, heal func(w *way, port string)
}

func injuries() []injury {
	return []injury{
		{
			"cable",
			func(w *way, port string) { w.cables[port].cut() },
			func(w *way, port string) { w.cables[port].mend() },
		},
		{
			"far end down",
			func(w *way, port string) { w.setUp(1, port, false) },
			func(w *way, port string) { w.setUp(1, port, true) },
		},
		{
			"our end down",
			func(w *way, port string) { w.setUp(0, port, false) },
			func(w *way, port string) { w.setUp(0, port, true) },
		},
	}
}

// setUp takes a port of one end up or down, and so the carrier of the other. The
// carrier goes first: to take an interface down lasts some milliseconds, in which
// frames are lost that nobody could have saved.
func (w *way) setUp(end int, port string, up bool) {
	conn := w.links[end]
	l, err := conn.LinkByName(port)
	if err != nil {
		w.t.Fatal(err)
	}
	w.cables[port].light(1-end, up)
	if up {
		err = conn.SetUp(l.Index)
	} else {
		err = conn.SetDown(l.Index)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// cuts counts what is lost when a link is taken away, and when it comes back.
func cuts(b *lab.Bed, c *config) {
	c.title("Frames lost of %d a second when a link is cut, and when it is back; a figure for each cut, * where it was disturbed", cutRate)
	fmt.Fprintf(c.out, "%-8s %-6s %-14s %-24s %-18s %s\n", "way", "poll", "cut", "lost when cut", "lost when back", "reordered and duplicated when cut, when back")
	for _, kind := range []string{kernel, user} {
		for _, p := range []struct {
			poll time.Duration
			most int
		}{{defaultPoll, 100}, {time.Millisecond, 10}} {
			if c.wants(kind) {
				b.Part(func(b *lab.Bed) { cutsOf(b, c, kind, p.poll, p.most) })
			}
		}
	}
	if c.wants(ovs) {
		b.Part(func(b *lab.Bed) { cutsOf(b, c, ovs, 0, 0) })
	}
}

// cutsOf cuts one way, each in every manner. At most so many frames should be
// lost; 0 is no goal.
func cutsOf(b *lab.Bed, c *config, kind string, poll time.Duration, most int) {
	w := newCabledWay(b, c.bin, kind, agrOptions{kind: kind, poll: poll, ports: portNames(2)})
	var all losses
	for _, in := range injuries() {
		var l losses
		for range c.cycles {
			l.add(b, w, in)
		}
		c.progress("%s, poll %v, %s: lost %s; others took %s, the sender paused for %v at most",
			kind, poll, in.name, list(l.cut), share(l.others), l.pause)
		fmt.Fprintf(c.out, "%-8s %-6v %-14s %-24s %-18s %d, %d%s\n", kind, poll, in.name, list(l.cut), list(l.back), l.strayCut, l.strayBack, l.remark())
		all.cut, all.back = append(all.cut, l.cut...), append(all.back, l.back...)
		all.strayBack += l.strayBack
	}
	if most > 0 {
		c.goals(all.goals(fmt.Sprintf("%s, poll %v", kind, poll), most))
	}
}

// loss is what one cut, or one return, came to.
type loss struct {
	frames    int
	disturbed bool
}

// String marks what was disturbed.
func (l loss) String() string {
	if l.disturbed {
		return fmt.Sprint(l.frames, "*")
	}
	return fmt.Sprint(l.frames)
}

// maxPause is how long the sender of a cut may have been kept from sending: what
// it makes up for in a burst afterwards would count as lost in one moment.
const maxPause = 3 * time.Millisecond

// losses are what repeated cuts came to.
type losses struct {
	cut, back []loss
	// What was reordered or duplicated. A cut may do that to frames that were under
	// way, a return may not.
	strayCut, strayBack uint64
	overflow            uint64 // lost in the sink's socket: no fault of the way
	refused             uint64 // of the lost, what the sender's kernel refused
	others              lab.Series
	pause               time.Duration // the longest of a sender
}

// add cuts the port that carries the conversation, and gives it back.
func (l *losses) add(b *lab.Bed, w *way, in injury) {
	o := &observer{b: b, w: w}
	before := o.now()
	s := nettest.StartStream(b, nettest.StreamConfig{From: w.a, To: w.b, Flows: flows(manyFrom, 0, 1, cutRate)})
	port := w.busiest(func() { b.Wait(250 * time.Millisecond) })
	in.hurt(w, port)
	b.Wait(700 * time.Millisecond)
	r := s.Stop()
	l.cut = append(l.cut, l.count(r, o.since(before)))
	l.strayCut += r.Reordered + r.Duplicated

	// The conversation that was hit is busy and stays where it is. Those that move
	// to the port that comes back are the ones with pauses.
	before = o.now()
	mix := append(flows(manyFrom, 0, 2, cutRate/4), flows(manyFrom, 2, 50, cutRate/100)...)
	s = nettest.StartStream(b, nettest.StreamConfig{From: w.a, To: w.b, Flows: mix})
	b.Wait(100 * time.Millisecond)
	in.heal(w, port)
	nettest.Eventually(b, 3*settle, w.complete)
	b.Wait(300 * time.Millisecond)
	r = s.Stop()
	l.back = append(l.back, l.count(r, o.since(before)))
	l.strayBack += r.Reordered + r.Duplicated
}

func (l *losses) count(r nettest.Report, w window) loss {
	l.overflow += r.Overflow
	l.refused += r.SendErrors
	l.others = append(l.others, w.others)
	l.pause = max(l.pause, r.Pause)
	return loss{int(r.Lost), w.others > lab.MaxOthers || r.Pause > maxPause}
}

// remark is what else is to be known of the lost frames.
func (l *losses) remark() string {
	text := ""
	if l.refused > 0 {
		text += fmt.Sprintf("; %d of the lost were refused to the sender", l.refused)
	}
	if l.overflow > 0 {
		text += fmt.Sprintf("; %d of the lost found no room in the sink", l.overflow)
	}
	return text
}

// goals compares with what may be lost in a cut; nothing may be when a link comes
// back.
func (l *losses) goals(title string, most int) []goal {
	atMost := func(text string, all []loss, most int) goal {
		g := figureGoal(title+": "+text, worst(all) <= most, "at worst %d", worst(all))
		if quiet := undisturbed(all); g.verdict == lab.Missed && worst(quiet) <= most {
			g.verdict = lab.Unclear
			g.seen += fmt.Sprintf("; %d in the %d of %d that nothing disturbed", worst(quiet), len(quiet), len(all))
		}
		return g
	}
	return []goal{
		atMost(fmt.Sprintf("at most %d frames lost in a cut", most), l.cut, most),
		atMost("0 lost when a link is back", l.back, 0),
		figureGoal(title+": 0 reordered or duplicated when a link is back", l.strayBack == 0, "%d", l.strayBack),
	}
}

// undisturbed are the losses that count in any case.
func undisturbed(all []loss) []loss {
	return slices.DeleteFunc(slices.Clone(all), func(l loss) bool { return l.disturbed })
}

// worst is the greatest loss.
func worst(all []loss) int {
	most := 0
	for _, l := range all {
		most = max(most, l.frames)
	}
	return most
}

func list(all []loss) string { return strings.Trim(fmt.Sprint(all), "[]") }

// busiest is the port that end A sends most through while f runs.
func (w *way) busiest(f func()) string {
	sent := func(port string) uint64 {
		l, err := w.links[0].LinkByName(port)
		if err != nil {
			w.t.Fatal(err)
		}
		return l.Stats.TxPackets
	}
	before := make(map[string]uint64)
	for _, p := range w.ports {
		before[p] = sent(p)
	}
	f()
	return slices.MaxFunc(w.ports, func(p, q string) int { return int(sent(p)-before[p]) - int(sent(q)-before[q]) })
}
