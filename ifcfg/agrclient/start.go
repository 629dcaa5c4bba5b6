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
)

const (
	startTimeout = 15 * time.Second      // for a daemon to become ready
	startPoll    = 10 * time.Millisecond // between two looks at its socket
)

// startDaemon starts the agrd that lies beside this program and waits until it
// answers (design D4). Two ifconfigs that do so at once start one.
func startDaemon(connect func() (*ctl.Client, error)) error {
	if os.Geteuid() != 0 {
		return ctl.EPERM
	}
	unlock, err := startLock()
	if err != nil {
		return startError(err)
	}
	defer unlock()
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
func startLock() (unlock func(), err error) {
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
