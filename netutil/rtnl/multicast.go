package rtnl

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"

	"ifagr/netutil/ether"
)

// Multicast lists the link-layer groups that each interface receives, by its
// index and in the kernel's order (packet(7), proc_pid_net(5) dev_mcast). There
// is no netlink request for them.
//
// It looks into the network namespace of the calling thread, not of any Conn.
func Multicast() (map[int][]ether.Addr, error) {
	all, _, err := MulticastByKind()
	return all, err
}

// MulticastByKind is Multicast, and lists as well those of them that were asked for
// without a socket, as by `ip maddr add`. An interface has each of those once, whoever
// asked for it. Both are of one moment.
func MulticastByKind() (all, static map[int][]ether.Addr, err error) {
	b, err := os.ReadFile("/proc/thread-self/net/dev_mcast")
	if err != nil {
		return nil, nil, fmt.Errorf("rtnl list groups: %w", err)
	}
	return parseDevMcast(b, false), parseDevMcast(b, true), nil
}

// parseDevMcast reads lines of index, name, users, global users and address.
// An address that is not of six octets is no Ethernet group and is left out, as
// is a line that has another form, and one without a global user if only static
// ones are wanted.
func parseDevMcast(b []byte, static bool) map[int][]ether.Addr {
	out := make(map[int][]ether.Addr)
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) != 5 || len(f[4]) != 2*ether.AddrLen || static && string(f[3]) == "0" {
			continue
		}
		index, err := strconv.Atoi(string(f[0]))
		if err != nil {
			continue
		}
		var raw ether.Addr
		if _, err := hex.Decode(raw[:], f[4]); err == nil {
			out[index] = append(out[index], raw)
		}
	}
	return out
}
