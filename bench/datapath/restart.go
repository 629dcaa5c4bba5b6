package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/bench/lab"
	"ifagr/netutil/nettest"
)

// restartRate is the frames a second in each direction, in so many conversations.
const (
	restartRate  = 1000
	restartFlows = 10
)

// restartPatience is how long a daemon may take to end, or to come up: on a machine
// where others make interfaces by the thousand, both wait for them in the kernel.
const restartPatience = time.Minute

// restartPause is how long a daemon serves between two restarts, at least.
const restartPause = 100 * time.Millisecond

// renewal is a way to exchange a daemon.
type renewal struct {
	name string
	do   func(s *side) // nil: nothing
}

func renewals() []renewal {
	end := func(sig unix.Signal) func(*side) {
		return func(s *side) {
			s.must(s.agrd.Signal(sig))
			if err := s.agrd.Wait(restartPatience); !s.agrd.Ended() {
				s.must(err)
			}
			s.launch()
		}
	}
	return []renewal{
		{name: "nothing"}, // what the machine loses without our help
		{"SIGKILL + start", end(unix.SIGKILL)},
		{"SIGTERM + start", end(unix.SIGTERM)},
		{"upgrade (SIGUSR2)", func(s *side) { s.must(s.agrd.Signal(unix.SIGUSR2)) }},
	}
}

// restarts exchanges the daemon again and again while frames pass in both
// directions, with a partner that gives up after 3 s.
func restarts(b *lab.Bed, c *config) {
	c.title("%d times each of these at one end; %d frames a second in each direction, LACP's short timeout", c.starts, restartRate)
	fmt.Fprintf(c.out, "%-8s %-8s %-18s %7s %9s %6s %6s %10s %-18s %s\n",
		"way", "partner", "restart by", "times", "frames", "lost", "dupl.", "reordered", "partner's changes", "without daemon, ms: median, 99 %, worst")
	for _, kind := range []string{kernel, user} {
		for _, partner := range []string{"agrd", ovs} {
			if !c.wants(kind) || !slices.Contains(strings.Split(c.far, ","), partner) {
				continue
			}
			for _, r := range renewals() {
				if !strings.Contains(r.name, c.by) {
					continue
				}
				b.Part(func(b *lab.Bed) { restartsOf(b, c, kind, partner, r) })
			}
		}
	}
}

// restartsOf does one row.
func restartsOf(b *lab.Bed, c *config, kind, partner string, r renewal) {
	times := c.starts
	if r.do == nil {
		times = max(1, times/10)
	}
	w := newFastWay(b, c.bin, kind, partner)
	m := &renewing{b: b, w: w, side: w.sides[0]}
	there := nettest.StartStream(b, nettest.StreamConfig{From: w.a, To: w.b, Flows: flows(manyFrom, 0, restartFlows, restartRate/restartFlows)})
	back := nettest.StartStream(b, nettest.StreamConfig{From: w.b, To: w.a, Flows: flows(manyBack, 0, restartFlows, restartRate/restartFlows)})
	m.began = time.Now()
	b.Wait(time.Second)
	before := w.partnerChanges()
	for i := range times {
		m.renew(r)
		if i%100 == 99 {
			c.progress("%s, partner %s, %s: %d of %d", kind, partner, r.name, i+1, times)
		}
	}
	b.Wait(time.Second)
	changes := w.partnerChanges() - before
	reports := []nettest.Report{there.Stop(), back.Stop()}
	m.overflow = w.switchOverflow()
	m.print(c, fmt.Sprintf("%-8s %-8s %-18s %7d", kind, partner, r.name, times), reports, changes)
}

