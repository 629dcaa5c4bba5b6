package main

import (
	"os"
	"strconv"
	"time"

	"ifagr/bench/lab"
	"ifagr/bench/load"
)

// A measurement begins after warmUp, when the connections have found their
// speed.
const warmUp = 150 * time.Millisecond

// figures are what one measurement came to, by the name of the figure.
type figures map[string]float64

// window is what happened between two moments.
type window struct {
	source, sink lab.Reading
	last         lab.Reading   // of the source, at the end
	daemons      time.Duration // processor time of what moves the frames
	softIRQ      time.Duration // of ksoftirqd
	others       float64       // share of the machine that was not ours, stolen time included
}

// whole is the processor time that everything took together.
func (w *window) whole() time.Duration {
	return w.source.CPU + w.sink.CPU + w.daemons + w.softIRQ
}

// observer takes readings of a way and, where there are any, of its source and
// its sink.
type observer struct {
	b            *lab.Bed
	w            *way
	source, sink *lab.Process
}

// moment is one reading of everything.
type moment struct {
	source, sink lab.Reading
	daemons, own time.Duration
	machine      lab.Machine
}

func (o *observer) now() moment {
	var m moment
	var err error
	if m.machine, err = lab.ReadMachine(); err != nil {
		o.b.Fatal(err)
	}
	for _, pid := range o.w.daemons {
		m.daemons += o.cpu(pid)
	}
	if o.source != nil {
		m.source = o.source.Read()
	}
	if o.sink != nil {
		m.sink = o.sink.Read()
	}
	m.own = o.cpu(os.Getpid())
	return m
}

// cpu is the processor time of a process.
func (o *observer) cpu(pid int) time.Duration {
	used, err := lab.CPU(pid)
	if err != nil {
		o.b.Fatal(err)
	}
	return used
}

// watch is what happens in the time d, after the warm-up.
func (o *observer) watch(d time.Duration) window {
	o.b.Wait(warmUp)
	before := o.now()
	o.b.Wait(d)
	return o.since(before)
}

// since is what has happened since a moment.
func (o *observer) since(before moment) window {
	after := o.now()
	m := after.machine.Since(before.machine)
	w := window{last: after.source, daemons: after.daemons - before.daemons, softIRQ: m.SoftIRQ}
	if o.source != nil {
		w.source = after.source.Since(before.source)
	}
	if o.sink != nil {
		w.sink = after.sink.Since(before.sink)
	}
	w.others = m.Others(w.whole() + after.own - before.own)
	return w
}

// measureTCP sends as much as it can over several connections.
func measureTCP(b *lab.Bed, w *way, streams int, d time.Duration) (figures, float64) {
	o := &observer{b: b, w: w, sink: lab.Start(b, w.b, "tcp-sink")}
	defer o.sink.Stop()
	o.source = lab.Start(b, w.a, "tcp-source", manyFrom.String(), strconv.Itoa(streams))
	defer o.source.Stop()
	r := o.watch(d)
	gb := float64(r.sink.Counts[0]) / 1e9
	return figures{
		"rate":    r.sink.Rate(0) * 8 / 1e9,
		"whole":   r.whole().Seconds() / gb,
		"daemons": r.daemons.Seconds() / gb,
		"load":    100 * r.daemons.Seconds() / r.source.At.Seconds(),
	}, r.others
}

// measureUDP sends as many small datagrams as it can.
func measureUDP(b *lab.Bed, w *way, flows int, d time.Duration) (figures, float64) {
	o := &observer{b: b, w: w, sink: lab.Start(b, w.b, "udp-sink")}
	defer o.sink.Stop()
	o.source = lab.Start(b, w.a, "udp-source", manyFrom.String(), strconv.Itoa(flows))
	defer o.source.Stop()
	r := o.watch(d)
	sent := o.source.Ask(load.Stop)
	got := rest(b, o.sink)
	// What arrived is what was paid for: a datapath that drops early is not cheap.
	frames := float64(r.sink.Counts[0] + r.sink.Counts[1])
	return figures{
		"rate":     r.sink.Rate(0) / 1e3,
		"lost":     100 * (1 - float64(got.Counts[0]+got.Counts[1])/float64(sent.Counts[0])),
		"overflow": 100 * float64(got.Counts[1]) / float64(sent.Counts[0]),
		"sender":   float64(r.source.CPU) / frames,
		"daemons":  float64(r.daemons) / frames,
		"whole":    float64(r.whole()) / frames,
		"load":     100 * r.daemons.Seconds() / r.source.At.Seconds(),
	}, r.others
}

// rest waits until nothing arrives at a sink any more.
func rest(b *lab.Bed, sink *lab.Process) lab.Reading {
	for last := sink.Read(); ; {
		b.Wait(50 * time.Millisecond)
		r := sink.Read()
		if r.Counts[0] == last.Counts[0] && r.Counts[1] == last.Counts[1] {
			return r
		}
		last = r
	}
}

// measureEcho sends one echo request after the other.
func measureEcho(b *lab.Bed, w *way, d time.Duration) (figures, float64) {
	o := &observer{b: b, w: w, source: lab.Start(b, w.a, "echo", manyFrom.String())}
	defer o.source.Stop()
	r := o.watch(d)
	requests, replies, median := r.source.Counts[0], r.source.Counts[1], r.last.Counts[2]
	return figures{
		"trip": float64(median) / 1e3,
		"lost": 100 * (1 - float64(replies)/float64(requests)),
	}, r.others
}

// measureQuiet is the daemons' processor time while no frame is sent, in per cent of
// a core.
func measureQuiet(b *lab.Bed, w *way, d time.Duration) float64 {
	o := &observer{b: b, w: w}
	var before, after time.Duration
	for _, pid := range w.daemons {
		before += o.cpu(pid)
	}
	start := time.Now()
	b.Wait(d)
	for _, pid := range w.daemons {
		after += o.cpu(pid)
	}
	return 100 * (after - before).Seconds() / time.Since(start).Seconds()
}
