package ifagr_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/agr/slow"
	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
)

// The README's first command.
func TestDemo(t *testing.T) { eachDatapath(t, testDemo) }

func testDemo(t *testing.T, datapath string) {
	cmd := exec.Command(filepath.Join(programs(t), "agrd"), "demo")
	cmd.Env = append(os.Environ(), datapathEnv(datapath))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const both = "flags=0x3<COLLECTING,DISTRIBUTING>"
	if n := strings.Count(string(out), both); n != 4 {
		t.Errorf("%q is shown %d times, want 4: two ports at two ends\n%s", both, n, out)
	}
}

// A port must have no address, not even an automatic one (design D3).
func TestPortWithAddress(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testPortWithAddress)
}

func testPortWithAddress(t *testing.T, datapath string) {
	a, _ := pair(t, datapath)
	a.ifconfig("re0", "up")
	a.ifconfig("re0", "inet", "192.0.2.7/24")
	a.ifconfig("agr0", "create")
	nettest.Eventually(t, settle, func() error {
		if len(a.addrs("re0")) == 0 {
			return fmt.Errorf("no automatic address yet")
		}
		return nil
	})
	before := a.settings("re0")
	const busy = "ifconfig: SIOCSETAGR: Device busy"
	a.refuses(busy, "agr0", "agrport", "re0")
	a.ifconfig("re0", "inet", "192.0.2.7", "delete")
	a.refuses(busy, "agr0", "agrport", "re0")
	if got := a.settings("re0"); got != before {
		t.Errorf("re0 is %+v, was %+v", got, before)
	}
	a.deleteAddrs("re0")
	a.ifconfig("agr0", "agrport", "re0")
	if got := a.link("agr0").Addr; got != before.MAC {
		t.Errorf("agr0 has %s, want its first port's %s", got, before.MAC)
	}
}

// One link of two is cut under a thousand datagrams a second, and comes back.
func TestLinkCut(t *testing.T) { eachDatapath(t, testLinkCut) }

func testLinkCut(t *testing.T, datapath string) {
	a, b := pair(t, datapath)
	a.agr0("192.0.2.1")
	b.agr0("192.0.2.2")
	for _, h := range []*host{a, b} {
		nettest.Eventually(t, 2*settle, func() error { return h.distributes("re0", "re1") })
	}
	a.Run("ping", "-c", "1", "-W", "2", "192.0.2.2")
	stream := func() *nettest.Stream {
		return nettest.StartStream(t, nettest.StreamConfig{From: a.NS, To: b.NS, Addr: netip.MustParseAddr("192.0.2.2")})
	}
	s := stream()
	waitReceived(t, s, 1000)
	carrier := busiest(a.mustStatus())
	b.ifconfig(carrier, "down")
	waitReceived(t, s, s.Received()+2000)
	cut := s.Stop()

	s = stream()
	waitReceived(t, s, 1000)
	b.ifconfig(carrier, "up")
	for _, h := range []*host{a, b} {
		nettest.Eventually(t, 2*settle, func() error { return h.distributes("re0", "re1") })
	}
	waitReceived(t, s, s.Received()+2000)
	back := s.Stop()
	t.Logf("cut: %v", cut)
	t.Logf("back: %v", back)
	// What a dying port has under way may be overtaken: its conversations move at
	// once.
	if back.Lost != 0 || back.Reordered != 0 || back.Duplicated != 0 || cut.Duplicated != 0 {
		t.Errorf("want nothing lost or reordered when the link comes back, and nothing duplicated:\ncut  %v\nback %v", cut, back)
	}
	if cut.Lost > 500 {
		t.Errorf("%d of %d lost by the cut: it was not noticed", cut.Lost, cut.Sent)
	}
}

// waitReceived waits until a stream has brought n datagrams.
func waitReceived(t *testing.T, s *nettest.Stream, n uint64) {
	t.Helper()
	nettest.Eventually(t, 10*time.Second, func() error {
		if got := s.Received(); got < n {
			return fmt.Errorf("%d datagrams have arrived, want %d", got, n)
		}
		return nil
	})
}

// busiest is the port that has sent the most frames.
func busiest(st *ctl.Status) string {
	best := st.Ports[0]
	for _, p := range st.Ports {
		if p.Counters.TxFrames > best.Counters.TxFrames {
			best = p
		}
	}
	return best.Name
}

// A Marker from the other end of the cable is answered once, on its port, from
// the port's own address; with link1 not at all.
func TestMarkerOnTheWire(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testMarkerOnTheWire)
}