// newFastWay is a way with two links whose end A is ours and whose end B is of
// the partner's kind. Both ask for the short timeout.
func newFastWay(b *lab.Bed, bin, kind, partner string) *way {
	w := emptyWay(b, kind, 2)
	for _, p := range w.ports {
		nettest.Veth(w.a, p, w.b, p, nettest.NoIPv6)
		w.a.NoOffload(p)
		w.b.NoOffload(p)
	}
	o := agrOptions{kind: kind, poll: defaultPoll, ports: w.ports, args: []string{"-confine", "no"}} // else no upgrade
	w.sides[0] = newSide(b, bin, w.a, o)
	w.sides[0].fast()
	far := agr0
	if partner == ovs {
		far = "br0"
		w.switches = append(w.switches, nettest.StartOVS(b, w.b, nettest.OVSConfig{Ports: w.ports, Addr: addrB, Time: "fast"}))
	} else {
		w.sides[1] = newSide(b, bin, w.b, o)
		w.sides[1].fast()
		w.sides[1].address(addrB)
	}
	w.sides[0].address(addrA)
	nettest.Eventually(b, 3*settle, w.complete)
	w.connect(agr0, far)
	return w
}

// fast asks for the short timeout.
func (s *side) fast() {
	short := []ctl.Setting{{Option: ctl.OptTimeout, A: ctl.TimeoutFast}}
	s.must(s.ask(func(c *ctl.Client) error { return c.SetOptions(agr0, short) }))
}

// partnerChanges counts what end B has seen change: states of its mux machines, or
// lines of its log about LACP and the bond, but for those about sharing the load.
func (w *way) partnerChanges() (n uint64) {
	if w.sides[1] != nil {
		for _, p := range w.sides[1].status().Ports {
			n += p.Counters.StateChanges
		}
		return n
	}
	for line := range strings.Lines(w.switches[0].Log()) {
		if about := strings.Contains(line, "|lacp|") || strings.Contains(line, "|bond|"); about && !strings.Contains(line, ": shift ") {
			n++
		}
	}
	return n
}

// dropped finds how many frames a packet socket had no room for in what ss(8) says.
var dropped = regexp.MustCompile(`skmem:.*,d(\d+)\)`)

// switchOverflow counts that over the sockets of the switch at end B.
func (w *way) switchOverflow() (n uint64) {
	if len(w.switches) == 0 {
		return 0
	}
	for _, found := range dropped.FindAllStringSubmatch(w.b.Run("ss", "-H", "-0", "-m"), -1) {
		d, err := strconv.ParseUint(found[1], 10, 64)
		if err != nil {
			w.t.Fatal(err)
		}
		n += d
	}
	return n
}

// renewing is a row that is being measured.
type renewing struct {
	b     *lab.Bed
	w     *way
	side  *side
	began time.Time
	at    []time.Duration // when each renewal began
	gaps  lab.Series      // milliseconds without a daemon
	// overflow counts frames that had arrived at the partner, if it is a switch, and
	// found no room in its sockets: the partner did not get the processor.
	overflow uint64
}

// renew exchanges the daemon once. It is there again when it says that both ports
// distribute.
func (m *renewing) renew(r renewal) {
	m.at = append(m.at, time.Since(m.began))
	defer m.b.Wait(restartPause)
	if r.do == nil {
		return
	}
	gone := m.watch()
	r.do(m.side)
	select {
	case at := <-gone:
		nettest.Eventually(m.b, restartPatience, m.serves)
		m.gaps = append(m.gaps, time.Since(at).Seconds()*1000)
	case <-time.After(restartPatience):
		m.b.Fatalf("%s: the daemon has not gone: %s", r.name, tail(m.side.agrd.Output()))
	}
}

// watch tells when the daemon closes its door.
func (m *renewing) watch() <-chan time.Time {
	gone := make(chan time.Time, 1)
	go func() {
		err := m.side.ask(func(c *ctl.Client) error {
			return c.Watch(context.Background(), "", func(ctl.Transition) error { return nil })
		})
		if err != nil {
			gone <- time.Now()
		}
	}()
	// The watch must have begun before the daemon ends.
	m.side.must(m.side.ask(func(c *ctl.Client) error { _, err := c.List(); return err }))
	return gone
}

