package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/netutil/rtnl"
)

const (
	demoTimeout  = 30 * time.Second       // for an aggregate to come up
	pingInterval = 10 * time.Millisecond  // between two echo requests
	pingBefore   = 1 * time.Second        // of pings before the cut
	cutTime      = 3 * time.Second        // that the link stays cut
	backTime     = 6 * time.Second        // that it is watched after it is back
	pollInterval = 100 * time.Millisecond // between two looks at a status
)

// demoPorts are the ports of both systems, joined by name.
var demoPorts = [...]string{"re0", "re1"}

// demo is two systems, each in a network namespace without a name, joined by two
// links. Everything in it goes with its processes.
type demo struct {
	out   io.Writer
	dir   string // of the control sockets
	hosts [2]*host
}

// host is one system of the demonstration.
type host struct {
	name   string
	addr   netip.Addr
	ns     *namespace
	daemon *exec.Cmd
	socket string
}

// runDemo shows the example of agr(4) at work: two systems, two links, one
// aggregate, a ping through it, a link cut and the ping going on.
func runDemo(ctx context.Context, args []string, stdout, _ io.Writer) (err error) {
	if len(args) > 0 {
		return errUsage
	}
	if os.Geteuid() != 0 {
		return errors.New("demo: needs root, for network namespaces of its own; it touches nothing outside them")
	}
	dir, err := os.MkdirTemp("", "agrd-demo-")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer os.RemoveAll(dir)
	d := &demo{out: &lineWriter{w: stdout}, dir: dir}
	defer func() { err = errors.Join(err, d.close()) }()
	shown, hide := context.WithCancel(ctx)
	err = d.run(shown)
	hide()
	if err != nil {
		if ctx.Err() != nil {
			return errors.New("demo: interrupted; everything it made is removed")
		}
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}

func (d *demo) run(ctx context.Context) error {
	d.say("Two systems, A and B, each in a network namespace of its own, joined by two links.")
	if err := d.makeHosts(ctx); err != nil {
		return err
	}
	if err := d.makeLinks(); err != nil {
		return err
	}
	d.say("The example of agr(4), on both. A port must have no address, not even an automatic one:")
	for _, h := range d.hosts {
		if err := d.example(ctx, h); err != nil {
			return err
		}
	}
	if err := d.waitBothDistribute(ctx); err != nil {
		return err
	}
	d.say("Both ports of both systems collect and distribute:")
	for _, h := range d.hosts {
		if err := d.ifconfig(ctx, h, "agr0"); err != nil {
			return err
		}
	}
	return d.cutAndRestore(ctx)
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.out, "\n== "+format+"\n", args...)
}

// makeHosts makes the namespaces and starts a daemon in each.
func (d *demo) makeHosts(ctx context.Context) error {
	for i := range d.hosts {
		h := &host{
			name: string(rune('A' + i)), addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)}),
			socket: filepath.Join(d.dir, string(rune('a'+i))+".sock"),
		}
		var err error
		if h.ns, err = newNamespace(); err != nil {
			return err
		}
		d.hosts[i] = h
		if err := h.startDaemon(ctx); err != nil {
			return err
		}
		go d.watch(ctx, h)
	}
	return nil
}