func testMarkerOnTheWire(t *testing.T, datapath string) {
	a, b := pair(t, datapath)
	a.port("re0", "re1")
	own := a.link("re1").Addr
	a.ifconfig("agr0", "create")
	a.ifconfig("agr0", "agrport", "re0", "agrport", "re1")
	conn := listenAll(t, b.NS, "re1")
	defer conn.Close()
	ask := func(id uint32) (answers []slow.Marker) {
		m := slow.Marker{Type: slow.MarkerInformation, RequesterPort: 7, RequesterSystem: own, TransactionID: id}
		frame := slow.AppendMarker(nil, b.link("re1").Addr, m)
		if _, err := conn.WriteTo(frame, &packet.Addr{HardwareAddr: ether.SlowProtocols[:]}); err != nil {
			t.Fatal(err)
		}
		conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		buf := make([]byte, 2048)
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				return answers
			}
			if m, err := slow.ParseMarker(buf[:n]); err == nil && m.Type == slow.MarkerResponse {
				if got := ether.Addr(buf[6:12]); got != own {
					t.Errorf("answered from %s, want %s", got, own)
				}
				answers = append(answers, m)
			}
		}
	}
	want := []slow.Marker{{Type: slow.MarkerResponse, RequesterPort: 7, RequesterSystem: own, TransactionID: 0xdeadbeef}}
	if diff := cmp.Diff(want, ask(0xdeadbeef)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	a.ifconfig("agr0", "link1")
	if got := ask(2); len(got) != 0 {
		t.Errorf("answered in link1: %+v", got)
	}
}

// A killed daemon's successor knows what the ports were.
func TestKilledDaemon(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testKilledDaemon)
}

func testKilledDaemon(t *testing.T, datapath string) {
	a, _ := pair(t, datapath)
	a.port("re0", "re1")
	before := map[string]settings{"re0": a.settings("re0"), "re1": a.settings("re1")}
	a.ifconfig("agr0", "create")
	a.ifconfig("agr0", "agrport", "re0", "agrport", "re1")
	pid, err := a.daemonPid()
	if err != nil {
		t.Fatal(err)
	}
	if err := killAndWait(pid); err != nil {
		t.Fatal(err)
	}
	a.refuses("ifconfig: SIOCSETAGR: Device not configured", "agr0", "-agrport", "re1")
	a.refuses("ifconfig: SIOCAIFADDR: Device busy", "re1", "inet", "192.0.2.9/24")
	a.startDaemon()
	nettest.Eventually(t, settle, func() error { return a.distributes("re0", "re1") })
	for _, p := range a.mustStatus().Ports {
		if p.OwnMAC != before[p.Name].MAC {
			t.Errorf("%s was %s, the daemon believes %s", p.Name, before[p.Name].MAC, p.OwnMAC)
		}
	}
	a.ifconfig("agr0", "-agrport", "re1", "-agrport", "re0")
	for name, want := range before {
		if got := a.settings(name); got != want {
			t.Errorf("%s is %+v, was %+v", name, got, want)
		}
	}
	a.ifconfig("agr0", "destroy")
}

// The daemon that a create has started ends after the last destroy, and leaves
// nothing.
func TestDaemonEnds(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testDaemonEnds)
}

func testDaemonEnds(t *testing.T, datapath string) {
	a := newHost(t, datapath)
	a.ifconfig("agr0", "create")
	pid, err := a.daemonPid()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	a.ifconfig("agr0", "destroy")
	if err := waitGone(fd, settle); err != nil {
		t.Errorf("agrd: %v", err)
	}
	var cookie uint64
	a.Do(func() { cookie, err = ctl.NetnsCookie() })
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(ctl.RunDir, fmt.Sprint(cookie)+".*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	a.ifconfig("agr0", "create") // and starts again
	a.ifconfig("agr0", "destroy")
}

// Many creates at once start one daemon, and all succeed.
func TestConcurrentCreate(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testConcurrentCreate)
}

func testConcurrentCreate(t *testing.T, datapath string) {
	a := newHost(t, datapath)
	results := make(chan result)
	for i := range 8 {
		go func() { results <- a.try(fmt.Sprintf("agr%d", i), "create") }()
	}
	for range 8 {
		if r := <-results; r.code != 0 || r.stderr != "" {
			t.Errorf("%+v", r)
		}
	}
	if got := a.ifconfig("-l"); len(strings.Fields(got)) != 9 {
		t.Errorf("-l shows %q", got)
	}
	for i := range 8 {
		a.ifconfig(fmt.Sprintf("agr%d", i), "destroy")
	}
}

// What the daemon logs of an aggregate's life has a reason in every line.
func TestMonitor(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testMonitor)
}

func testMonitor(t *testing.T, datapath string) {
	a, _ := pair(t, datapath)
	a.ifconfig("agr0", "create")
	a.port("re0")
	m := a.Start(filepath.Join(a.bin, "agrd"), "monitor", "agr0")
	nettest.Eventually(t, settle, func() error { // until it listens
		a.ifconfig("agr0", "agrport", "re0")
		a.ifconfig("agr0", "-agrport", "re0")
		if m.Output() == "" {
			return fmt.Errorf("monitor says nothing")
		}
		return nil
	})
	if out := m.Output(); !strings.Contains(out[:strings.IndexByte(out, '\n')], " agr0 snapshot: down") {
		t.Errorf("the first line is not the present state: %s", out)
	}
	a.ifconfig("agr0", "agrport", "re0")
	nettest.Eventually(t, 2*settle, func() error {
		if out := m.Output(); !strings.Contains(out, "mux: COLLECTING -> DISTRIBUTING (") {
			return fmt.Errorf("monitor says %q", out)
		}
		return nil
	})
}

