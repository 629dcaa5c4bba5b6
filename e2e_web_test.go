package ifagr_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ifagr/netutil/nettest"
	"ifagr/netutil/nettest/browser"
)

// screenshot is what `make screenshot` gives.
var screenshot = flag.Bool("screenshot", false, "write docs/picture.png")

const (
	pageAddr = "127.0.0.1:8802"
	pageWait = 15 * time.Second
	maxPNG   = 200_000
)

// scene is an aggregate with something to see: re0 to re2 lead to one system,
// re3 to another.
type scene struct {
	a, b *host
	web  *nettest.Daemon
	page *browser.Browser
}

func newScene(t *testing.T) *scene {
	t.Helper()
	nettest.Require(t, nettest.Root, nettest.IPRoute, nettest.TUN, nettest.Chromium)
	s := &scene{a: newHost(t, "auto"), b: newHost(t, "auto")}
	ports := []string{"re0", "re1", "re2", "re3"}
	for _, port := range ports {
		nettest.Veth(s.a.NS, port, s.b.NS, port, nettest.NoIPv6)
	}
	s.a.ifconfig("agr0", "create")
	s.a.ifconfig("agr0", "lacptimeout", "fast")
	s.b.ifconfig("agr0", "create")
	s.b.ifconfig("agr1", "create")
	for _, port := range ports {
		s.a.ifconfig("agr0", "agrport", port)
		s.b.ifconfig(map[bool]string{true: "agr1", false: "agr0"}[port == "re3"], "agrport", port)
	}
	s.a.ifconfig("agr0", "inet", "192.0.2.1/24")
	for i := range 12 {
		s.b.ifconfig("agr0", "inet", fmt.Sprintf("192.0.2.%d/24", 10+i), "alias")
	}
	s.web = s.a.StartCmd(s.a.agrd("web", "-l", pageAddr))
	s.page = browser.Start(t, s.a.NS)
	nettest.Eventually(t, pageWait, func() error { return s.fetch("/", pageAddr, 200) })
	s.page.Open("http://" + pageAddr + "/")
	return s
}

// agrd is a command of ours in the host's environment.
func (h *host) agrd(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(h.bin, "agrd"), args...)
	cmd.Env = h.env()
	return cmd
}

// fetch asks for a path with a Host header, and is nil when the answer has that
// status.
func (s *scene) fetch(path, hostHeader string, want int) error {
	var conn net.Conn
	var err error
	s.a.Do(func() { conn, err = net.DialTimeout("tcp", pageAddr, time.Second) })
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, hostHeader)
	b := make([]byte, 64)
	n, err := conn.Read(b)
	if err != nil {
		return err
	}
	if got, _, _ := strings.Cut(string(b[:n]), "\r\n"); !strings.Contains(got, fmt.Sprint(" ", want, " ")) {
		return fmt.Errorf("%s of %s: %q, want %d", path, hostHeader, got, want)
	}
	return nil
}

// shows waits until an element has a text in it.
func (s *scene) shows(t *testing.T, selector, text string) {
	t.Helper()
	nettest.Eventually(t, pageWait, func() error {
		if got := s.page.Text(selector); !strings.Contains(got, text) {
			return fmt.Errorf("%s is %q, want %q in it", selector, got, text)
		}
		return nil
	})
}

func port(name string) string { return "#agrs [data-key=" + name + "]" }

// streams sends different loads to twelve addresses.
func (s *scene) streams(t *testing.T) *nettest.Stream {
	t.Helper()
	var flows []nettest.Flow
	for i := range 12 {
		flows = append(flows, nettest.Flow{Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)}), Rate: 40 << (i % 6)})
	}
	return nettest.StartStream(t, nettest.StreamConfig{From: s.a.NS, To: s.b.NS, Flows: flows, Size: 1000})
}

// TestPage drives the page in a browser: a cable is cut, the daemon and the
// page's server are killed, and the page tells.
func TestPage(t *testing.T) {
	s := newScene(t)
	for _, p := range []string{"re0", "re1", "re2"} {
		s.shows(t, port(p)+" .badge", "carries frames")
	}
	s.shows(t, port("re3")+" .reason", "partner system")
	s.shows(t, "#agr-agr0 .verdict", "carries frames through 3 of 4 ports")
	s.shows(t, "#daemon", "agrd answers")
	traffic := s.streams(t)
	s.shows(t, "#agr-agr0 table", "Mb/s")
	s.shows(t, "#agr-agr0 figcaption", "in use")
	s.cut(t)
	if *screenshot {
		s.back(t)
		s.picture(t)
	}
	traffic.Stop()
	s.fits(t)
	s.daemonGone(t)
	s.serverGone(t)
}

