package kernel_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/datapath"
	"ifagr/agr/datapath/kernel"
	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
)

// childVariable has the configuration of a process that is a daemon and no test.
const childVariable = "IFAGR_KERNEL_TEST_CHILD"

// waitForChild is more than any of them takes.
const waitForChild = 20 * time.Second

// childConfig is what such a process does.
type childConfig struct {
	Name    string
	Ports   []childPort
	Program datapath.Program
	Close   bool // at once, in order, instead of waiting to be killed
}

type childPort struct {
	Number uint16
	Index  int
	Name   string
}

// TestMain makes a daemon of this process when it is told to.
func TestMain(m *testing.M) {
	config, ok := os.LookupEnv(childVariable)
	if !ok {
		os.Exit(m.Run())
	}
	if err := beDaemon(config); err != nil {
		fmt.Fprintln(os.Stderr, err)
		if errors.Is(err, kernel.ErrUnsupported) {
			os.Exit(3)
		}
		os.Exit(1)
	}
}

// beDaemon opens the device, programs it, says so and waits.
func beDaemon(config string) error {
	var c childConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return err
	}
	d, err := kernel.New(c.Name, ether.Addr{0x02, 0xa9, 0, 0, 0, 1}, kernel.Options{})
	if err != nil {
		return err
	}
	for _, p := range c.Ports {
		if err := d.AddPort(datapath.Port{Number: p.Number, Index: p.Index, Name: p.Name}); err != nil {
			return err
		}
	}
	if err := errors.Join(d.Program(c.Program), d.SetCarrier(true)); err != nil {
		return err
	}
	fmt.Printf("ready: adopted %v, %d conversations\n", d.Adopted(), conversations(d))
	if c.Close {
		return d.Close(false)
	}
	select {}
}

// conversations is how many have been sent anywhere.
func conversations(d *kernel.Device) (n int) {
	for _, number := range d.Placed() {
		if number != 0 {
			n++
		}
	}
	return n
}

// childCommand is a command that runs this program as a daemon, below others.
func childCommand(t *testing.T, c childConfig, below ...string) *exec.Cmd {
	t.Helper()
	config, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	self := "/proc/self/exe" // may be run by another user
	if len(below) > 0 {
		if self, err = os.Executable(); err != nil {
			t.Fatal(err)
		}
	}
	args := append(below, self)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), childVariable+"="+string(config))
	return cmd
}

// daemon runs a command that childCommand made, and waits until it forwards.
func (s *side) daemon(cmd *exec.Cmd, want string) *nettest.Daemon {
	s.t.Helper()
	d := s.StartCmd(cmd)
	nettest.Eventually(s.t, waitForChild, func() error {
		if out := d.Output(); !strings.Contains(out, want) {
			return fmt.Errorf("%q, want %q", out, want)
		}
		return nil
	})
	return d
}

// config is a child's that does what the side's program says.
func (s *side) config() childConfig {
	c := childConfig{Name: "agr0", Program: s.prog}
	for _, p := range s.ports {
		c.Ports = append(c.Ports, childPort{p.Number, p.Index, p.Name})
	}
	return c
}

// nobody is a user with the capabilities that this datapath needs, and no others.
func nobody(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: 65534, Gid: 65534},
		AmbientCaps: []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_BPF},
	}
	return cmd
}

// TestKilled kills a daemon under traffic in both directions, which goes on
// without it, and starts another one: nothing is lost. Each row is a way to be
// started that takes a pinned program along, or has no place for a pin.
func TestKilled(t *testing.T) {
	for name, command := range map[string]func(*side, childConfig) *exec.Cmd{
		"ip netns exec": func(s *side, c childConfig) *exec.Cmd {
			return childCommand(t, c, "ip", "netns", "exec", s.Name)
		},
		"private mounts": func(_ *side, c childConfig) *exec.Cmd {
			return childCommand(t, c, "unshare", "-m", "sh", "-c",
				`mount -t sysfs sysfs /sys && ! mountpoint -q /sys/fs/bpf && exec "$0"`)
		},
		"another user": func(_ *side, c childConfig) *exec.Cmd {
			return nobody(childCommand(t, c))
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := cables(t, "")
			b.start()
			b.program(good(1), good(2))
			b.address()
			a.prog = b.prog
			first := a.daemon(command(a, a.config()), "ready: adopted false")
			a.address()
			there, back := stream(a, b, 2000), stream(b, a, 2000)
			flows(t, there, 500)
			first.Kill()
			flows(t, there, 2000)
			flows(t, back, 2000)
			second := a.daemon(command(a, a.config()), "ready: adopted true")
			if n := len(a.programs()); n != 3 {
				t.Errorf("%d programs after the second start, want 3", n)
			}
			flows(t, there, 1000)
			second.Kill()
			flows(t, there, 1000)
			flows(t, back, 1000)
			t.Log(first.Output(), second.Output())
			whole(t, there)
			whole(t, back)
			a.deleteLater()
		})
	}
}

// deleteLater is for sides whose device belonged to children.
func (s *side) deleteLater() {
	s.t.Helper()
	s.open()
}
