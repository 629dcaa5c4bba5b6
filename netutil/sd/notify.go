package sd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// States that a service sends, sd_notify(3).
const (
	Ready    = "READY=1"    // start-up is finished
	Stopping = "STOPPING=1" // it is about to end
	Watchdog = "WATCHDOG=1" // it is still well
)

// notifyTimeout bounds one datagram: a manager that does not read must not stop
// its service.
const notifyTimeout = time.Second

// Status is the state that shows a line of text beside the service.
func Status(text string) string {
	return "STATUS=" + strings.ReplaceAll(text, "\n", " ")
}

// Notifier sends states to the manager. The zero value sends nothing. Its
// methods may be called from several goroutines.
type Notifier struct{ path string }

// NewNotifier makes a Notifier for the socket that NOTIFY_SOCKET names.
func NewNotifier() Notifier { return Notifier{path: os.Getenv("NOTIFY_SOCKET")} }

// Active reports whether there is somebody to notify.
func (n Notifier) Active() bool { return n.path != "" }

// Send sends states in one datagram. Each is made a connection of its own, so
// that a manager that was started anew gets it as well.
func (n Notifier) Send(states ...string) error {
	if !n.Active() || len(states) == 0 {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("sd notify: %w", err)
	}
	defer conn.Close()
	err = conn.SetWriteDeadline(time.Now().Add(notifyTimeout))
	if err == nil {
		_, err = conn.Write([]byte(strings.Join(states, "\n")))
	}
	if err != nil {
		return fmt.Errorf("sd notify: %w", err)
	}
	return nil
}

// errWatchdog says that the manager's wish for a watchdog cannot be understood.
var errWatchdog = errors.New("not a time in microseconds")

// WatchdogInterval is how long the manager waits for Watchdog before it takes
// this process for stuck; 0 when it does not wait for any (WATCHDOG_USEC and
// WATCHDOG_PID, sd_watchdog_enabled(3)).
func WatchdogInterval() (time.Duration, error) {
	text := os.Getenv("WATCHDOG_USEC")
	if text == "" || !forUs("WATCHDOG_PID", true) {
		return 0, nil
	}
	usec, err := strconv.ParseInt(text, 10, 64)
	if err != nil || usec <= 0 || usec > int64(1<<63-1)/int64(time.Microsecond) {
		return 0, fmt.Errorf("sd: WATCHDOG_USEC=%s: %w", text, errWatchdog)
	}
	return time.Duration(usec) * time.Microsecond, nil
}

// forUs reports whether a variable names this process, so that what it goes
// with was not meant for a parent. unset is the answer where there is none.
func forUs(variable string, unset bool) bool {
	text := os.Getenv(variable)
	if text == "" {
		return unset
	}
	pid, err := strconv.Atoi(text)
	return err == nil && pid == os.Getpid()
}
