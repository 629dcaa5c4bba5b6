package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"ifagr/agr"
	"ifagr/agr/ctl"
	"ifagr/agr/state"
	"ifagr/netutil/sd"
)

// An upgrade exchanges the program and keeps the process:
//
//	SIGUSR2 -> the new program is asked whether it can -> requests are answered, new ones wait
//	-> the aggregates are given up as they are -> execve(2) -> the successor resumes them
//
// The lock and the listening socket go over, so that no other daemon can step in and
// no client finds nobody.

// upgradeSignal asks for it.
const upgradeSignal = unix.SIGUSR2

const (
	// checkTime is how long the new program may take to say that it can.
	checkTime = 10 * time.Second
	// drainTime is how long requests that are being answered may keep the upgrade.
	drainTime = 5 * time.Second
)

// errConfined is why a daemon that has given up the right to start programs keeps
// its own.
var errConfined = errors.New("a confined daemon can start no program; start it again instead, or with -confine no")

// Names of a daemon's own descriptors in a heritage.
const (
	lockName   = "lock"
	listenName = "listen"
	// handedOverName is the owner, in the sense of a heritage, of the service manager's
	// sockets.
	handedOverName = "manager"
)

// ownPath is the file that the program was started from: the name that it was called
// by, if that leads to it, because a symbolic link may lead to a newer one later. It
// is empty when that cannot be found out.
func ownPath(arg0 string) string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	called, err := exec.LookPath(arg0)
	if err == nil {
		called, err = filepath.Abs(called)
	}
	if err != nil || !sameFile(called, "/proc/self/exe") {
		return self
	}
	return called
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// check says which program this is, after it has understood its options and found
// the state of a predecessor to be one that it knows.
func check(stdout io.Writer, at place) error {
	if err := at.readable(); err != nil {
		return err
	}
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version + " " + info.GoVersion
	}
	_, err := fmt.Fprintf(stdout, "agrd %s, state %d, memory %d\n", version, state.Version, state.MemoryVersion)
	return err
}

// canRun asks the program at path whether it can take over with these arguments.
func canRun(ctx context.Context, path string, args []string) (says string, err error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append([]string{"-check"}, args...)...)
	out, err := cmd.CombinedOutput()
	says = strings.TrimSpace(string(out))
	switch {
	case err != nil && says != "":
		return "", fmt.Errorf("%s: %w: %s", path, err, says)
	case err != nil:
		return "", fmt.Errorf("%s: %w", path, err)
	case !strings.HasPrefix(says, "agrd "):
		return "", fmt.Errorf("%s says %q, which is not what an agrd says", path, says)
	}
	return says, nil
}

// awaitUpgrade waits for the signal. A program that could not run is refused, and
// nothing has happened. Else what was
// asked before is answered, and the daemon ends with agr.ErrReplaced.
func (d *daemon) awaitUpgrade(ctx context.Context, asked <-chan os.Signal, ready <-chan struct{}, c *clients) error {
	defer signal.Ignore(upgradeSignal) // until the successor listens, another one must not end it
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-asked:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ready:
		}
		if d.confined.Load() {
			d.log.Error("upgrade refused; nothing has changed", "err", errConfined)
			continue
		}
		says, err := canRun(ctx, d.self, os.Args[1:])
		if err != nil {
			d.log.Error("upgrade refused; nothing has changed", "err", err)
			continue
		}
		d.log.Info("upgrade", "to", says, "path", d.self)
		c.dismiss()
		if ctx.Err() != nil {
			return nil // it was told to end meanwhile
		}
		return agr.ErrReplaced
	}
}

// clients are those who are being answered.
type clients struct {
	ctx  context.Context // of their connections
	stop context.CancelCauseFunc
	gone chan struct{} // closed when there is none any more
}

func newClients(ctx context.Context) *clients {
	c := &clients{gone: make(chan struct{})}
	c.ctx, c.stop = context.WithCancelCause(ctx)
	return c
}

// dismiss takes no more requests, because a successor will, and waits until those that
// were read are answered.
func (c *clients) dismiss() {
	c.stop(agr.ErrReplaced)
	select {
	case <-c.gone:
	case <-time.After(drainTime):
	}
}

// listen answers clients until the context ends, once the daemon has given up what
// it does not need any more. The socket is a predecessor's, if there was one in this
// process, and stays for a successor: clients wait in it. So do those of a service
// manager.
func (d *daemon) listen(ctx context.Context, m *agr.Manager) error {
	manager, err := newService(d.log)
	if err != nil {
		return err
	}
	doors, err := d.listeners()
	if err != nil {
		return err
	}
	d.confined.Store(confine(d.cfg.confine, filepath.Dir(d.socket), d.log))
	d.log.Info("serving", "socket", d.socket, "netns", d.cookie, "handed over", len(d.handedOver))
	manager.ready(len(m.List()))
	s := &ctl.Server{Handler: m, Netns: d.cookie, Group: d.cfg.group, Log: d.log}
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range doors {
		group.Go(func() error { return s.Serve(ctx, l) })
	}
	group.Go(func() error { manager.watchdog(ctx, m.Pulse); return nil })
	group.Go(func() error {
		<-ctx.Done()
		// A manager that hears of an end waits for it, and then makes one.
		if !errors.Is(context.Cause(ctx), agr.ErrReplaced) {
			manager.tell(sd.Stopping)
		}
		return nil
	})
	return group.Wait()
}

// listeners are the daemon's own, which is made if no predecessor has left it, and those
// of a service manager.
func (d *daemon) listeners() ([]*net.UnixListener, error) {
	if err := d.openDoor(); err != nil {
		return nil, err
	}
	var all []*net.UnixListener
	for _, f := range append([]*os.File{d.door}, d.handedOver...) {
		l, err := sd.Listener(f)
		if err != nil {
			for _, l := range all {
				l.Close()
			}
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

// openDoor makes the daemon's own socket, unless it is there.
func (d *daemon) openDoor() error {
	if d.door != nil {
		return nil
	}
	l, err := ctl.Listen(d.socket)
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	d.door, err = l.File()
	return errors.Join(err, l.Close())
}

// end gives back what makes this the daemon of the namespace.
func (d *daemon) end() {
	d.stopListening()
	for _, f := range d.handedOver {
		f.Close()
	}
	d.lock.Unlock()
}

// stopListening removes the socket, if it is there and ours.
func (d *daemon) stopListening() {
	if d.door.Close() == nil {
		os.Remove(d.socket)
	}
	d.door = nil
}

// exec replaces the program. It returns only when it could not.
func (d *daemon) exec() error {
	own := make(agr.Heritage)
	err := d.bequeath(own)
	var left string
	if err == nil {
		left, err = leave(d.left, own)
	}
	if err == nil {
		err = unix.Exec(d.self, os.Args, append(os.Environ(), left))
	}
	stay(d.left)
	return fmt.Errorf("exec %s: %w", d.self, errors.Join(err, own.Close()))
}

// bequeath adds copies of the daemon's own descriptors to a heritage.
func (d *daemon) bequeath(h agr.Heritage) error {
	errs := []error{keep(h, lockName, d.lock.File()), keep(h, listenName, d.door)}
	for i, f := range d.handedOver {
		errs = append(errs, keep(h, fmt.Sprint(handedOverName, "/", i), f))
	}
	return errors.Join(errs...)
}
