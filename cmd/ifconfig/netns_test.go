package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/netutil/nettest"
)

// withoutDaemon is a script that needs nothing but the right to change its own
// network namespace. What it leaves is the same in each.
const withoutDaemon = `
set -e
export IFCONFIG_STYLE=netbsd10
ip link add re0 type veth peer name re1
ifconfig lo0 inet 127.0.0.1 up
ifconfig -l
ifconfig re0 link 02:00:00:00:00:09 active mtu 1400 description "a b"
ifconfig re0 192.0.2.1/24
ifconfig re0 192.0.2.2/24 alias
ifconfig re0 192.0.2.1 delete
ifconfig re0 inet6 2001:db8::1/64
ifconfig re0 metric 3
ifconfig re0 -arp
ifconfig bridge0 create up
ifconfig vlan0 create
ifconfig vlan0 destroy
ifconfig -v re0 >/dev/null
ifconfig -z re0 >/dev/null
ifconfig -a >/dev/null
ifconfig -w 2
ifconfig -lb
ifconfig re0 inet
ifconfig bridge0 destroy
ip link del re0
ifconfig -l
`

const withoutDaemonSays = `lo re1 re0
re1 re0 bridge0
re0: flags=0x88c3<UP,BROADCAST,RUNNING,NOARP,SIMPLEX,MULTICAST> metric 3 mtu 1400
	description: "a b"
	address: 02:00:00:00:00:09
	status: no carrier
	inet 192.0.2.2/24 broadcast 192.0.2.255 flags 0x4<DETACHED>
lo
`

// said checks what the script said, but for the capabilities, which the kernel
// has as it likes.
func said(t *testing.T, got result) {
	t.Helper()
	var b strings.Builder
	for l := range strings.Lines(got.Stdout) {
		if !capabilityLine.MatchString(l) {
			b.WriteString(l)
		}
	}
	got.Stdout = b.String()
	if diff := cmp.Diff(result{Stdout: withoutDaemonSays}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// `ip netns exec` leads to the other namespace's interfaces, and to no others.
func TestNetnsExec(t *testing.T) {
	a, b := newMachine(t), newMachine(t)
	cmd := b.inside("sh", "-c", withoutDaemon)
	cmd.Env = append(cmd.Environ(), "PATH="+b.bin+":/usr/bin:/usr/sbin:/bin:/sbin")
	said(t, finish(t, cmd))
	b.must(filepath.Join(b.bin, "ifconfig"), "bridge1", "create")
	if got := a.ifconfig("-l"); got != (result{Stdout: "lo\n"}) {
		t.Errorf("the other namespace: %+v", got)
	}
}

// Everything that needs no daemon works for an ordinary user in a network
// namespace of his own. What the kernel does not remember for him lies in the
// directory that a login gives him.
func TestUserNamespace(t *testing.T) {
	nettest.Require(t, nettest.Root, nettest.IPRoute)
	bin := programs(t)
	own, err := os.MkdirTemp(bin, "run") // which everybody can reach
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(own, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	nobody := func(argv ...string) *exec.Cmd {
		cmd := exec.Command("setpriv", append([]string{
			"--reuid=65534", "--regid=65534", "--clear-groups", "unshare", "-Urn", "--",
		}, argv...)...)
		cmd.Env = append(cmd.Environ(), "PATH="+bin+":/usr/bin:/usr/sbin:/bin:/sbin", "XDG_RUNTIME_DIR="+own)
		return cmd
	}
	if out, err := nobody("true").CombinedOutput(); err != nil {
		t.Skipf("SKIP-FEATURE: user namespaces: %v: %s", err, out)
	}
	said(t, finish(t, nobody("sh", "-c", withoutDaemon)))
}
