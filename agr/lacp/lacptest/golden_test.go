package lacptest_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/lacp"
	"ifagr/agr/lacp/lacptest"
)

var update = flag.Bool("update", false, "write the traces in testdata anew, for a person to read")

// Whole runs, line by line, as a person would read them beside the standard.
func TestTraces(t *testing.T) {
	for name, script := range map[string]func(*lan){
		"two-links":     traceTwoLinks,
		"partner-dies":  tracePartnerDies,
		"ends-disagree": traceEndsDisagree,
	} {
		t.Run(name, func(t *testing.T) {
			n := newLAN(t)
			script(n)
			compareTrace(t, filepath.Join("testdata", name+".txt"), n.Trace())
		})
	}
}

func compareTrace(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Error(d)
	}
}

func traceTwoLinks(n *lan) {
	n.Comment("two systems, two cables")
	a, _, cables := n.pair(system(1), system(2), 2)
	n.Run(5 * time.Second)
	n.Comment("cable 1 loses its carrier, and gets it back")
	cables[0].SetCarrier(false)
	n.Run(time.Second)
	cables[0].SetCarrier(true)
	n.Run(2 * time.Second)
	n.Comment("port 1 is removed from a")
	a.Remove(1, true)
	n.Run(time.Second)
}

func tracePartnerDies(n *lan) {
	x, y := system(1), system(2)
	x.ShortTimeout, y.ShortTimeout = true, true
	n.Comment("two systems with the short timeout")
	_, b, _ := n.pair(x, y, 1)
	n.Run(4 * time.Second)
	n.Comment("b dies, its carrier stays; a falls back to the default partner")
	b.Stop()
	n.Run(10 * time.Second)
	n.Comment("b is back")
	b.Start()
	n.Run(4 * time.Second)
}

func traceEndsDisagree(n *lan) {
	n.Comment("cable 1 is the faster one for a, cable 2 for b; b is the worse system")
	a, b := n.AddNode("a", system(1)), n.AddNode("b", system(2))
	fast := func(d *lacptest.Node, port uint16) lacptest.End {
		return lacptest.End{Node: d, Port: port, Speed: 10_000}
	}
	n.Connect(fast(a, 1), lacptest.End{Node: b, Port: 1})
	n.Connect(lacptest.End{Node: a, Port: 2}, fast(b, 2))
	n.Run(lacp.PatienceWorse + 4*time.Second)
}
