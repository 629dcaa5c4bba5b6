package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

// config is what the command line says.
type config struct {
	rounds  int
	time    time.Duration
	profile string
}

func main() {
	if len(os.Args) > 1 {
		if role, ok := roles[os.Args[1]]; ok {
			exit(role(os.Args[2:]))
		}
	}
	var c config
	flag.IntVar(&c.rounds, "rounds", 7, "how often everything is measured")
	flag.DurationVar(&c.time, "time", 2*time.Second, "how long each measurement takes")
	flag.StringVar(&c.profile, "profile", "", "directory for CPU profiles of the two daemons")
	flag.Parse()
	exit(run(c))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run builds the laboratory, measures, prints and cleans up, also after ^C.
func run(c config) error {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	l, err := newLab(c.profile)
	defer l.close()
	if err != nil {
		return err
	}
	// The yardstick depends much on it: what paces (bbr) leaves the bare veth idle.
	cc, err := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control")
	if err != nil {
		return err
	}
	fmt.Printf("TCP congestion control: %s", cc)
	results := map[string]*series{}
	fmt.Println("traffic          one veth, CPU time              user datapath, CPU time        ratio")
	for range c.rounds {
		for _, k := range kinds {
			select {
			case <-interrupted:
				return fmt.Errorf("interrupted")
			default:
			}
			if results[k.name] == nil {
				results[k.name] = &series{}
			}
			if err := results[k.name].measure(l, k, c.time); err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
		}
	}
	for _, k := range kinds {
		fmt.Printf("%-16s median of %d rounds: %.2f (goal %.2f)\n", k.name, c.rounds, results[k.name].median(), k.goal)
	}
	return nil
}

// kind is a kind of traffic.
type kind struct {
	name         string
	source, sink string // roles
	unit         string
	scale        float64 // from what the sink counts to unit, both a second
	piece        string
	per          float64 // what the sink counts for a piece
	goal         float64
}

var kinds = []kind{
	{"TCP, 4 streams", "tcp-source", "tcp-sink", "Gb/s", 8e-9, "64 KB", 65536, 0.55},
	{"UDP, small", "udp-source", "udp-sink", "kframe/s", 1e-3, "frame", 1, 0.40},
}

// series are the ratios of one kind of traffic, one for each round.
type series struct{ ratios []float64 }

// measure makes one round.
func (s *series) measure(l *lab, k kind, d time.Duration) error {
	var r [2]result
	for _, way := range rand.Perm(2) {
		var err error
		if r[way], err = l.transfer(k, wayAddrs[way], d); err != nil {
			return err
		}
	}
	ratio := r[1].rate / r[0].rate
	s.ratios = append(s.ratios, ratio)
	fmt.Printf("%-15s %6.1f %-8s %5.2f us/%s   %6.1f %-8s %5.2f us/%s   %.2f\n", k.name,
		r[0].rate*k.scale, k.unit, k.cost(r[0], d), k.piece,
		r[1].rate*k.scale, k.unit, k.cost(r[1], d), k.piece, ratio)
	return nil
}

// cost is the CPU time in microseconds that a piece took.
func (k kind) cost(r result, d time.Duration) float64 {
	return float64(r.cpu.Microseconds()) / (r.rate * d.Seconds() / k.per)
}

func (s *series) median() float64 {
	r := slices.Sorted(slices.Values(s.ratios))
	if n := len(r); n%2 == 0 {
		return (r[n/2-1] + r[n/2]) / 2
	}
	return r[len(r)/2]
}
