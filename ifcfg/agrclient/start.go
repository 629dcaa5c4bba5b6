package agrclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/agr/state"
)

const (
	startTimeout = 15 * time.Second      // for a daemon to become ready
	startPoll    = 10 * time.Millisecond // between two looks at its socket
)

// Resume lists the agr interfaces that there are, and starts a daemon to control
// them when there is none but a predecessor has left some. Then AwaitEnd waits for
// its end.
func (a *Client) Resume() ([]string, error) {
	if _, err := a.connect(); err != nil {
		left, err := leftOnFile()
		if err != nil || !left {
			return nil, err
		}
		if err := startDaemon(a.connect); err != nil {
			return nil, err
		}
		a.started = true
	}
	var names []string
	err := a.call(func(c *ctl.Client) (err error) { names, err = c.List(); return err })
	return names, err
}

// List lists the agr interfaces that the daemon controls: none where there is no daemon.
func (a *Client) List() (names []string, err error) {
	err = a.call(func(c *ctl.Client) (err error) { names, err = c.List(); return err })
	if errors.Is(err, ctl.ENXIO) {
		return nil, nil
	}
	return names, err
}

// leftOnFile reports whether the state file of this namespace has agr interfaces. One
// that cannot be read is an error; one of another boot has none.
func leftOnFile() (bool, error) {
	f, _, err := stateFile()
	if errors.Is(err, state.ErrForeign) {
		return false, nil
	}
	return len(f.Agrs) > 0, err
}

// AwaitEnd waits for the end of a daemon that Resume has started, if it has nothing
// to do any more.
func (a *Client) AwaitEnd() error {
	if !a.started {
		return nil
	}
	var names []string
	err := a.call(func(c *ctl.Client) (err error) { names, err = c.List(); return err })
	a.drop()
	if err == nil && len(names) > 0 {
		return nil // somebody else needs it
	}
	_, path, err := stateFile()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	lock, err := ctl.Lock(ctx, path+".lock") // the last thing that it gives back
	if err == nil {
		lock.Unlock()
	}
	return err
}

// startDaemon starts the agrd that lies beside this program and waits until it
// answers (design D4). Two ifconfigs that do so at once start one.
func startDaemon(connect func() (*ctl.Client, error)) error {
	if os.Geteuid() != 0 {
		return ctl.EPERM
	}
	lock, err := startLock()
	if err != nil {
		return startError(err)
	}
	defer lock.Unlock()
	if _, err := connect(); err == nil {
		return nil // somebody else was quicker
	}
	self, err := os.Executable()
	if err != nil {
		return startError(err)
	}
	said, err := os.CreateTemp("", "agrd-start-")
	if err != nil {
		return startError(err)
	}
	defer said.Close()
	if err := os.Remove(said.Name()); err != nil {
		return startError(err)
	}
	cmd := exec.Command(filepath.Join(filepath.Dir(self), "agrd"), "-idle", "-log", "syslog")
	cmd.Dir = "/"
	cmd.Stderr = said
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return startError(err)
	}
	return waitReady(cmd, said, connect)
}

// waitReady waits until the daemon answers or has ended.
func waitReady(cmd *exec.Cmd, said *os.File, connect func() (*ctl.Client, error)) error {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(startPoll)
	defer tick.Stop()
	deadline := time.After(startTimeout)
	for {
		select {
		case err := <-ended:
			return startError(errors.New(lastWords(said, err)))
		case <-deadline:
			return startError(fmt.Errorf("agrd is not ready after %v", startTimeout))
		case <-tick.C:
			if _, err := connect(); err == nil {
				return nil
			}
		}
	}
}

// lastWords is what a daemon said before it ended.
func lastWords(said *os.File, err error) string {
	b := make([]byte, 4096)
	n, readErr := said.ReadAt(b, 0)
	if readErr != nil && !errors.Is(readErr, io.EOF) || n == 0 {
		return fmt.Sprintf("agrd ended: %v", err)
	}
	return strings.TrimSpace(string(b[:n]))
}

// startLock lets one ifconfig of a network namespace start a daemon at a time.
func startLock() (*ctl.Locked, error) {
	cookie, err := ctl.NetnsCookie()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(ctl.RunDirectory(), 0o755); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	return ctl.Lock(ctx, ctl.SocketPath(ctl.RunDirectory(), cookie)+".start")
}

// startError is what a create answers when no daemon could be started.
func startError(err error) error {
	errno := ctl.ENXIO
	if errors.Is(err, os.ErrPermission) {
		errno = ctl.EPERM
	}
	return &ctl.RequestError{Errno: errno, Detail: "agrd was not started: " + err.Error()}
}
