package privilege

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Capability is one of capabilities(7).
type Capability uint

// The capabilities that moving frames takes.
const (
	NetAdmin Capability = unix.CAP_NET_ADMIN
	NetRaw   Capability = unix.CAP_NET_RAW
	BPF      Capability = unix.CAP_BPF
)

// String is the name that capabilities(7) has for it.
func (c Capability) String() string {
	switch c {
	case NetAdmin:
		return "CAP_NET_ADMIN"
	case NetRaw:
		return "CAP_NET_RAW"
	case BPF:
		return "CAP_BPF"
	}
	return fmt.Sprintf("capability %d", uint(c))
}

// Set is a set of capabilities, one bit each.
type Set uint64

// Has reports whether c is in the set. CAP_SYS_ADMIN stands for CAP_BPF, which
// was a part of it (capabilities(7)).
func (s Set) Has(c Capability) bool {
	const sysAdmin = 1 << unix.CAP_SYS_ADMIN
	return s&(1<<c) != 0 || c == BPF && s&sysAdmin != 0
}

// Effective is what this process may do in its user namespace.
func Effective() (Set, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0, fmt.Errorf("privilege: capget: %w", err)
	}
	return Set(data[0].Effective) | Set(data[1].Effective)<<32, nil
}

// OverNetwork reports whether the capabilities of this process count in its
// network namespace: they do where that belongs to its user namespace or to one
// below it (user_namespaces(7)), which `unshare -U` without -n does not give.
func OverNetwork() (bool, error) {
	f, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return false, fmt.Errorf("privilege: network namespace: %w", err)
	}
	defer f.Close()
	owner, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_USERNS)
	if errors.Is(err, unix.EPERM) { // it belongs to one above
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("privilege: owner of the network namespace: %w", err)
	}
	return true, unix.Close(owner)
}
