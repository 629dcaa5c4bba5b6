package sd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// firstSocket is the descriptor of the first socket that a manager hands over,
// SD_LISTEN_FDS_START of sd_listen_fds(3).
const firstSocket = 3

// mostSockets bounds what is taken at its word.
const mostSockets = 64

// errSocket says that a descriptor is not what it has to be.
var errSocket = errors.New("not a listening unix socket of type SOCK_SEQPACKET")

// Sockets takes over the unix sockets of type SOCK_SEQPACKET at which the manager
// listens for this process (LISTEN_FDS and LISTEN_PID), if there are any, and takes
// what tells of them out of the environment: a program that this one becomes by
// execve(2) has the same number, and other files under those of the sockets. Call
// it before anything else is opened. After an error nothing was taken or closed.
func Sockets() ([]*os.File, error) {
	mine, text := forUs("LISTEN_PID", false), os.Getenv("LISTEN_FDS")
	Forget()
	if !mine {
		return nil, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > mostSockets {
		return nil, fmt.Errorf("sd: LISTEN_FDS=%q: not a number from 0 to %d", text, mostSockets)
	}
	for fd := firstSocket; fd < firstSocket+n; fd++ {
		if err := checkSocket(fd); err != nil {
			return nil, fmt.Errorf("sd: descriptor %d: %w", fd, err)
		}
	}
	var all []*os.File
	for fd := firstSocket; fd < firstSocket+n; fd++ {
		unix.CloseOnExec(fd)
		all = append(all, os.NewFile(uintptr(fd), "listen"))
	}
	return all, nil
}

// Forget takes what tells of Sockets out of the environment. Somebody else has them, or
// had.
func Forget() {
	for _, variable := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		os.Unsetenv(variable)
	}
}

// checkSocket is nil for a socket of the right kind.
func checkSocket(fd int) error {
	for option, want := range map[int]int{unix.SO_TYPE: unix.SOCK_SEQPACKET, unix.SO_ACCEPTCONN: 1, unix.SO_DOMAIN: unix.AF_UNIX} {
		got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, option)
		if err != nil {
			return err
		}
		if got != want {
			return errSocket
		}
	}
	return nil
}

// Listener accepts at one of Sockets, which stays open when the listener is closed;
// nor does that remove the path, where the manager goes on to listen.
func Listener(f *os.File) (*net.UnixListener, error) {
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("sd: %w", err)
	}
	u, ok := l.(*net.UnixListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("sd: %w", errSocket), l.Close())
	}
	return u, nil
}
