package ifagr_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ifagr/netutil/nettest"
)

// scrape reads a daemon's metrics over a unix socket or, in a namespace, TCP.
func (h *host) scrape(network, address string) (string, error) {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (conn net.Conn, err error) {
			h.Do(func() { conn, err = net.Dial(network, address) })
			return conn, err
		},
	}}
	r, err := client.Get("http://localhost/metrics")
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", r.Status, b)
	}
	return string(b), err
}

// has is nil when a text has all of these lines.
func hasLines(text string, lines ...string) error {
	for _, want := range lines {
		if !strings.Contains("\n"+text, "\n"+want+"\n") {
			return fmt.Errorf("no line %q", want)
		}
	}
	return nil
}

// A daemon tells Prometheus what it tells ifconfig, promtool agrees with how, and
// a cut is seen.
func TestMetrics(t *testing.T) {
	t.Parallel()
	nettest.Require(t, nettest.Root, nettest.IPRoute, nettest.TUN, nettest.Promtool)
	a, b := pair(t, "auto")
	socket := filepath.Join(t.TempDir(), "metrics.sock")
	a.startDaemon("-metrics", "unix:"+socket)
	a.agr0("192.0.2.1")
	b.agr0("192.0.2.2")
	nettest.Eventually(t, 2*settle, func() error { return a.distributes("re0", "re1") })
	text, err := a.scrape("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	err = hasLines(
		text, `ifagr_agr_answered{agr="agr0"} 1`, `ifagr_agr_carrier{agr="agr0"} 1`, `ifagr_agr_links{agr="agr0"} 2`, `ifagr_agr_ports{agr="agr0"} 2`,
		`ifagr_port_distributing{agr="agr0",port="re0"} 1`, `ifagr_port_mux_state{agr="agr0",port="re1",state="DISTRIBUTING"} 1`,
		`ifagr_port_conversations{agr="agr0",port="re0"} 128`, `ifagr_port_flaps_total{agr="agr0",port="re1"} 0`,
	)
	if err != nil {
		t.Errorf("%v in:\n%s", err, text)
	}
	check := exec.Command("promtool", "check", "metrics")
	check.Stdin = strings.NewReader(text)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
	b.ifconfig("re1", "down")
	nettest.Eventually(t, settle, func() error {
		text, err := a.scrape("unix", socket)
		if err != nil {
			return err
		}
		return hasLines(text, `ifagr_port_distributing{agr="agr0",port="re1"} 0`, `ifagr_port_up{agr="agr0",port="re1"} 0`,
			`ifagr_port_flaps_total{agr="agr0",port="re1"} 1`, `ifagr_port_conversations{agr="agr0",port="re0"} 256`)
	})
}

// A daemon whose metrics cannot be served serves aggregates all the same, and a
// socket that a dead one has left is no obstacle.
func TestMetricsAddress(t *testing.T) {
	t.Parallel()
	a := newHost(t, "auto")
	occupied := filepath.Join(t.TempDir(), "metrics.sock")
	if err := os.WriteFile(occupied, []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := a.startDaemon("-metrics", "unix:"+occupied)
	a.ifconfig("agr0", "create")
	if !strings.Contains(d.Output(), "metrics not served") {
		t.Errorf("the log does not say that metrics are not served:\n%s", d.Output())
	}
	if b, err := os.ReadFile(occupied); err != nil || string(b) != "somebody's" {
		t.Errorf("somebody's file is %q, %v", b, err)
	}
	d.Kill()
	const address = "127.0.0.1:9911"
	a.startDaemon("-metrics", address)
	nettest.Eventually(t, settle, func() error {
		text, err := a.scrape("tcp", address)
		if err != nil {
			return err
		}
		return hasLines(text, `ifagr_agr_ports{agr="agr0"} 0`)
	})
}

// A confined daemon can make no Internet socket any more, and yet serves at addresses
// that come after it: its own aggregate's, say.
func TestMetricsAddressLater(t *testing.T) {
	t.Parallel()
	a, b := pair(t, "auto")
	b.agr0("192.0.2.2")
	for _, tt := range []struct{ address, family, addr string }{
		{"192.0.2.1:9911", "inet", "192.0.2.1/24"},
		{"[2001:db8::1]:9911", "inet6", "2001:db8::1/64"},
	} {
		d := a.startDaemon("-metrics", tt.address)
		nettest.Eventually(t, settle, func() error {
			if !strings.Contains(d.Output(), "confined") {
				return fmt.Errorf("not confined: %s", d.Output())
			}
			return nil
		})
		a.port("re0", "re1")
		a.ifconfig("agr0", "create")
		a.ifconfig("agr0", "agrport", "re0", "agrport", "re1")
		a.ifconfig("agr0", tt.family, tt.addr)
		nettest.Eventually(t, 3*settle, func() error {
			text, err := a.scrape("tcp", tt.address)
			if err != nil {
				return err
			}
			return hasLines(text, `ifagr_agr_ports{agr="agr0"} 2`)
		})
		a.ifconfig("agr0", "-agrport", "re0", "-agrport", "re1")
		a.ifconfig("agr0", "destroy")
		if !d.Stop() {
			t.Error("it does not end")
		}
	}
}

// Where a confined daemon can try no more it says so, once.
func TestMetricsInVain(t *testing.T) {
	t.Parallel()
	a := newHost(t, "auto")
	d := a.startDaemon("-metrics", "no-such-host.invalid:9911")
	nettest.Eventually(t, 4*settle, func() error {
		if !strings.Contains(d.Output(), "start it again") {
			return fmt.Errorf("it does not say that it does not try any more:\n%s", d.Output())
		}
		return nil
	})
}

// The picture of now, as a page and as text.
func TestStatus(t *testing.T) {
	t.Parallel()
	a, b := pair(t, "auto")
	a.agr0("192.0.2.1")
	b.agr0("192.0.2.2")
	nettest.Eventually(t, 2*settle, func() error { return a.distributes("re0", "re1") })
	b.ifconfig("re1", "down")
	nettest.Eventually(t, settle, func() error { return a.distributes("re0") })
	text := a.Run("env", "PATH="+a.bin+":"+os.Getenv("PATH"), "agrd", "status", "agr0")
	for _, want := range []string{"agr0: up, carries frames through 1 of 2 ports\n", "re0  carries frames", "256/256", "carries nothing", "link down"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	page := a.Run("env", "PATH="+a.bin+":"+os.Getenv("PATH"), "agrd", "status", "--html")
	if !strings.HasPrefix(page, "<!DOCTYPE html>") || !strings.Contains(page, "link down") || strings.Contains(page, "<script") {
		t.Errorf("not a page that stands for itself:\n%.2000s", page)
	}
	if out, err := a.Command(filepath.Join(a.bin, "agrd"), "status", "agr7").CombinedOutput(); err == nil || !strings.Contains(string(out), "Device not configured") {
		t.Errorf("status of agr7: %v: %s", err, out)
	}
}