func (m *renewing) serves() error {
	var n int
	err := m.side.ask(func(c *ctl.Client) error {
		st, err := c.Status(agr0)
		if err != nil {
			return err
		}
		for _, p := range st.Ports {
			if p.Flags == ctl.PortCollecting|ctl.PortDistributing {
				n++
			}
		}
		return nil
	})
	if err == nil && n != len(m.w.ports) {
		err = errors.New("not all ports distribute")
	}
	return err
}

// print prints the row, and beneath it when frames were lost.
func (m *renewing) print(c *config, title string, reports []nettest.Report, changes uint64) {
	var sum nettest.Report
	for _, r := range reports {
		sum.Sent += r.Sent
		sum.Lost += r.Lost
		sum.Duplicated += r.Duplicated
		sum.Reordered += r.Reordered
		sum.Overflow += r.Overflow
		sum.SendErrors += r.SendErrors
	}
	fmt.Fprintf(c.out, "%s %9d %6d %6d %10d %-18d %.0f, %.0f, %.0f\n", title, sum.Sent, sum.Lost, sum.Duplicated, sum.Reordered,
		changes, m.gaps.Median(), m.gaps.Quantile(0.99), m.gaps.Max())
	if sum.Overflow+sum.SendErrors > 0 {
		fmt.Fprintf(c.out, "%8s of the lost, %d were refused to the sender and %d found no room in the sink\n", "", sum.SendErrors, sum.Overflow)
	}
	if m.overflow > 0 {
		fmt.Fprintf(c.out, "%8s %d frames had arrived at the partner, which did not take them in time\n", "", m.overflow)
	}
	m.where(c, reports)
	if dir := os.Getenv(logs); dir != "" {
		for i, sw := range m.w.switches {
			m.side.must(os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-switch%d.log", m.w.a.Name, i)), []byte(sw.Log()), 0o644))
		}
	}
}

// missing is what was lost in one direction between two renewals.
type missing struct {
	dir, renewal int
	frames       uint64
	from, to     time.Duration // since the renewal
}

// where says after which renewals frames were lost, in which direction, and when.
func (m *renewing) where(c *config, reports []nettest.Report) {
	for _, l := range m.missing(reports) {
		fmt.Fprintf(c.out, "%8s %s, restart %d: %d lost from %v to %v after it began\n", "", [...]string{"out", "in"}[l.dir], l.renewal,
			l.frames, l.from.Round(time.Millisecond), l.to.Round(time.Millisecond))
	}
	for _, sw := range m.w.switches {
		for line := range strings.Lines(sw.Log()) {
			if strings.Contains(line, "Unreasonably long") {
				fmt.Fprintf(c.out, "%8s the partner says of itself: %s", "", line)
			}
		}
	}
}

// missing puts together what the flows of a direction have lost after the same
// renewal.
func (m *renewing) missing(reports []nettest.Report) []missing {
	var all []missing
	for dir, r := range reports {
		at := make(map[int]missing)
		for _, f := range r.Flows {
			for _, run := range f.Runs {
				m.miss(at, dir, run)
			}
		}
		for _, n := range slices.Sorted(maps.Keys(at)) {
			all = append(all, at[n])
		}
	}
	return all
}

// miss adds a loss of one flow.
func (m *renewing) miss(at map[int]missing, dir int, run nettest.Run) {
	from := time.Duration(run.First) * time.Second * restartFlows / restartRate
	n, _ := slices.BinarySearchFunc(m.at, from, cmp.Compare[time.Duration])
	if n > 0 {
		from -= m.at[n-1]
	}
	l, ok := at[n]
	if !ok {
		l = missing{dir: dir, renewal: n, from: from}
	}
	l.frames += run.Count
	l.from, l.to = min(l.from, from), max(l.to, from+run.Lasts)
	at[n] = l
}
