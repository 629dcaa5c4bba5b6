package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// wayAddrs are the sink's addresses by way: the bare veth, the datapath.
var wayAddrs = [2]string{"10.77.0.2", "10.78.0.2"}

// sides of the laboratory: the namespace's suffix, the last octet of its
// addresses, the interface index of its first link end. The indexes differ
// because a pair with equal ones is taken for hardware, whose loss of carrier
// the kernel reports late.
var sides = [2]struct {
	suffix, host string
	index        int
}{{"a", "1", 50}, {"b", "2", 90}}

// lab is the two namespaces and the daemons in them.
type lab struct {
	ns      [2]string
	daemons []*process
}

// newLab builds it. What it returns is to be closed, even after an error.
func newLab(profile string) (*lab, error) {
	l := &lab{}
	for i, s := range sides {
		l.ns[i] = fmt.Sprintf("agrbench-%d-%s", os.Getpid(), s.suffix)
		if err := ip("netns", "add", l.ns[i]); err != nil {
			return l, err
		}
	}
	for i, name := range []string{"bare", "p0", "p1"} {
		if err := l.link(name, i); err != nil {
			return l, err
		}
	}
	for i, s := range sides {
		if err := ip("-n", l.ns[i], "addr", "add", "10.77.0."+s.host+"/24", "dev", "bare"); err != nil {
			return l, err
		}
		if err := l.daemon(i, profile); err != nil {
			return l, err
		}
	}
	return l, nil
}

// link joins the namespaces by the i-th veth pair.
func (l *lab) link(name string, i int) error {
	a, b := strconv.Itoa(sides[0].index+i), strconv.Itoa(sides[1].index+i)
	err := ip("link", "add", name, "netns", l.ns[0], "index", a, "type", "veth",
		"peer", "name", name, "netns", l.ns[1], "index", b)
	for _, ns := range l.ns {
		err = errors.Join(err, ip("-n", ns, "link", "set", name, "up", "addrgenmode", "none"))
	}
	return err
}

// daemon starts the datapath of one side and gives its agr0 an address.
func (l *lab) daemon(side int, profile string) error {
	args := []string{"daemon", "p0", "p1"}
	if profile != "" {
		args = append(args, filepath.Join(profile, "daemon-"+sides[side].suffix+".pprof"))
	}
	p, err := start(l.ns[side], args...)
	if err != nil {
		return err
	}
	l.daemons = append(l.daemons, p)
	if _, err := p.line(); err != nil {
		return fmt.Errorf("daemon: %w", err)
	}
	if err := ip("-n", l.ns[side], "addr", "add", "10.78.0."+sides[side].host+"/24", "dev", "agr0"); err != nil {
		return err
	}
	return ip("-n", l.ns[side], "link", "set", "agr0", "up")
}

// result is what one transfer came to.
type result struct {
	rate float64       // what the sink counted, a second
	cpu  time.Duration // that source, sink and daemons used
}

// transfer runs one source and one sink.
func (l *lab) transfer(k kind, addr string, d time.Duration) (result, error) {
	before, err := l.daemonCPU()
	if err != nil {
		return result{}, err
	}
	sink, err := start(l.ns[1], k.sink, addr, d.String())
	if err != nil {
		return result{}, err
	}
	defer sink.stop()
	if _, err := sink.line(); err != nil {
		return result{}, fmt.Errorf("sink: %w", err)
	}
	source, err := start(l.ns[0], k.source, addr, d.String())
	if err != nil {
		return result{}, err
	}
	defer source.stop()
	text, err := sink.line()
	if err != nil {
		return result{}, fmt.Errorf("sink: %w", err)
	}
	rate, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return result{}, err
	}
	used := source.stop() + sink.stop()
	after, err := l.daemonCPU()
	return result{rate: rate, cpu: used + after - before}, err
}

// daemonCPU is how much CPU time the daemons have used so far.
func (l *lab) daemonCPU() (time.Duration, error) {
	var sum time.Duration
	for _, p := range l.daemons {
		if _, err := io.WriteString(p.in, "cpu\n"); err != nil {
			return 0, fmt.Errorf("daemon: %w", err)
		}
		text, err := p.line()
		if err != nil {
			return 0, fmt.Errorf("daemon: %w", err)
		}
		used, err := time.ParseDuration(text)
		if err != nil {
			return 0, fmt.Errorf("daemon: %w", err)
		}
		sum += used
	}
	return sum, nil
}

// close ends the daemons and removes the namespaces.
func (l *lab) close() {
	for _, p := range l.daemons {
		p.stop()
	}
	for _, ns := range l.ns {
		if ns != "" {
			_ = ip("netns", "del", ns)
		}
	}
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// process is this program in one of its roles. It ends when its standard input
// does, and so with the program that started it.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func start(ns string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("ip", append([]string{"netns", "exec", ns, self}, args...)...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // ^C is for the first process
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &process{cmd: cmd, in: in, out: bufio.NewReader(out)}, cmd.Start()
}

// line is the next line that the process prints.
func (p *process) line() (string, error) {
	s, err := p.out.ReadString('\n')
	return strings.TrimSpace(s), err
}

// stop ends the process, waits for it and gives the CPU time that it used.
func (p *process) stop() time.Duration {
	_ = p.in.Close()
	_ = p.cmd.Wait()
	if p.cmd.ProcessState == nil {
		return 0
	}
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}
