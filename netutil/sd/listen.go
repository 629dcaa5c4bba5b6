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
// listens for this process (LISTEN_FDS and LISTEN_PID), if there are any. It may
// be called once. Closing one of them does not remove its path: the manager
// goes on to listen there.
func Sockets() ([]*net.UnixListener, error) {
	if !forUs("LISTEN_PID", false) {
		return nil, nil
	}
	text := os.Getenv("LISTEN_FDS")
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > mostSockets {
		return nil, fmt.Errorf("sd: LISTEN_FDS=%q: not a number from 0 to %d", text, mostSockets)
	}
	var all []*net.UnixListener
	var errs []error
	for fd := firstSocket; fd < firstSocket+n; fd++ {
		l, err := takeSocket(fd)
		if err != nil {
			errs = append(errs, fmt.Errorf("sd: descriptor %d: %w", fd, err))
			continue
		}
		all = append(all, l)
	}
	if err := errors.Join(errs...); err != nil {
		for _, l := range all {
			l.Close()
		}
		return nil, err
	}
	return all, nil
}

// takeSocket makes a listener of a descriptor, which is closed.
func takeSocket(fd int) (*net.UnixListener, error) {
	unix.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "listen")
	defer f.Close()
	for option, want := range map[int]int{unix.SO_TYPE: unix.SOCK_SEQPACKET, unix.SO_ACCEPTCONN: 1, unix.SO_DOMAIN: unix.AF_UNIX} {
		got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, option)
		if err != nil {
			return nil, err
		}
		if got != want {
			return nil, errSocket
		}
	}
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	u, ok := l.(*net.UnixListener)
	if !ok {
		return nil, errors.Join(errSocket, l.Close())
	}
	return u, nil
}
