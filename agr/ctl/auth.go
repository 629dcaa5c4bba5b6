package ctl

import (
	"net"
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// caller reports whether the process at the other end of a connection may
// change things: uid 0, or a member of group when group is not negative. What
// cannot be found out counts as no.
func caller(conn *net.UnixConn, group int) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	allowed := false
	err = raw.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			return
		}
		allowed = cred.Uid == 0 ||
			group >= 0 && (cred.Gid == uint32(group) || slices.Contains(groups(int(fd)), uint32(group)))
	})
	return err == nil && allowed
}

// nobody stands for a user that cannot be found out.
const nobody = ^uint32(0)

// uidOf is the user of the process at the other end of a connection.
func uidOf(conn *net.UnixConn) uint32 {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nobody
	}
	uid := nobody
	raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			uid = cred.Uid
		}
	})
	return uid
}

// census counts connections by user. The zero value is empty.
type census struct {
	mu     sync.Mutex
	users  map[uint32]int
	others int // of all but uid 0
}

// enter counts one more connection of a user, unless it is one too many.
func (c *census) enter(uid uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users == nil {
		c.users = make(map[uint32]int)
	}
	n := c.users[uid]
	if uid == 0 && n >= maxConns || uid != 0 && (n >= maxConnsOfUser || c.others >= maxOtherConns) {
		return false
	}
	c.users[uid]++
	if uid != 0 {
		c.others++
	}
	return true
}

func (c *census) leave(uid uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users[uid]--; c.users[uid] == 0 {
		delete(c.users, uid)
	}
	if uid != 0 {
		c.others--
	}
}

// maxGroups is the most supplementary groups that Linux gives a process
// (NGROUPS_MAX).
const maxGroups = 65536

// groups lists the supplementary groups of the process at the other end
// (SO_PEERGROUPS, socket(7)).
func groups(fd int) []uint32 {
	for n := uint32(64); n <= maxGroups; n *= 32 {
		gids := make([]uint32, n)
		size := 4 * n
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&gids[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch errno {
		case 0:
			return gids[:size/4]
		case unix.ERANGE:
			continue
		}
		return nil
	}
	return nil
}
