package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/ctl"
	"ifagr/ifcfg"
)

// scenario is a transcript with the lines on which we differ, and why.
type scenario struct {
	name   string
	agree  int
	differ reasons
	before map[int]func(*world)
}

func TestOracle(t *testing.T) {
	for _, sc := range scenarios() {
		t.Run(sc.name, func(t *testing.T) { replay(t, sc) })
	}
}

// replay runs all lines of a scenario one after the other.
func replay(t *testing.T, sc scenario) {
	w := newWorld()
	s := score{expected: sc.differ}
	for _, l := range recorded(t, sc.name) {
		if len(l.Argv) == 0 || l.Argv[0] != "ifconfig" {
			continue
		}
		if f := sc.before[l.N]; f != nil {
			f(w)
		}
		want := result{normal(l.Stdout), normal(l.Stderr), l.Status}
		got := w.run(l.Argv[1:]...)
		got.Stdout, got.Stderr = normal(got.Stdout), normal(got.Stderr)
		s.judge(t, l, cmp.Diff(want, got))
	}
	s.report(t, sc.agree)
}

const distributing = ctl.PortCollecting | ctl.PortDistributing

// scenarios are the transcripts. The reasons are design decisions (D...), or
// what Linux or this program does not have.
func scenarios() []scenario {
	return []scenario{
		{
			name: "01-options", agree: 124,
			differ: reasons{
				"-C lists the cloners of this system":     {4, 39},
				"D13: -v of an agr shows what agrd knows": {47, 49},
			},
		},
		{
			name: "02-clone", agree: 82,
			differ: reasons{
				"no second agr1, of which agr01 is the name":  {11, 12, 39, 68, 69, 70},
				"D1: an address on an agr without ports":      {43, 44},
				"D1: the MTU of an agr is set without a word": {47},
				"D1: an agr without ports shows no MTU":       {48},
			},
		},
		{
			name: "03-inet", agree: 144,
			differ: reasons{
				"Linux has no address preference": {124, 125, 147},
			},
			before: map[int]func(*world){
				// NetBSD makes this address out of a random number.
				137: func(w *world) {
					i := w.Named("gif0")
					i.Addrs = append(i.Addrs, addr("fe80::742b:f020:3f35:1ce/64"))
				},
			},
		},
		{
			name: "05-link", agree: 67,
			differ: reasons{
				"D1: the last port has left and the status ends well": {67, 69},
			},
		},
		{
			name: "07-agr", agree: 130,
			differ: reasons{
				"D1: an address on an agr without ports":              {7, 8},
				"D1: the MTU of an agr is set without a word":         {11, 91, 93, 94},
				"D13: -v of an agr shows what agrd knows":             {3, 89},
				"D1: the last port has left and the status ends well": {121, 129, 135},
			},
			before: map[int]func(*world){
				// What NetBSD refused shall not be there in what follows.
				9:  func(w *world) { w.Named("agr0").Addrs = nil; w.Named("agr0").Flags &^= ifcfg.FlagUp },
				12: func(w *world) { w.Named("agr0").MTU = 1500 },
				// The ports take some seconds until they distribute.
				86: func(w *world) {
					w.aggr.SetState("agr0", "virt1", distributing)
					w.aggr.SetState("agr0", "virt2", distributing)
				},
			},
		},
	}
}
