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

// transfer runs one source and one sink and gives what the sink counted a second.
func (l *lab) transfer(k kind, addr string, d time.Duration) (float64, error) {
	sink, err := start(l.ns[1], k.sink, addr, d.String())
	if err != nil {
		return 0, err
	}
	defer sink.stop()
	if _, err := sink.line(); err != nil {
		return 0, fmt.Errorf("sink: %w", err)
	}
	source, err := start(l.ns[0], k.source, addr, d.String())
	if err != nil {
		return 0, err
	}
	defer source.stop()
	text, err := sink.line()
	if err != nil {
		return 0, fmt.Errorf("sink: %w", err)
	}
	return strconv.ParseFloat(text, 64)
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
	in  io.Closer
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

func (p *process) stop() {
	_ = p.in.Close()
	_ = p.cmd.Wait()
}
