package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"ifagr/agr"
	"ifagr/netutil/privilege"
)

// errNetns says that capabilities do not help.
var errNetns = errors.New("no capability of this process counts in its network namespace, which belongs to another user namespace: " +
	"`unshare -Urn` makes both")

// tunDevice is what the user datapath is made of, and what the kernel datapath
// holds frames in while their port changes.
const tunDevice = "/dev/net/tun"

// power is what the daemon may do.
type power struct {
	set         privilege.Set
	overNetwork bool
	tun         error // why TAP devices cannot be had
}

// look finds out what the daemon may do.
func look() (power, error) {
	set, err := privilege.Effective()
	if err != nil {
		return power{}, err
	}
	over, err := privilege.OverNetwork()
	if err != nil {
		return power{}, err
	}
	return power{set: set, overNetwork: over, tun: tryTUN()}, nil
}

func tryTUN() error {
	f, err := os.OpenFile(tunDevice, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// check is an error when nothing would work, and logs what will not.
func (p power) check(wish agr.Datapath, log *slog.Logger) error {
	if err := p.lacks(); err != nil {
		return err
	}
	bpf := p.set.Has(privilege.BPF)
	if !bpf {
		without := "datapath kernel; ports' own protocol stacks are kept out by settings of the ports"
		if wish == agr.Kernel {
			without = "datapath kernel, which was asked for: no interface can be created"
		}
		log.Warn("capability missing", "capability", privilege.BPF.String(), "without", without)
	}
	if p.tun != nil {
		without := "datapath user; with datapath kernel frames are not held while their port changes"
		log.Warn("TAP devices cannot be had", "err", p.tun, "without", without)
	}
	return nil
}

// lacks is an error that names the capabilities without which nothing works.
func (p power) lacks() error {
	var missing []string
	for _, need := range []struct {
		c    privilege.Capability
		does string
	}{
		{privilege.NetAdmin, "no interface can be made or changed"},
		{privilege.NetRaw, "no LACPDU can be sent or received"},
	} {
		if !p.set.Has(need.c) {
			missing = append(missing, fmt.Sprintf("%s is missing: %s without it", need.c, need.does))
		}
	}
	if len(missing) > 0 {
		return errors.New(strings.Join(missing, "; "))
	}
	if !p.overNetwork {
		return errNetns
	}
	return nil
}

// predecessors are the users whose daemon may have left something: root, whose
// ifconfig starts one, and the owner of the directory with the state, who could
// write into that what he likes anyway.
func predecessors(dir string) []uint32 {
	users := []uint32{0}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err == nil && st.Uid != 0 {
		users = append(users, st.Uid)
	}
	return users
}
