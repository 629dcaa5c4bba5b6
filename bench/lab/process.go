package lab

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/netutil/nettest"
)

// Process is the running program once more, in another role and another network
// namespace. It reports its counters whenever it is asked, and ends with its
// standard input, so also with the program that started it.
type Process struct {
	t    testing.TB
	role string
	d    *nettest.Daemon
	in   io.WriteCloser
	out  *bufio.Reader
}

// Start starts this program with a role, and waits until it says that it is
// ready.
func Start(t testing.TB, ns *nettest.NS, role string, args ...string) *Process {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, append([]string{role}, args...)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	// Not StdoutPipe, which is closed as soon as the process ends, read or not.
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	cmd.Stdout = w
	p := &Process{t: t, role: role, in: in, out: bufio.NewReader(out), d: ns.StartCmd(cmd)}
	w.Close()
	if s := p.line(); s != ready {
		t.Fatalf("%s: %q", role, s)
	}
	return p
}

const ready = "ready"

func (p *Process) line() string {
	s, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("%s: %v", p.role, err)
	}
	return strings.TrimSpace(s)
}

// Pid is the process id.
func (p *Process) Pid() int { return p.d.Pid() }

// Reading is what a process reports: all at the same moment.
type Reading struct {
	At     time.Duration // on the machine's monotonic clock
	CPU    time.Duration // used by the process so far
	Counts []uint64      // what its role counts
}

// Since is what happened since an earlier reading.
func (r Reading) Since(before Reading) Reading {
	d := Reading{At: r.At - before.At, CPU: r.CPU - before.CPU}
	for i := range r.Counts {
		d.Counts = append(d.Counts, r.Counts[i]-before.Counts[i])
	}
	return d
}

// Rate is a count per second of a difference of two readings.
func (r Reading) Rate(i int) float64 { return float64(r.Counts[i]) / r.At.Seconds() }

// Read asks the process.
func (p *Process) Read() Reading { return p.Ask("read") }

// Ask sends a line, which the role may understand, and takes the reading that
// follows it.
func (p *Process) Ask(line string) Reading {
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatalf("%s: %v", p.role, err)
	}
	text := p.line()
	r, err := parseReading(text)
	if err != nil {
		p.t.Fatalf("%s: %q: %v", p.role, text, err)
	}
	return r
}

func parseReading(s string) (Reading, error) {
	f := strings.Fields(s)
	if len(f) < 2 {
		return Reading{}, fmt.Errorf("want a time, processor time and counts")
	}
	numbers := make([]uint64, len(f))
	for i := range f {
		n, err := strconv.ParseUint(f[i], 10, 64)
		if err != nil {
			return Reading{}, err
		}
		numbers[i] = n
	}
	return Reading{At: time.Duration(numbers[0]), CPU: time.Duration(numbers[1]), Counts: numbers[2:]}, nil
}

// Stop ends the process and waits for it.
func (p *Process) Stop() {
	_ = p.in.Close()
	_ = p.d.Wait(5 * time.Second)
	p.d.Stop()
}

// Serve is the other end: a role calls it when it is ready. It answers each line
// with a reading, after it has handed the line to ask (which may be nil), until
// the standard input ends.
func Serve(counts func() []uint64, ask func(line string) error) error {
	fmt.Println(ready)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if ask != nil {
			if err := ask(in.Text()); err != nil {
				return err
			}
		}
		var at, cpu unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &cpu); err != nil {
			return err
		}
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &at); err != nil {
			return err
		}
		line := fmt.Sprint(at.Nano(), " ", cpu.Nano())
		for _, n := range counts() {
			line += fmt.Sprint(" ", n)
		}
		fmt.Println(line)
	}
	return nil
}
