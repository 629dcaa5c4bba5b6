package ifagr_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestWire asks what testdata/conformance/cases.txt lists of the programs
// themselves: somebody scripted sits at the far ends of real cables, speaks LACP
// and Marker as the case wants, and reads with the kernel's time stamps what comes
// back. `go test -run 'TestWire/^F7$' .` is one case.
//
// What a frame says is compared octet for octet. Times have limits on both sides:
// nothing may come sooner than it should, but for the quarter of a second that the
// standard leaves its timers (early), and nothing later than a busy machine may
// make it (late, and atOnce for what must not wait for a timer). That there are 3
// LACPDUs in a second at most is exact.
//
// Most of the cases wait most of the time, so all of them run at once, up to a
// number that a machine with two cores can carry.
func TestWire(t *testing.T) {
	t.Parallel()
	programs(t)
	var (
		cases  sync.WaitGroup
		places = make(chan struct{}, 14)
		makers = make(chan struct{}, 3)
	)
	for _, long := range []bool{true, false} { // the longest first
		for _, c := range wireCases() {
			if c.long == long {
				cases.Go(func() {
					t.Run(c.id, func(t *testing.T) { c.start(t, places, makers) })
				})
			}
		}
	}
	cases.Wait()
}

// The tolerances.
const (
	early  = 250 * time.Millisecond // of the standard's timers (IEEE 802.1AX-2014 6.4.4)
	late   = 2500 * time.Millisecond
	atOnce = 800 * time.Millisecond // less than a period of any timer
	fast   = time.Second            // between LACPDUs (6.4.4)
	slowly = 30 * time.Second
)

// wireCase is a case of the catalogue.
type wireCase struct {
	id     string
	cables int
	words  []string // of ifconfig, for agr0 before it has ports; more than one is a variant each
	both   bool     // datapaths; else the best that there is
	long   bool     // takes a minute or more, nearly all of it idle
	run    func(*testing.T, *wire)
}

// start runs the variants of a case, all at once. A short one waits for a place;
// and only a few are being made at a time, which is what takes a processor.
func (c wireCase) start(t *testing.T, places, makers chan struct{}) {
	if len(c.words) == 0 {
		c.words = []string{""}
	}
	paths := []string{"auto"}
	if c.both {
		paths = datapaths
	}
	var variants sync.WaitGroup
	for _, words := range c.words {
		for _, datapath := range paths {
			name := strings.Trim(datapath+"/"+strings.ReplaceAll(words, " ", "_"), "/")
			variants.Go(func() {
				t.Run(name, func(t *testing.T) {
					requireDatapath(t, datapath)
					if !c.long {
						places <- struct{}{}
						defer func() { <-places }()
					}
					makers <- struct{}{}
					made := sync.OnceFunc(func() { <-makers })
					defer made()
					w := newWire(t, datapath, c.cables, words)
					made()
					c.run(t, w)
				})
			})
		}
	}
	variants.Wait()
}

// wireCases are all cases.
func wireCases() []wireCase {
	return slices.Concat(formatCases(), validationCases(), receiveCases(), selectionCases(), markerCases(), dataCases())
}
