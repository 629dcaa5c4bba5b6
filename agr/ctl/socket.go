package ctl

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// RunDir is where agrd keeps its sockets and its state.
const RunDir = "/run/agrd"

// RunDirectory is where the daemon of this environment keeps its state: beside
// the socket that AGRD_SOCKET names, else RunDir.
func RunDirectory() string {
	if path := os.Getenv(SocketEnv); path != "" {
		return filepath.Dir(path)
	}
	return RunDir
}

// SharedSocket is where a daemon that systemd started listens as well. A client
// that falls back to it believes a reply only when it comes from its own
// network namespace.
const SharedSocket = RunDir + "/agrd.sock"

// SocketEnv names the environment variable that overrides the socket's path.
const SocketEnv = "AGRD_SOCKET"

// SocketPath is the socket of the daemon of the network namespace with that
// cookie. A cookie, unlike an inode number, is never used again.
func SocketPath(dir string, cookie uint64) string {
	return filepath.Join(dir, strconv.FormatUint(cookie, 10)+".sock")
}

// NetnsCookie is the cookie of the calling thread's network namespace
// (SO_NETNS_COOKIE, socket(7)).
func NetnsCookie() (uint64, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("ctl: network namespace: socket: %w", err)
	}
	defer unix.Close(fd)
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err != nil {
		return 0, fmt.Errorf("ctl: network namespace: SO_NETNS_COOKIE: %w", err)
	}
	return cookie, nil
}

// openToAll lets everybody connect to the socket at path. It is looked at before: the
// directory may be another user's, who may have put a link there meanwhile.
func openToAll(path string) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("stat %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return fmt.Errorf("%s is no socket", path)
	}
	return os.Chmod("/proc/self/fd/"+strconv.Itoa(fd), 0o666)
}

// errTruncated says that a message was longer than MaxMessage.
var errTruncated = fmt.Errorf("ctl: message longer than %d octets: %w", MaxMessage, ErrMessage)

// errClosed says that the other end has closed the connection.
var errClosed = errors.New("ctl: connection closed")

// receive reads one message into buf. One for which there is no room is lost.
func receive(c *net.UnixConn, buf []byte) ([]byte, error) {
	n, _, flags, _, err := c.ReadMsgUnix(buf, nil)
	switch {
	case err != nil:
		return nil, err
	case flags&unix.MSG_TRUNC != 0:
		return nil, errTruncated
	case n == 0:
		return nil, errClosed
	}
	return buf[:n], nil
}

// await waits for a message, leaves it where it is, and returns its length; 0 when
// the other end has closed the connection.
func await(c *net.UnixConn) (n int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		for failed = unix.EINTR; failed == unix.EINTR; {
			n, _, failed = unix.Recvfrom(int(fd), nil, unix.MSG_PEEK|unix.MSG_TRUNC)
		}
		return failed != unix.EAGAIN
	})
	return n, errors.Join(err, failed)
}

// receiveAny is receive into a buffer that is made when there is a message: who is
// idle costs none.
func receiveAny(c *net.UnixConn) ([]byte, error) {
	n, err := await(c)
	switch {
	case err != nil:
		return nil, err
	case n == 0:
		return nil, errClosed
	}
	return receive(c, make([]byte, min(n, MaxMessage)))
}
