package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"ifagr/bench/lab"
	"ifagr/bench/load"
	"ifagr/bench/scale"
)

// config is what the command line says, and where the results go.
type config struct {
	bin    string
	names  string // of the ways that are measured
	parts  []string
	rounds int
	time   time.Duration
	budget time.Duration
	cycles int
	churn  time.Duration
	soak   time.Duration
	size   int    // aggregates at scale
	starts int    // restarts of each kind
	by     string // part of the names of the ways to restart
	far    string // what is at the other end when one is restarted
	prof   string // directory for profiles

	out     io.Writer
	start   time.Time
	machine lab.Series // share of the machine that others took
	all     []goal
}

// part is one part of the benchmark.
type part struct {
	name string
	run  func(*lab.Bed, *config)
}

// parts are all there are, in the order in which they run; the last three only when
// they are asked for.
func parts() []part {
	return []part{
		{"throughput", throughput},
		{"ports", portsAndFlows},
		{"cut", cuts},
		{"churn", churn},
		{partScale, atScale},
		{partRestarts, restarts},
		{partSoak, soak},
	}
}

func main() {
	if len(os.Args) > 1 {
		for _, roles := range []map[string]func([]string) error{load.Roles(), scale.Roles()} {
			if role, ok := roles[os.Args[1]]; ok {
				exit(role(os.Args[2:]))
			}
		}
	}
	c := &config{out: os.Stdout, start: time.Now()}
	flag.StringVar(&c.bin, "bin", "bin", "directory of agrd")
	flag.StringVar(&c.names, "ways", strings.Join([]string{bare, kernel, user, ovs}, ","), "what is measured")
	flag.IntVar(&c.rounds, "rounds", 9, "how often a throughput is measured at most, unless others disturb")
	flag.DurationVar(&c.time, "time", 800*time.Millisecond, "how long one measurement takes")
	flag.DurationVar(&c.budget, "budget", 140*time.Second, "for throughput; the cost of ports and of flows has a seventh of it each time")
	flag.IntVar(&c.cycles, "cycles", 3, "how often each kind of cut is made")
	flag.DurationVar(&c.churn, "churn", time.Minute, "how long ports join and leave")
	flag.DurationVar(&c.soak, "soak", 30*time.Minute, "how long a soak takes")
	flag.IntVar(&c.size, "n", 1000, "aggregates at scale")
	flag.IntVar(&c.starts, "restarts", 100, "restarts of each kind")
	flag.StringVar(&c.far, "partners", "agrd,"+ovs, "at the other end of what is restarted")
	flag.StringVar(&c.by, "by", "", "only what is restarted in a way whose name has this in it")
	flag.StringVar(&c.prof, "profiles", "", "directory for CPU profiles of scale")
	flag.Usage = usage
	flag.Parse()
	c.parts = flag.Args()
	exit(run(c))
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: datapath [flags] [part ...]")
	flag.PrintDefaults()
	for _, p := range parts() {
		fmt.Fprintln(os.Stderr, "  part", p.name)
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// These take as long as everything else together, and are run only when they are
// asked for.
const (
	partScale    = "scale"
	partRestarts = "restarts"
	partSoak     = "soak"
)

func onAsking(part string) bool { return part == partScale || part == partRestarts || part == partSoak }

// atScale runs LACP with a tenth, a third and all of the aggregates.
func atScale(b *lab.Bed, c *config) {
	for _, kind := range []string{kernel, user} {
		if !c.wants(kind) {
			continue
		}
		c.title("LACP at scale, fast timeout, 2 ports each, datapath %s; of two daemons the worse", kind)
		scale.Run(b, scale.Config{
			Datapath: kind, Numbers: []int{c.size / 10, c.size / 3, c.size},
			Quiet: 20 * time.Second, Profiles: c.prof, Out: c.out,
		})
	}
}

// run runs the parts. What it made is removed also after ^C.
func run(c *config) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Fprintf(c.out, "%s; TCP: %s\n", lab.Describe(), load.Congestion)
	for _, p := range parts() {
		if len(c.parts) == 0 && onAsking(p.name) || len(c.parts) > 0 && !slices.Contains(c.parts, p.name) {
			continue
		}
		c.progress("%s", p.name)
		if err := lab.Run(ctx, func(b *lab.Bed) { p.run(b, c) }); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	c.finish()
	return nil
}

// progress says on standard error what is being done.
func (c *config) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "[%3.0f s] %s\n", time.Since(c.start).Seconds(), fmt.Sprintf(format, args...))
}

// goals keeps what a part has to say of goals for the end.
func (c *config) goals(g []goal) { c.all = append(c.all, g...) }

// finish prints the goals and how quiet the machine was.
func (c *config) finish() {
	c.title("Goals")
	printGoals(c.out, c.all)
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		load = []byte("unknown")
	}
	fmt.Fprintf(c.out, "\nMachine: others and the hypervisor took %s of it while rates were measured; load average at the end %s; %.0f s in all\n",
		share(c.machine), strings.TrimSpace(string(load)), time.Since(c.start).Seconds())
}

// share is a share of the machine in words.
func share(s lab.Series) string {
	if math.IsNaN(s.Median()) {
		return "an unknown share"
	}
	return fmt.Sprintf("%.1f %% (median; at worst %.1f %%)", 100*s.Median(), 100*s.Max())
}

// title begins a table.
func (c *config) title(format string, args ...any) {
	fmt.Fprintf(c.out, "\n== "+format+"\n\n", args...)
}

// wants reports whether a way is to be measured.
func (c *config) wants(name string) bool { return slices.Contains(strings.Split(c.names, ","), name) }

// ways makes the ways of these names with so many links, at the same time.
func (c *config) ways(b *lab.Bed, names []string, links int) []*way {
	names = slices.DeleteFunc(names, func(n string) bool { return !c.wants(n) })
	c.progress("making: %s", strings.Join(names, ", "))
	all := make([]*way, len(names))
	b.Parallel(len(names), func(i int) { all[i] = newWay(b, c.bin, names[i], links) })
	return all
}
