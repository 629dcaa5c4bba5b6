package browser

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"ifagr/netutil/nettest"
)

// Browser is one page of a headless Chromium.
type Browser struct {
	t    testing.TB
	wire *wire
	page string // session of the page
}

// Start starts one in a namespace, with a page of 1280 by 800. It ends with the
// test, or with Stop.
func Start(t testing.TB, ns *nettest.NS) *Browser {
	t.Helper()
	nettest.Require(t, nettest.Chromium)
	commands, toBrowser, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fromBrowser, answers, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--hide-scrollbars", "--user-data-dir="+t.TempDir(), "--remote-debugging-pipe", "about:blank")
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "DBUS_SESSION_BUS_ADDRESS=disabled:")
	cmd.ExtraFiles = []*os.File{commands, answers} // descriptors 3 and 4
	d := ns.StartCmd(cmd)
	commands.Close()
	answers.Close()
	b := &Browser{t: t, wire: newWire(fromBrowser, toBrowser)}
	t.Cleanup(func() {
		toBrowser.Close() // Chromium ends with its pipe
		if d.Wait(5*time.Second) != nil {
			d.Kill()
		}
		fromBrowser.Close()
	})
	b.attach()
	return b
}

// attach makes a page and listens to it.
func (b *Browser) attach() {
	b.t.Helper()
	var target struct{ TargetID string }
	b.must("", "Target.createTarget", args{"url": "about:blank"}, &target)
	var session struct{ SessionID string }
	b.must("", "Target.attachToTarget", args{"targetId": target.TargetID, "flatten": true}, &session)
	b.page = session.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.must(b.page, domain+".enable", nil, nil)
	}
	b.Resize(1280, 800, false)
}

func (b *Browser) must(session, method string, params args, result any) {
	b.t.Helper()
	if err := b.wire.call(session, method, params, result); err != nil {
		b.t.Fatalf("chromium: %s: %v", method, err)
	}
}

// Open goes to a page. It does not wait for it.
func (b *Browser) Open(url string) {
	b.t.Helper()
	var r struct{ ErrorText string }
	b.must(b.page, "Page.navigate", args{"url": url}, &r)
	if r.ErrorText != "" {
		b.t.Fatalf("chromium: %s: %s", url, r.ErrorText)
	}
}

// Resize makes the page so big, in CSS pixels, light or dark.
func (b *Browser) Resize(width, height int, dark bool) {
	b.t.Helper()
	b.must(b.page, "Emulation.setDeviceMetricsOverride",
		args{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.must(b.page, "Emulation.setEmulatedMedia",
		args{"features": []args{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// Eval evaluates an expression in the page, and stores its value in result.
func (b *Browser) Eval(expression string, result any) error {
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	err := b.wire.call(b.page, "Runtime.evaluate", args{"expression": expression, "returnByValue": true, "awaitPromise": true}, &r)
	if err != nil {
		return fmt.Errorf("chromium: %w", err)
	}
	if e := r.ExceptionDetails; e != nil {
		return fmt.Errorf("chromium: %s: %s %s", expression, e.Text, e.Exception.Description)
	}
	if result == nil || r.Result.Value == nil {
		return nil
	}
	return json.Unmarshal(r.Result.Value, result)
}

// Text is what the element that a selector finds says to a reader, or "".
func (b *Browser) Text(selector string) string {
	b.t.Helper()
	var text string
	if err := b.Eval(fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector), &text); err != nil {
		b.t.Fatal(err)
	}
	return text
}

// Screenshot is a PNG of what can be seen.
func (b *Browser) Screenshot() []byte {
	b.t.Helper()
	var r struct{ Data string }
	b.must(b.page, "Page.captureScreenshot", args{"format": "png"}, &r)
	png, err := base64.StdEncoding.DecodeString(r.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	return png
}

// Complaints are the errors of the page so far: of its program, and what its
// policy has forbidden.
func (b *Browser) Complaints() []string { return b.wire.list(&b.wire.complaints) }

// Requests are the URLs that the page has asked for so far.
func (b *Browser) Requests() []string { return b.wire.list(&b.wire.requests) }
