package agr

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/datapath"
	"ifagr/agr/datapath/kernel"
	"ifagr/agr/datapath/user"
	"ifagr/netutil/eth"
	"ifagr/netutil/ether"
	"ifagr/netutil/hook"
	"ifagr/netutil/pkt"
	"ifagr/netutil/rtnl"
)

// Linux opens the operating system for the network namespace of the calling
// thread, which must be the process's. What a predecessor in this process has left
// is used up by the devices that it is of. The function that it returns closes the
// rest of it, too. Predecessors are the users, beside this one, who may have left
// interfaces.
func Linux(log *slog.Logger, left Heritage, predecessors ...uint32) (OS, func() error, error) {
	links, err := rtnl.Open()
	if err != nil {
		return OS{}, nil, fmt.Errorf("agr: %w", err)
	}
	drivers, err := eth.Open()
	if err != nil {
		return OS{}, nil, errors.Join(fmt.Errorf("agr: %w", err), links.Close())
	}
	system := OS{
		Viewer:  linuxViewer{links},
		Changer: linuxChanger{links},
		Tuner:   linuxTuner{links},
		Medium:  linuxMedium{drivers},
		Queuer:  links,
		Clock:   linuxClock{},
		Opener:  linuxOpener{log, left, predecessors},
	}
	closeAll := func() error { return errors.Join(links.Close(), drivers.Close(), left.Close()) }
	return system, closeAll, nil
}

type linuxClock struct{}

func (linuxClock) Monotonic() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0 // no Linux is without it
	}
	return time.Duration(ts.Nano())
}

type linuxViewer struct{ *rtnl.Conn }

func (linuxViewer) Groups() (all, static map[int][]ether.Addr, err error) {
	return rtnl.MulticastByKind()
}

type linuxChanger struct{ *rtnl.Conn }

func (linuxChanger) SetStaticGroup(index int, group ether.Addr, on bool) error {
	if on {
		return pkt.AddStatic(index, group)
	}
	return pkt.RemoveStatic(index, group)
}

// linuxTuner reads and writes below /proc/sys/net, which shows the namespace of
// whoever looks.
type linuxTuner struct{ conn *rtnl.Conn }

func (t linuxTuner) SetNoARP(index int, on bool) error {
	var flags uint32
	if on {
		flags = unix.IFF_NOARP
	}
	return t.conn.SetFlags(index, flags, unix.IFF_NOARP)
}

func (linuxTuner) Unhook(index int, programs []uint32) error {
	return errors.Join(
		hook.Detach(index, user.ShieldProgram), kernel.Unhook(index, programs),
		pkt.RemoveStatic(index, ether.SlowProtocols))
}

func (linuxTuner) Settings(name string) (Settings, error) {
	rp, err1 := readSysctl(rpFilterPath(name))
	ip6, err2 := readSysctl(disableIPv6Path(name))
	return Settings{RPFilter: rp, DisableIPv6: ip6}, errors.Join(err1, err2)
}

func (t linuxTuner) SetSettings(name string, want Settings) error {
	have, err := t.Settings(name)
	if want.RPFilter != "" && want.RPFilter != have.RPFilter {
		err = errors.Join(err, os.WriteFile(rpFilterPath(name), []byte(want.RPFilter), 0o644))
	}
	if want.DisableIPv6 != "" && want.DisableIPv6 != have.DisableIPv6 {
		err = errors.Join(err, os.WriteFile(disableIPv6Path(name), []byte(want.DisableIPv6), 0o644))
	}
	return err
}

func rpFilterPath(name string) string { return "/proc/sys/net/ipv4/conf/" + name + "/rp_filter" }

func disableIPv6Path(name string) string { return "/proc/sys/net/ipv6/conf/" + name + "/disable_ipv6" }

// readSysctl reads a setting; one that the kernel has not is empty.
func readSysctl(path string) (string, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(b)), err
}

type linuxMedium struct{ conn *eth.Conn }

func (m linuxMedium) Carrier(name string) (bool, error) { return m.conn.Carrier(name) }

func (m linuxMedium) Speed(name string) (mbps uint64, halfDuplex bool) {
	s, err := m.conn.Settings(name)
	if err != nil {
		return 0, false
	}
	return s.Speed, s.Duplex == eth.HalfDuplex
}

type linuxOpener struct {
	log          *slog.Logger
	left         Heritage
	predecessors []uint32
}

func (o linuxOpener) Device(name string, mac ether.Addr, kind Datapath) (datapath.Device, error) {
	if kind == Kernel {
		return openKernel(name, mac, o.log)
	}
	return user.Inherit(name, mac, o.left.Part(name), o.log, o.predecessors...)
}

// openKernel opens the kernel datapath, or says in a few words why there is none.
func openKernel(name string, mac ether.Addr, log *slog.Logger) (datapath.Device, error) {
	dev, err := kernel.New(name, mac, kernel.Options{Log: log})
	switch {
	case err == nil:
		return dev, nil
	case errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, kernel.ErrUnsupported):
		return nil, &UnsupportedError{Why: "no veth interfaces", Err: err}
	case !errors.Is(err, kernel.ErrUnsupported):
		return nil, err
	case errors.Is(err, fs.ErrPermission):
		return nil, &UnsupportedError{Why: "not permitted to load programs (CAP_BPF)", Err: err}
	case errors.Is(err, hook.ErrNotSupported):
		return nil, &UnsupportedError{Why: "no tcx and no clsact", Err: err}
	}
	return nil, &UnsupportedError{Why: err.Error()}
}

func (o linuxOpener) Slow(index int) (SlowConn, error) { return pkt.ListenSlow(index) }

func (o linuxOpener) Filter(index int) (Filter, error) { return pkt.OpenGroups(index) }
