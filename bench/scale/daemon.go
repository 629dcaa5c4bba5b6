package scale

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"ifagr/agr"
	"ifagr/agr/ctl"
	"ifagr/agr/state"
	"ifagr/bench/lab"
	"ifagr/netutil/rtnl"
)

// Roles are what a process may be, by the first argument of its command line.
func Roles() map[string]func(args []string) error {
	return map[string]func(args []string) error{"scale-daemon": daemon}
}

// Lines that a daemon understands besides any other, which only reads it.
const (
	lineMake    = "make"    // make the aggregates and their ports
	lineProfile = "profile" // and a file: a CPU profile until the next line of the kind
)

// What a daemon counts.
const (
	countPorts = iota // that collect and distribute
	countRSS          // resident octets
	countPeak         // resident octets at most
	countGoroutines
	countThreads
	countBPF // octets of the kernel's in eBPF maps and programs
)

// daemon runs package agr as agrd does: args are the datapath, the number of
// aggregates and a directory for its state.
func daemon(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("want a datapath, a number and a directory: %q", args)
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	m, err := start(ctx, group, agr.Datapath(args[0]), args[2])
	if err != nil {
		return err
	}
	group.Go(func() error { return serveMetrics(ctx, m, args[2]) })
	p := profiler{}
	err = lab.Serve(func() []uint64 { return count(m, n) }, func(line string) error {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case lineMake:
			return makeAll(m, n)
		case lineProfile:
			return p.toggle(rest)
		}
		return nil
	})
	cancel()
	if werr := group.Wait(); err == nil {
		err = werr
	}
	return err
}

// start runs a Manager until ctx ends.
func start(ctx context.Context, group *errgroup.Group, kind agr.Datapath, dir string) (*agr.Manager, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	system, closeSystem, err := agr.Linux(log, nil)
	if err != nil {
		return nil, err
	}
	cookie, err := ctl.NetnsCookie()
	if err != nil {
		return nil, err
	}
	bootID, err := state.BootID()
	if err != nil {
		return nil, err
	}
	watcher, err := rtnl.Watch(ctx)
	if err != nil {
		return nil, err
	}
	m := agr.New(agr.Config{
		StatePath: filepath.Join(dir, "state"), Datapath: kind, CarrierPoll: pollEvery,
		Netns: cookie, BootID: bootID,
	}, system, log)
	ready := make(chan struct{})
	group.Go(func() error {
		defer closeSystem()
		return m.Run(ctx, watcher.C, func() { close(ready) })
	})
	<-ready
	return m, nil
}

// makeAll makes aggregates 0 to n-1 of two ports each.
func makeAll(m *agr.Manager, n int) error {
	fast := []ctl.Setting{{Option: ctl.OptTimeout, A: ctl.TimeoutFast}}
	for i := range n {
		name := "agr" + strconv.Itoa(i)
		if err := m.Create(name); err != nil {
			return fmt.Errorf("create %s: %w", name, err)
		}
		if err := m.SetOptions(name, fast); err != nil {
			return fmt.Errorf("%s lacptimeout fast: %w", name, err)
		}
		for p := portsEach * i; p < portsEach*(i+1); p++ {
			if err := m.SetPort(name, portName(p), ctl.AddPort); err != nil {
				return fmt.Errorf("%s agrport %s: %w", name, portName(p), err)
			}
		}
	}
	return nil
}

// count asks every aggregate, one after the other.
func count(m *agr.Manager, n int) []uint64 {
	counts := make([]uint64, countBPF+1)
	for i := range n {
		st, err := m.Status("agr" + strconv.Itoa(i))
		if err != nil {
			continue
		}
		for _, p := range st.Ports {
			if p.Flags == ctl.PortCollecting|ctl.PortDistributing {
				counts[countPorts]++
			}
		}
	}
	status := numbers("/proc/self/status")
	counts[countRSS], counts[countPeak] = status["VmRSS"]<<10, status["VmHWM"]<<10
	counts[countGoroutines], counts[countThreads] = uint64(runtime.NumGoroutine()), status["Threads"]
	counts[countBPF] = bpfMemory()
	return counts
}

// bpfMemory adds up what the kernel charges for every map and program that this
// process holds, each once. It is not part of the process's own memory.
func bpfMemory() uint64 {
	files, _ := filepath.Glob("/proc/self/fdinfo/*")
	seen := make(map[[2]uint64]bool)
	var sum uint64
	for _, f := range files {
		n := numbers(f)
		id := [2]uint64{n["map_id"], n["prog_id"]}
		if !seen[id] {
			seen[id] = true
			sum += n["memlock"]
		}
	}
	return sum
}

// numbers reads a file of lines that are a name, a colon and a number, such as
// /proc/self/status, whose sizes are in KiB. Other lines are left out.
func numbers(path string) map[string]uint64 {
	found := make(map[string]uint64)
	b, err := os.ReadFile(path)
	if err != nil {
		return found
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) >= 2 {
			if n, err := strconv.ParseUint(f[1], 10, 64); err == nil {
				found[strings.TrimSuffix(f[0], ":")] = n
			}
		}
	}
	return found
}

// profiler writes CPU profiles.
type profiler struct{ f *os.File }

// toggle starts a profile into a file, or ends the one that runs.
func (p *profiler) toggle(path string) error {
	if p.f != nil {
		pprof.StopCPUProfile()
		err := p.f.Close()
		p.f = nil
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	p.f = f
	return pprof.StartCPUProfile(f)
}
