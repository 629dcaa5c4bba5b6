package nettest

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stopAfter is how long a Daemon may take to end before it is killed.
const stopAfter = 5 * time.Second

// Command is exec.Command in the namespace. Unlike `ip netns exec` it leaves the
// mounts as they are. What still runs when the test ends is killed.
func (n *NS) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--net=" + n.path(), "--", name}, args...)...)
}

// Run runs a program in the namespace and returns what it wrote, on both
// outputs. The test ends when the program fails.
func (n *NS) Run(name string, args ...string) string {
	n.t.Helper()
	out, err := n.Command(name, args...).CombinedOutput()
	if err != nil {
		n.t.Fatalf("%s in %s: %v: %s", strings.Join(append([]string{name}, args...), " "), n.Name, err, out)
	}
	return string(out)
}

// Output is Run without what the program wrote on its standard error.
func (n *NS) Output(name string, args ...string) string {
	n.t.Helper()
	out, err := n.Command(name, args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			out = exit.Stderr
		}
		n.t.Fatalf("%s in %s: %v: %s", strings.Join(append([]string{name}, args...), " "), n.Name, err, out)
	}
	return string(out)
}

// Daemon is a program that runs in a namespace until it is stopped, at the
// latest when the test ends or its process dies.
type Daemon struct {
	cmd    *exec.Cmd
	output lockedBuffer
	done   chan struct{}
	err    error // how it ended; written before done is closed
}

// Start starts a program in the namespace, which must not go into the
// background by itself.
func (n *NS) Start(name string, args ...string) *Daemon {
	n.t.Helper()
	return n.StartCmd(exec.Command(name, args...))
}

// StartCmd is Start for a command that was made by exec.Command, not by the
// namespace's Command: it can have an environment or a standard input. Where its
// outputs were not set they go to the daemon's Output.
func (n *NS) StartCmd(cmd *exec.Cmd) *Daemon {
	n.t.Helper()
	d := &Daemon{cmd: cmd, done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = &d.output
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &d.output
	}
	cmd.WaitDelay = time.Second // for the outputs, should a child hold them
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started := make(chan error)
	go n.keep(d, started)
	if err := <-started; err != nil {
		n.t.Fatalf("start %s in %s: %v", cmd.Path, n.Name, err)
	}
	n.t.Cleanup(func() { d.Stop() })
	return d
}

// keep starts d on a thread of the namespace that lives as long as d: the death
// signal goes out when the thread ends, not the process. The thread is never
// unlocked, so it ends with the goroutine.
func (n *NS) keep(d *Daemon, started chan<- error) {
	runtime.LockOSThread()
	err := unix.Setns(n.fd, unix.CLONE_NEWNET)
	if err == nil {
		err = d.cmd.Start()
	}
	started <- err
	if err != nil {
		return
	}
	d.err = d.cmd.Wait()
	close(d.done)
}

// Pid is the process id.
func (d *Daemon) Pid() int { return d.cmd.Process.Pid }

// Output is what the daemon has written so far, on both outputs.
func (d *Daemon) Output() string { return d.output.String() }

// Signal sends a signal. A daemon that has ended takes none.
func (d *Daemon) Signal(sig syscall.Signal) error { return d.cmd.Process.Signal(sig) }

// Wait waits until the daemon has ended, and returns how, as exec.Cmd.Wait does.
func (d *Daemon) Wait(timeout time.Duration) error {
	select {
	case <-d.done:
		return d.err
	case <-time.After(timeout):
		return fmt.Errorf("%s still runs after %v", d.cmd.Path, timeout)
	}
}

// Ended reports whether the daemon has ended.
func (d *Daemon) Ended() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// Stop asks the daemon to end (SIGTERM), kills it when it does not in time, and
// reports whether it ended by itself. It may be called more than once.
func (d *Daemon) Stop() bool {
	_ = d.Signal(syscall.SIGTERM)
	select {
	case <-d.done:
		return true
	case <-time.After(stopAfter):
	}
	d.Kill()
	return false
}

// Kill kills the daemon and waits for its end.
func (d *Daemon) Kill() {
	_ = d.Signal(syscall.SIGKILL)
	<-d.done
}

// lockedBuffer is written by a daemon while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is everything written so far.
func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
