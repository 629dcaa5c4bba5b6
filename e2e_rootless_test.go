package ifagr_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/netutil/nettest"
)

// A user without any privilege has an aggregate in a user namespace of his own,
// with the datapath that needs no eBPF.
func TestRootless(t *testing.T) {
	t.Parallel()
	nettest.Require(t, nettest.Root, nettest.IPRoute, nettest.Ping, nettest.TUN, nettest.UserNS)
	h := newHost(t, "auto") // nothing of it is used but its end
	h.runDirOf(serviceUser)
	script, err := filepath.Abs("testdata/e2e/rootless.sh")
	if err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(h.socket)
	copied := filepath.Join(dir, "rootless.sh") // where that user may read
	if err := os.WriteFile(copied, body, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := asUser(t, nil, "unshare", "-Urn", "--", copied, dir)
	cmd.WaitDelay = settle
	cmd.Env = append(os.Environ(), "PATH="+h.bin+":"+os.Getenv("PATH"), "IFCONFIG_HINTS=0")
	out, err := cmd.CombinedOutput()
	want := "\tdatapath: user (not permitted to load programs (CAP_BPF)), ports shielded by settings\n20 received\nlo re0 re1\n"
	if d := cmp.Diff(want, string(out)); err != nil || d != "" {
		log, _ := os.ReadFile(filepath.Join(dir, "a", "log"))
		t.Errorf("%v (-want +got):\n%s\n%s", err, d, log)
	}
}