// startDaemon starts an agrd that ends with this process, and waits for it.
func (h *host) startDaemon(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	h.daemon = exec.Command(self)
	h.daemon.Env = append(os.Environ(), ctl.SocketEnv+"="+h.socket)
	h.daemon.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGTERM, Setpgid: true}
	if err := h.ns.do(h.daemon.Start); err != nil {
		return err
	}
	return poll(ctx, demoTimeout, pollInterval, func() error {
		c, err := ctl.DialPath(ctx, h.socket, 0)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// watch prints the transitions of a system as they happen.
func (d *demo) watch(ctx context.Context, h *host) {
	c, err := ctl.DialPath(ctx, h.socket, 0)
	if err != nil {
		return
	}
	defer c.Close()
	c.Watch(ctx, "", func(t ctl.Transition) error {
		if t.Machine == "periodic" {
			return nil
		}
		var line bytes.Buffer
		fmt.Fprintf(&line, "  %s ", h.name)
		if err := printTransition(&line, t); err != nil {
			return err
		}
		_, err := d.out.Write(line.Bytes())
		return err
	})
}

// makeLinks joins the systems. The indexes of the two ends differ, or the kernel
// would take them for hardware and report a cut up to a second late.
func (d *demo) makeLinks() error {
	return d.hosts[0].ns.do(func() error {
		conn, err := rtnl.Open()
		if err != nil {
			return err
		}
		defer conn.Close()
		for i, port := range demoPorts {
			err := conn.AddVeth(rtnl.Veth{
				Name: port, FarName: port, Index: 10 + i, FarIndex: 20 + i, FarNS: d.hosts[1].ns.fd(),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// example is the manual's.
func (d *demo) example(ctx context.Context, h *host) error {
	for _, port := range demoPorts {
		if err := d.ifconfig(ctx, h, port, "up"); err != nil {
			return err
		}
	}
	for _, port := range demoPorts {
		if err := d.deleteAutomatic(ctx, h, port); err != nil {
			return err
		}
	}
	lines := [][]string{
		{"agr0", "create"},
		append([]string{"agr0"}, "agrport", demoPorts[0], "agrport", demoPorts[1]),
		{"agr0", "inet", h.addr.String(), "netmask", "255.255.255.0"},
	}
	for _, line := range lines {
		if err := d.ifconfig(ctx, h, line...); err != nil {
			return err
		}
	}
	return nil
}

// deleteAutomatic removes the link-local address that Linux gave a port.
func (d *demo) deleteAutomatic(ctx context.Context, h *host, port string) error {
	var addrs []rtnl.Addr
	err := h.ns.do(func() error {
		conn, err := rtnl.Open()
		if err != nil {
			return err
		}
		defer conn.Close()
		l, err := conn.LinkByName(port)
		if err != nil {
			return err
		}
		addrs, err = conn.Addrs(l.Index, unix.AF_INET6)
		return err
	})
	for _, a := range addrs {
		err = errors.Join(err, d.ifconfig(ctx, h, port, "inet6", a.IP.String(), "delete"))
	}
	return err
}

// ifconfig runs the ifconfig that lies beside this program, as a person would.
func (d *demo) ifconfig(ctx context.Context, h *host, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(self), "ifconfig"), args...)
	cmd.Env = append(os.Environ(), ctl.SocketEnv+"="+h.socket)
	var said []byte
	if err := h.ns.do(func() error { said, err = cmd.CombinedOutput(); return err }); err != nil {
		return fmt.Errorf("%s: %s: %w: %s", h.name, cmd, err, said)
	}
	line := h.name + "# ifconfig"
	for _, a := range args {
		line += " " + a
	}
	fmt.Fprintf(d.out, "%s\n%s", line, said)
	return nil
}

// waitBothDistribute waits until every port of both systems distributes.
func (d *demo) waitBothDistribute(ctx context.Context) error {
	return poll(ctx, demoTimeout, pollInterval, func() error {
		for _, h := range d.hosts {
			st, err := h.status(ctx)
			if err != nil {
				return err
			}
			for _, p := range st.Ports {
				if p.Flags != ctl.PortCollecting|ctl.PortDistributing {
					return fmt.Errorf("%s: %s does not distribute: %s", h.name, p.Name, p.Reason)
				}
			}
		}
		return nil
	})
}

func (h *host) status(ctx context.Context) (*ctl.Status, error) {
	c, err := ctl.DialPath(ctx, h.socket, 0)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Status("agr0")
}

// cutAndRestore pings from A to B, cuts the link that carries the pings, and
// puts it back.
func (d *demo) cutAndRestore(ctx context.Context) error {
	a, b := d.hosts[0], d.hosts[1]
	d.say("A pings B through agr0, %d times a second.", time.Second/pingInterval)
	p, err := startPing(a.ns, b.addr, pingInterval)
	if err != nil {
		return err
	}
	defer p.stop()
	if err := sleep(ctx, pingBefore); err != nil {
		return err
	}
	port, err := busiest(ctx, a)
	if err != nil {
		return err
	}
	before := p.count()
	d.say("%d sent, %d lost. Now %s, which carries them, is cut at B's end.", before.sent, before.lost, port)
	if err := d.setLink(ctx, b, port, "down", cutTime); err != nil {
		return err
	}
	cut := p.count()
	d.say("%d sent since, %d lost. The link comes back.", cut.sent-before.sent, cut.lost-before.lost)
	if err := d.setLink(ctx, b, port, "up", backTime); err != nil {
		return err
	}
	if err := d.waitBothDistribute(ctx); err != nil {
		return err
	}
	back := p.stop()
	d.say("%d sent since, %d lost. In all: %d sent, %d lost by the cut, %d when the link came back.",
		back.sent-cut.sent, back.lost-cut.lost, back.sent, cut.lost-before.lost, back.lost-cut.lost)
	return nil
}

func (d *demo) setLink(ctx context.Context, h *host, port, state string, watch time.Duration) error {
	if err := d.ifconfig(ctx, h, port, state); err != nil {
		return err
	}
	return sleep(ctx, watch)
}

// busiest is the port that has sent the most frames.
func busiest(ctx context.Context, h *host) (string, error) {
	st, err := h.status(ctx)
	if err != nil {
		return "", err
	}
	name, most := "", uint64(0)
	for _, p := range st.Ports {
		if name == "" || p.Counters.TxFrames > most {
			name, most = p.Name, p.Counters.TxFrames
		}
	}
	return name, nil
}

// lineWriter keeps what several goroutines write apart.
type lineWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lineWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// close ends what the demonstration has started. The interfaces go with their
// namespaces, and those with their last process.
func (d *demo) close() error {
	var errs []error
	for _, h := range d.hosts {
		if h == nil {
			continue
		}
		if h.daemon != nil && h.daemon.Process != nil {
			errs = append(errs, h.daemon.Process.Signal(unix.SIGTERM))
			h.daemon.Wait()
		}
		h.ns.close()
	}
	return errors.Join(errs...)
}

// sleep waits, or ends with the context.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// poll calls f until it succeeds, or says at the end why it did not.
func poll(ctx context.Context, timeout, every time.Duration, f func() error) error {
	deadline := time.Now().Add(timeout)
	for {
		err := f()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return err
		}
		if err := sleep(ctx, every); err != nil {
			return err
		}
	}
}
