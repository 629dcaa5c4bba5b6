package ifagr_test

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"ifagr/agr/ctl"
	"ifagr/netutil/nettest"
)

// TestScripts runs testdata/e2e/*.txtar. In each, re0 to re3 are Ethernet
// interfaces that are up and have no address, with somebody at the other end of
// the cable who says nothing. Commands besides testscript's own:
//
//	ifconfig ARG...          our ifconfig in the host's namespace
//	nobody ARG...            the same as an ordinary user
//	run ARG...               another program there
//	kill-agrd                SIGKILL to the daemon
//	start-agrd               starts one by hand
//	garbage TEXT             one message to the control socket, from everybody
func TestScripts(t *testing.T) {
	if err := os.Chmod(programs(t), 0o755); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/e2e/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	eachDatapath(t, func(t *testing.T, datapath string) {
		for _, file := range files {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
				runScript(t, datapath, file)
			})
		}
	})
}

func runScript(t *testing.T, datapath, file string) {
	a, b := newHost(t, datapath), newHost(t, datapath)
	for i := range 4 {
		nettest.Veth(a.NS, "re"+strconv.Itoa(i), b.NS, "q"+strconv.Itoa(i))
	}
	a.port("re0", "re1", "re2", "re3")
	testscript.Run(t, testscript.Params{
		Files: []string{file},
		Setup: func(e *testscript.Env) error {
			for _, kv := range a.env() {
				switch k, v, _ := strings.Cut(kv, "="); k {
				case "PATH", "GORACE", "IFCONFIG_HINTS", "AGRD_DATAPATH":
					e.Setenv(k, v)
				}
			}
			e.Setenv("TAB", "\t")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ifconfig": inside(a, "ifconfig"),
			"nobody":   inside(a, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "ifconfig"),
			"run":      inside(a),
			"kill-agrd": func(ts *testscript.TestScript, _ bool, _ []string) {
				pid, err := a.daemonPid()
				ts.Check(err)
				ts.Check(killAndWait(pid))
			},
			"start-agrd": func(ts *testscript.TestScript, _ bool, _ []string) {
				a.startDaemon()
			},
			"garbage": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(a.garbage(strings.Join(args, " ")))
			},
		},
	})
}

// inside is a testscript command that runs a program in the host's namespace.
func inside(h *host, prefix ...string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		all := append([]string{"netns", "exec", h.Name}, append(prefix, args...)...)
		err := ts.Exec("ip", all...)
		if (err != nil) != neg {
			ts.Fatalf("ip %s: %v", strings.Join(all, " "), err)
		}
	}
}

// garbage sends one message to the daemon and waits until it is answered or the
// connection is closed.
func (h *host) garbage(text string) error {
	var cookie uint64
	var err error
	h.Do(func() { cookie, err = ctl.NetnsCookie() })
	if err != nil {
		return err
	}
	path := ctl.SocketPath(ctl.RunDir, cookie)
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(text)); err != nil {
		return err
	}
	conn.Read(make([]byte, ctl.MaxMessage))
	return nil
}
