package scale

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"ifagr/bench/lab"
	"ifagr/netutil/nettest"
)

// Config says what is measured.
type Config struct {
	Datapath string
	Numbers  []int         // of aggregates, one after the other
	Quiet    time.Duration // how long it is watched
	Profiles string        // directory for CPU profiles; empty: none
	Out      io.Writer
}

// settle is how long everything may take to distribute after it was made, for
// each thousand aggregates, and at least.
const settle = 2 * time.Minute

// Result is what one number of aggregates came to. What there are two of is that
// of the end that did worse.
type Result struct {
	Number       int
	Made         time.Duration // from the first create until every port was added
	Settled      time.Duration // until every port distributed at both ends
	MakeCPU      time.Duration // until then
	CPU          float64       // when quiet: share of a core
	RSS, Peak    uint64        // octets of the process, now and at most
	BPF          uint64        // octets of the kernel's, in maps and programs
	Goroutines   uint64
	Threads      uint64
	PDUs         uint64        // that were timed, of both ends
	Silent       int           // ports that sent nothing while it was watched
	Late99       time.Duration // how late one in a hundred was, at least
	Worst        time.Duration // how late the latest was
	Distributing int           // ports of both ends that distributed at the end
	Others       float64       // share of the machine that others took
}

// Run measures each number of aggregates and prints a line for it.
func Run(b *lab.Bed, c Config) []Result {
	fmt.Fprintf(c.Out, "%6s %9s %9s %9s %8s %9s %9s %9s %7s %7s %9s %10s %10s %7s\n", "agr", "made", "settled", "CPU until",
		"quiet", "memory", "at most", "eBPF", "gorout.", "threads", "PDUs", "99 % late", "worst", "others")
	var all []Result
	for _, n := range c.Numbers {
		b.Part(func(b *lab.Bed) {
			r, scraped := measure(b, c, n)
			fmt.Fprintf(c.Out, "%v\n%s\n", r, scraped)
			all = append(all, r)
		})
	}
	return all
}

// String is the result as a line of the table.
func (r Result) String() string {
	const mb = 1 << 20
	text := fmt.Sprintf("%6d %7.1f s %7.1f s %7.1f s %6.1f %% %6.1f MB %6.1f MB %6.1f MB %7d %7d %9d %7.1f ms %7.1f ms %5.0f %%",
		r.Number, r.Made.Seconds(), r.Settled.Seconds(), r.MakeCPU.Seconds(), 100*r.CPU, float64(r.RSS)/mb, float64(r.Peak)/mb, float64(r.BPF)/mb,
		r.Goroutines, r.Threads, r.PDUs, 1000*r.Late99.Seconds(), 1000*r.Worst.Seconds(), 100*r.Others)
	if want := 2 * portsEach * r.Number; r.Distributing != want || r.Silent > 0 {
		text += fmt.Sprintf("; only %d of %d ports distribute, %d are silent", r.Distributing, want, r.Silent)
	}
	return text
}

// end is one of the two daemons.
type end struct {
	p *lab.Process
	w *wire // times what the other one sends

	dir string // of its state
}

// measure makes n aggregates at both ends and watches them, then does so while
// their metrics are read, and describes that.
func measure(b *lab.Bed, c Config, n int) (r Result, scraped string) {
	spaces := [2]*nettest.NS{nettest.New(b), nettest.New(b)}
	addLinks(b, spaces[0], spaces[1], portsEach*n)
	var ends [2]*end
	for i, ns := range spaces {
		dir, err := os.MkdirTemp("", ns.Name)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { os.RemoveAll(dir) })
		ends[i] = &end{dir: dir, w: listen(b, ns), p: lab.Start(b, ns, "scale-daemon", c.Datapath, strconv.Itoa(n), dir)}
		b.Cleanup(ends[i].p.Stop)
	}
	r = Result{Number: n}
	profile(c, ends, fmt.Sprintf("make-%d", n))
	r.make(b, ends, n)
	profile(c, ends, "")
	b.Wait(5 * time.Second) // the last changes are settled, and the garbage collected
	profile(c, ends, fmt.Sprintf("quiet-%d", n))
	r.watch(b, ends, c.Quiet)
	profile(c, ends, "")
	profile(c, ends, fmt.Sprintf("scraped-%d", n))
	s := Result{Number: n}
	found := s.watchScraped(b, ends, c.Quiet)
	profile(c, ends, "")
	return r, found.describe(s)
}

// make lets both daemons make everything at the same time.
func (r *Result) make(b *lab.Bed, ends [2]*end, n int) {
	start := time.Now()
	b.Parallel(len(ends), func(i int) { ends[i].p.Ask(lineMake) })
	r.Made = time.Since(start)
	limit := max(settle, settle*time.Duration(n)/1000)
	nettest.Eventually(b, limit, func() error {
		b.Wait(250 * time.Millisecond) // asking costs the daemons something
		for _, e := range ends {
			now := e.p.Read()
			r.MakeCPU = max(r.MakeCPU, now.CPU)
			if got := now.Counts[countPorts]; got != uint64(portsEach*n) {
				return fmt.Errorf("%d of %d ports distribute", got, portsEach*n)
			}
		}
		return nil
	})
	r.Settled = time.Since(start)
}

// watch measures for d while nothing happens but LACP.
func (r *Result) watch(b *lab.Bed, ends [2]*end, d time.Duration) {
	machine, err := lab.ReadMachine()
	if err != nil {
		b.Fatal(err)
	}
	own, _ := lab.CPU(os.Getpid())
	var before [2]time.Duration
	for i, e := range ends {
		before[i] = e.cpu(b)
		e.w.forget()
	}
	b.Wait(d)
	var both time.Duration
	for i, e := range ends {
		used := e.cpu(b) - before[i]
		both += used
		r.CPU = max(r.CPU, used.Seconds()/d.Seconds())
		r.add(e)
	}
	now, err := lab.ReadMachine()
	if err != nil {
		b.Fatal(err)
	}
	end, _ := lab.CPU(os.Getpid())
	m := now.Since(machine)
	r.Others = m.Others(both + end - own + m.SoftIRQ)
	for _, e := range ends {
		r.Distributing += int(e.p.Read().Counts[countPorts])
	}
}

// add takes in how punctual the far end of e was, and what e's daemon occupies.
func (r *Result) add(e *end) {
	seen, ports := e.w.tell()
	r.PDUs += seen.pdus
	r.Silent += portsEach*r.Number - ports
	r.Worst = max(r.Worst, seen.worst)
	if len(seen.late) > 0 {
		r.Late99 = max(r.Late99, time.Duration(seen.late.Quantile(0.99)*float64(time.Second)))
	}
	now := e.p.Read()
	r.RSS, r.Peak = max(r.RSS, now.Counts[countRSS]), max(r.Peak, now.Counts[countPeak])
	r.BPF = max(r.BPF, now.Counts[countBPF])
	r.Goroutines, r.Threads = max(r.Goroutines, now.Counts[countGoroutines]), max(r.Threads, now.Counts[countThreads])
}

// cpu is the processor time of e's daemon so far, without asking it.
func (e *end) cpu(b *lab.Bed) time.Duration {
	used, err := lab.CPU(e.p.Pid())
	if err != nil {
		b.Fatal(err)
	}
	return used
}

// profile begins a profile of the first daemon, or ends it when it has no name.
func profile(c Config, ends [2]*end, name string) {
	if c.Profiles != "" {
		ends[0].p.Ask(lineProfile + " " + filepath.Join(c.Profiles, c.Datapath+"-"+name+".pprof"))
	}
}
