package ifagr_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/netutil/nettest"
)

// netstart runs `agrd netstart` on these files.
func (h *host) netstart(files map[string]string, names ...string) result {
	h.t.Helper()
	dir := h.t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			h.t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	cmd := h.Command(filepath.Join(h.bin, "agrd"), append([]string{"netstart", "-d", dir}, names...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), datapathEnv(h.datapath)), &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// A machine starts from files: loopback, two ports, an aggregate on them that
// starts its daemon, an address, and a line that fails and stops nothing.
func TestNetstart(t *testing.T) { eachDatapath(t, testNetstart) }

func testNetstart(t *testing.T, datapath string) {
	a, b := newHost(t, datapath), newHost(t, datapath)
	for _, port := range []string{"re0", "re1"} {
		nettest.Veth(a.NS, port, b.NS, port, nettest.Down)
	}
	a.Run("ip", "link", "set", "lo", "down")
	port := "!ip link set dev $int addrgenmode none\nup\n"
	files := map[string]string{
		"ifconfig.re0": port,
		"ifconfig.re1": port,
		"ifconfig.agr0": "create\nagrport re0 \\\n\tagrport re1\n# no such port:\nagrport re9\n" +
			"inet 192.0.2.1 netmask 255.255.255.0\n!ifconfig -C >/dev/null\n",
		"ifaliases": "192.0.2.9 agr0 255.255.255.255\n",
	}
	want := result{"", "ifconfig.agr0:5: SIOCSETAGR: No such file or directory\nagrd: netstart: 1 step failed\n", 1}
	got := a.netstart(files)
	if got.stderr = withoutHints(got.stderr); got != want {
		t.Errorf("netstart:\ngot  %+v\nwant %+v", got, want)
	}
	wantStatus := "agr0: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n" +
		"\tagrport: re0, flags=0x0\n\tagrport: re1, flags=0x0\n" +
		"\tinet 192.0.2.1 netmask 0xffffff00 broadcast 192.0.2.255\n" +
		"\tinet alias 192.0.2.9 netmask 0xffffffff broadcast 192.0.2.9\n"
	if diff := cmp.Diff(wantStatus, stable(a.ifconfig("agr0", "inet"))); diff != "" {
		t.Errorf("agr0 (-want +got):\n%s", diff)
	}
	if got := a.ifconfig("lo0", "inet"); !strings.Contains(got, "inet 127.0.0.1 netmask 0xff000000") {
		t.Errorf("lo0 has no address:\n%s", got)
	}
}

// withoutHints leaves out what is advice.
func withoutHints(s string) string {
	var out strings.Builder
	for line := range strings.Lines(s) {
		if !strings.Contains(line, ": hint: ") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// stable leaves out what depends on the time and on the far end: the address,
// and whether a port is in use yet.
func stable(status string) string {
	var out strings.Builder
	for line := range strings.Lines(status) {
		if strings.HasPrefix(line, "\taddress:") {
			continue
		}
		if head, _, ok := strings.Cut(line, ", flags=0x"); ok && strings.HasPrefix(line, "\tagrport:") {
			line = head + ", flags=0x0\n"
		}
		out.WriteString(line)
	}
	return out.String()
}