// cut cuts the cable of re2, and waits for what the page says of it. What the
// reader has opened stays open.
func (s *scene) cut(t *testing.T) {
	t.Helper()
	open := fmt.Sprintf("document.querySelector(%q).open", port("re0")+" details")
	if err := s.page.Eval(open+" = true", nil); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	s.b.ifconfig("re2", "down")
	s.shows(t, "#log", "re2 mux DISTRIBUTING")
	t.Logf("the transition was seen %v after the cut", time.Since(start).Round(time.Millisecond))
	s.shows(t, port("re2")+" .reason", "link down")
	s.shows(t, "#agr-agr0 .verdict", "2 of 4 ports")
	s.shows(t, "title", "agr0")
	var opened bool
	if err := s.page.Eval(open, &opened); err != nil || !opened {
		t.Errorf("details that were opened are open: %v, %v", opened, err)
	}
	if got := s.page.Complaints(); len(got) > 0 {
		t.Errorf("the page has errors: %q", got)
	}
	for _, url := range s.page.Requests() {
		if !strings.HasPrefix(url, "http://"+pageAddr+"/") && !strings.HasPrefix(url, "data:") {
			t.Errorf("the page asked for %s", url)
		}
	}
	if err := errors.Join(s.fetch("/", "evil.example", 421), s.fetch("/events", "evil.example:8802", 421), s.fetch("/", "localhost", 200)); err != nil {
		t.Error(err)
	}
}

// fits checks that a telephone needs no sideways scrolling, light and dark.
func (s *scene) fits(t *testing.T) {
	t.Helper()
	for _, dark := range []bool{false, true} {
		s.page.Resize(360, 740, dark)
		nettest.Eventually(t, pageWait, func() error {
			var wide int
			if err := s.page.Eval("document.documentElement.scrollWidth", &wide); err != nil || wide > 360 {
				return fmt.Errorf("the page is %d wide, want 360: %v", wide, err)
			}
			return nil
		})
	}
}

func (s *scene) daemonGone(t *testing.T) {
	t.Helper()
	pid, err := s.a.daemonPid()
	if err == nil {
		err = killAndWait(pid)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.shows(t, "#daemon", "agrd does not answer")
	s.shows(t, "#log", "the transitions end here")
	s.a.startDaemon()
	s.shows(t, "#daemon", "agrd answers")
	s.shows(t, port("re0")+" .badge", "carries frames")
}

func (s *scene) serverGone(t *testing.T) {
	t.Helper()
	if !s.web.Stop() {
		t.Error("agrd web had to be killed")
	}
	s.shows(t, "#daemon", "agrd web does not answer")
	s.web = s.a.StartCmd(s.a.agrd("web", "-l", pageAddr))
	s.shows(t, "#daemon", "agrd answers")
	s.shows(t, "#log", "transitions are missing here")
}

// back mends the cable and cuts it once more, so that there is a history.
func (s *scene) back(t *testing.T) {
	t.Helper()
	s.b.ifconfig("re2", "up")
	s.shows(t, port("re2")+" .badge", "carries frames")
	s.b.ifconfig("re2", "down")
	s.shows(t, port("re2")+" .reason", "link down")
}

// picture writes the picture of the README.
func (s *scene) picture(t *testing.T) {
	t.Helper()
	s.page.Resize(1260, 1000, false)
	if err := s.page.Eval(fmt.Sprintf("document.querySelector(%q).open = false", port("re0")+" details"), nil); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, pageWait, func() error { // until the loads are those of now
		if got := s.page.Text(port("re2") + " .rate b"); got != "0 b/s" {
			return fmt.Errorf("re2 carries %s", got)
		}
		return nil
	})
	img, err := png.Decode(bytes.NewReader(s.page.Screenshot()))
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&packed, indexed(img)); err != nil {
		t.Fatal(err)
	}
	b := packed.Bytes()
	if len(b) > maxPNG {
		t.Fatalf("%d octets, want at most %d", len(b), maxPNG)
	}
	if err := os.WriteFile("docs/picture.png", b, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("docs/picture.png: %d octets", len(b))
}

// indexed is a picture in its 256 most frequent colours, which is a third of the
// size. A page has few colours, and the edges of its letters.
func indexed(img image.Image) *image.Paletted {
	count := make(map[color.Color]int)
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			count[img.At(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(count), func(x, y color.Color) int { return count[y] - count[x] })
	p := image.NewPaletted(b, colours[:min(256, len(colours))])
	draw.Draw(p, b, img, b.Min, draw.Src)
	return p
}
