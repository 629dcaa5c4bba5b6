package main

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// randomWords are the keywords that get a random argument, with their number of
// arguments.
func randomWords() map[string]int {
	words := map[string]int{"tunnel": 2, "session": 2, "cookie": 4}
	for _, w := range strings.Fields(`advbase advskew broadcast carpdev description media mediaopt -mediaopt mode
		instance metric mtu netmask state frag rts ssid nwid nwkey pass powersavesleep bssid chan pltime prefixlen
		linkstr vhid vlan vlanif -vlanif agrport -agrport vltime maxupd syncdev syncpeer`) {
		words[w] = 1
	}
	return words
}

// randomLines calls f with lines about an interface until there were n: each
// keyword in turn with random numbers, and with random text.
func randomLines(iface string, n int, f func(words []string)) {
	rng := rand.New(rand.NewPCG(1, 41))
	text := func() string {
		b := make([]byte, 1+rng.IntN(60))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return base64.StdEncoding.EncodeToString(b)
	}
	number := func() string { return strconv.FormatInt(int64(rng.Uint64())>>rng.IntN(64), 10) }
	for n > 0 {
		for word, count := range randomWords() {
			for _, argument := range []func() string{number, text} {
				line := []string{iface, word}
				for range count {
					line = append(line, argument())
				}
				if n--; n < 0 {
					return
				}
				f(line)
			}
		}
	}
}

// wrong says what is wrong with an answer to a line, whatever the line is.
func (r result) wrong() string {
	switch {
	case r.Status != 0 && r.Status != 1:
		return fmt.Sprintf("status %d", r.Status)
	case strings.Contains(r.Stderr, "internal error"), strings.Contains(r.Stderr, "goroutine "):
		return "a fault"
	case r.Status == 1 && r.Stderr == "":
		return "failed without a word"
	}
	return ""
}

// No line hangs, whatever its words; the status is 0 or 1, and there is no
// fault.
func TestRandomLines(t *testing.T) {
	const lines, deadline = 20_000, time.Minute
	done := make(chan struct{})
	last := make(chan []string, 1)
	go func() {
		defer close(done)
		w := newWorld()
		w.Add(virtNamed("virt0"))
		w.run("agr0", "create")
		w.run("vlan0", "create")
		for i, iface := range []string{"virt0", "agr0", "vlan0", "lo0", "nosuch0"} {
			n := lines / 5
			randomLines(iface, n, func(words []string) {
				select {
				case <-last:
				default:
				}
				last <- words
				if i%2 == 1 {
					w.env.style = "netbsd10"
				}
				if r := w.run(words...); r.wrong() != "" {
					t.Errorf("%q: %s: %+v", words, r.wrong(), r)
				}
			})
		}
	}()
	select {
	case <-done:
	case <-time.After(deadline):
		t.Fatalf("%q hangs", <-last)
	}
}

// random is the command of that name.
func (r *row) random(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	randomLines(args[0], n, func(words []string) {
		if got := r.ifconfig(words...); got.wrong() != "" {
			ts.Fatalf("%q: %s: %+v", words, got.wrong(), got)
		}
	})
}
