package web

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"ifagr/agr/ctl"
	"ifagr/netutil/nettest"
	"ifagr/netutil/nettest/browser"
)

// A hundred aggregates of four ports: the page stays readable at every width,
// and follows.
func TestHundred(t *testing.T) {
	nettest.Require(t, nettest.Root, nettest.IPRoute, nettest.Chromium)
	ns := nettest.New(t)
	f := &fake{n: 100, events: make(chan ctl.Transition)}
	s := New(Config{Daemon: f, Host: "here", Program: "test", ID: "x", Now: time.Now})
	var l net.Listener
	var err error
	ns.Do(func() { l, err = net.Listen("tcp", "127.0.0.1:0") })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	server := &http.Server{Handler: s}
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	go server.Serve(l)
	t.Cleanup(func() { cancel(); server.Close(); <-done })

	page := browser.Start(t, ns)
	start := time.Now()
	page.Open("http://" + l.Addr().String() + "/")
	const wait = 20 * time.Second
	nettest.Eventually(t, wait, func() error {
		var n int
		if err := page.Eval("document.querySelectorAll('.agr').length", &n); err != nil || n != 100 {
			return fmt.Errorf("%d aggregates, %v", n, err)
		}
		return nil
	})
	t.Logf("100 aggregates were there after %v", time.Since(start).Round(time.Millisecond))
	for _, width := range []int{360, 800, 1600} {
		page.Resize(width, 800, false)
		var wide int
		if err := page.Eval("document.documentElement.scrollWidth", &wide); err != nil || wide > width {
			t.Errorf("the page is %d wide in a window of %d: %v", wide, width, err)
		}
	}
	start = time.Now()
	f.events <- ctl.Transition{Seq: 1, Agr: "agr99", Port: "re3", Machine: "mux", From: "A", To: "NEWS", Time: time.Now()}
	nettest.Eventually(t, wait, func() error {
		var seen bool
		if err := page.Eval("document.querySelector('#log li').innerText.includes('NEWS')", &seen); err != nil || !seen {
			return fmt.Errorf("not seen yet, %v", err)
		}
		return nil
	})
	t.Logf("a transition was there after %v", time.Since(start).Round(time.Millisecond))
	var fine int
	if err := page.Eval(`document.getElementById('only').click(),
		[...document.querySelectorAll('.agr')].filter(a => a.offsetHeight > 0).length`, &fine); err != nil || fine != 0 {
		t.Errorf("%d aggregates without trouble are shown when only trouble is wanted, %v", fine, err)
	}
	if got := page.Complaints(); len(got) > 0 {
		t.Errorf("the page has errors: %q", got)
	}
}