// A demonstration that is interrupted leaves nothing, and says so.
func TestDemoInterrupted(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testDemoInterrupted)
}

func testDemoInterrupted(t *testing.T, datapath string) {
	tmp := t.TempDir()
	cmd := exec.Command(filepath.Join(programs(t), "agrd"), "demo")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp, datapathEnv(datapath))
	var out bytes.Buffer
	cmd.Stderr = &out
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scan := bufio.NewScanner(stdout)
	for scan.Scan() && !strings.Contains(scan.Text(), "agr0 agrport") {
	}
	children := childrenOf(cmd.Process.Pid)
	if err := cmd.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	for scan.Scan() {
	}
	err = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(out.String(), "interrupted") {
		t.Errorf("%v: %s", err, out.String())
	}
	if len(children) < 2 { // two daemons, and perhaps an ifconfig
		t.Errorf("%d processes, want two daemons at least", len(children))
	}
	for _, pid := range children {
		if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
			t.Errorf("daemon %d is still there: %v", pid, err)
		}
	}
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// agr0's groups and promiscuity follow to its ports, to later ones too, and are
// gone from a port that has left.
func TestFiltersFollow(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testFiltersFollow)
}

func testFiltersFollow(t *testing.T, datapath string) {
	a, _ := pair(t, datapath)
	a.port("re0", "re1")
	a.ifconfig("agr0", "create")
	a.ifconfig("agr0", "agrport", "re0", "up")
	a.Run("ip", "maddr", "add", "01:00:5e:01:02:03", "dev", "agr0")
	a.Run("ip", "link", "set", "agr0", "promisc", "on")
	a.ifconfig("agr0", "agrport", "re1")
	has := func(port string, want bool) error {
		maddr := a.Run("ip", "maddr", "show", "dev", port)
		if got := strings.Contains(maddr, "01:00:5e:01:02:03"); got != want {
			return fmt.Errorf("%s: group there is %v, want %v", port, got, want)
		}
		if got := strings.Contains(maddr, "01:80:c2:00:00:02"); got != want {
			return fmt.Errorf("%s: slow protocols group there is %v, want %v", port, got, want)
		}
		if got := a.link(port).Promiscuity > 0; got != want {
			return fmt.Errorf("%s: promiscuous is %v, want %v", port, got, want)
		}
		return nil
	}
	for _, port := range []string{"re0", "re1"} {
		nettest.Eventually(t, settle, func() error { return has(port, true) })
	}
	a.ifconfig("agr0", "-agrport", "re1")
	if err := has("re1", false); err != nil {
		t.Error(err)
	}
}

// Other tools' ways with ports and agr0 are followed or put back (design D12).
func TestOtherTools(t *testing.T) {
	t.Parallel()
	eachDatapath(t, testOtherTools)
}

func testOtherTools(t *testing.T, datapath string) {
	a, b := pair(t, datapath)
	a.agr0("192.0.2.1")
	b.agr0("192.0.2.2")
	nettest.Eventually(t, 2*settle, func() error { return a.distributes("re0", "re1") })
	own := a.mustStatus().MAC
	a.Run("ip", "link", "set", "re1", "address", "02:00:00:00:99:99")
	nettest.Eventually(t, settle, func() error {
		if got := a.link("re1").Addr; got != own {
			return fmt.Errorf("re1 has %s, want %s", got, own)
		}
		return nil
	})
	a.Run("ip", "link", "set", "agr0", "mtu", "1400")
	nettest.Eventually(t, settle, func() error {
		if x, y := a.link("re0").MTU, a.link("re1").MTU; x != 1400 || y != 1400 {
			return fmt.Errorf("mtu %d and %d", x, y)
		}
		return nil
	})
	a.Run("ip", "link", "del", "re1")
	nettest.Eventually(t, settle, func() error {
		if st := a.mustStatus(); len(st.Ports) != 1 {
			return fmt.Errorf("%d ports", len(st.Ports))
		}
		return a.distributes("re0")
	})
	a.Run("ping", "-c", "3", "-i", "0.2", "-W", "2", "192.0.2.2")
	re0 := a.settings("re0")
	a.Run("ip", "link", "del", "agr0")
	nettest.Eventually(t, settle, func() error {
		if got := a.settings("re0"); got.GenMode == re0.GenMode {
			return fmt.Errorf("re0 is still %+v", got)
		}
		return nil
	})
	a.refuses("ifconfig: SIOCSETAGR: Device not configured", "agr0", "agrport", "re0")
}
