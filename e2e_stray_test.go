package ifagr_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ifagr/netutil/ether"
	"ifagr/netutil/hook"
	"ifagr/netutil/nettest"
)

// What another tool does to a port while no daemon runs ends its being one, with the
// next start. It gets everything back then, also from a daemon that may not read the
// names of programs: nothing of ours stays at its ingress, where it would swallow
// what the interface receives, and answer LACPDUs.
func TestStrayPrograms(t *testing.T) {
	t.Parallel()
	nettest.Require(t, nettest.Root, nettest.IPRoute, nettest.TUN, nettest.TCX)
	taken := map[string]func(a *host, away *nettest.NS) (name string){
		"renamed": func(a *host, _ *nettest.NS) string {
			a.Run("ip", "link", "set", "re1", "down")
			a.Run("ip", "link", "set", "re1", "name", "lan1", "up")
			return "lan1"
		},
		"bridged": func(a *host, _ *nettest.NS) string {
			a.Run("ip", "link", "add", "br0", "type", "bridge")
			a.Run("ip", "link", "set", "re1", "master", "br0")
			return "re1"
		},
		"elsewhere": func(a *host, away *nettest.NS) string {
			a.Run("ip", "link", "set", "re1", "netns", away.Name)
			return "re1"
		},
	}
	for name, take := range taken {
		for _, user := range []string{"root", "unprivileged"} {
			t.Run(name+"/"+user, func(t *testing.T) {
				t.Parallel()
				a, b := pair(t, "kernel")
				start := func() *nettest.Daemon { return a.startDaemon() }
				if user != "root" {
					a.runDirOf(serviceUser)
					start = func() *nettest.Daemon { return a.startUser(serviceCaps) }
				}
				d := start()
				a.serves(d)
				a.agr0("192.0.2.1")
				b.agr0("192.0.2.2")
				nettest.Eventually(t, 2*settle, func() error { return a.distributes("re0", "re1") })
				d.Kill()
				away := nettest.New(t)
				port := take(a, away)
				a.serves(start())
				if name == "elsewhere" {
					a.Run("ip", "netns", "exec", away.Name, "ip", "link", "set", "re1", "netns", a.Name)
				}
				nettest.Eventually(t, settle, func() error { return a.isFree(port) })
				if n := len(a.programsAt("re0")); n != 1 {
					t.Errorf("%d programs at re0, want 1", n)
				}
				nettest.Eventually(t, 2*settle, func() error { return a.distributes("re0") })
				a.ifconfig("agr0", "-agrport", "re0")
				if left := a.programsAt("re0"); len(left) > 0 {
					t.Errorf("after -agrport, still at re0: %+v", left)
				}
				a.ifconfig("agr0", "destroy")
			})
		}
	}
}

// programsAt are the programs at the ingress of an interface.
func (h *host) programsAt(name string) (there []hook.Attached) {
	h.t.Helper()
	index := h.link(name).Index
	var err error
	h.Do(func() { there, err = hook.List(index) })
	if err != nil {
		h.t.Fatal(err)
	}
	return there
}

// listens reports whether an interface lets LACPDUs in without anybody's socket.
func (h *host) listens(name string) bool {
	h.t.Helper()
	lines := strings.Split(h.Output("ip", "maddr", "show", "dev", name), "\n")
	return slices.ContainsFunc(lines, func(line string) bool {
		return strings.Contains(line, fmt.Sprint(ether.SlowProtocols)) && strings.Contains(line, "static")
	})
}

// isFree is nil when nothing of ours is at an interface.
func (h *host) isFree(name string) error {
	h.t.Helper()
	if left := h.programsAt(name); len(left) > 0 {
		return fmt.Errorf("still at %s: %+v", name, left)
	}
	if h.listens(name) {
		return fmt.Errorf("%s still lets LACPDUs in", name)
	}
	return nil
}

// manyPorts are more than the alias of agr0p has room for the programs of.
const manyPorts = 56

// A daemon that may not read the names of programs knows those of its predecessors
// however many ports there are, and in whatever moment of its start a predecessor was
// killed: none sits at a port twice, and none stays.
func TestManyPortsUnprivileged(t *testing.T) {
	t.Parallel()
	nettest.Require(t, nettest.Root, nettest.IPRoute, nettest.TUN, nettest.TCX)
	a, far := newHost(t, "kernel"), nettest.New(t)
	a.runDirOf(serviceUser)
	d := a.startUser(serviceCaps)
	a.serves(d)
	a.ifconfig("agr0", "create")
	var ports []string
	for i := range manyPorts {
		ports = append(ports, fmt.Sprint("re", i))
		nettest.Veth(a.NS, ports[i], far, ports[i])
		a.port(ports[i])
		a.ifconfig("agr0", "agrport", ports[i])
	}
	for _, moment := range []string{"msg=serving", "-> attached", "-> attached", "msg=serving"} {
		d.Kill()
		d = a.startUser(serviceCaps, "-v")
		nettest.Eventually(t, 6*settle, func() error {
			if !strings.Contains(d.Output(), moment) {
				return fmt.Errorf("no %q: %s", moment, d.Output())
			}
			return nil
		})
	}
	a.serves(d)
	for _, p := range append(ports, "agr0p") {
		if there := a.programsAt(p); len(there) != 1 {
			t.Errorf("%s: %+v, want one program", p, there)
		}
	}
	for _, p := range ports {
		a.ifconfig("agr0", "-agrport", p)
		if there := a.programsAt(p); len(there) != 0 {
			t.Errorf("%s: %+v, want none", p, there)
		}
	}
}
