package kernel_test

import (
	"testing"

	"ifagr/agr/datapath"
	"ifagr/agr/datapath/kernel"
	"ifagr/agr/dist"
	"ifagr/netutil/nettest"
)

// benchDevice is agr0 with two ports, in a namespace of its own.
func benchDevice(b *testing.B) (*kernel.Device, datapath.Program) {
	b.Helper()
	nettest.Require(b, nettest.TCX)
	n := nettest.New(b)
	nettest.Veth(n, "re0", n, "re1")
	var d *kernel.Device
	prog := datapath.Program{Ports: []datapath.PortState{good(1), good(2)}}
	n.Do(func() {
		links := map[string]int{"re0": 0, "re1": 0}
		indexes(b, links)
		var err error
		if d, err = kernel.New("agr0", toB, kernel.Options{}); err != nil {
			b.Fatal(err)
		}
		for i, name := range []string{"re0", "re1"} {
			if err := d.AddPort(datapath.Port{Number: uint16(i + 1), Index: links[name], Name: name}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Cleanup(func() {
		n.Do(func() {
			if err := d.Close(true); err != nil {
				b.Error(err)
			}
		})
	})
	return d, prog
}

// BenchmarkProgram moves all conversations from one port to the other.
func BenchmarkProgram(b *testing.B) {
	d, prog := benchDevice(b)
	tables := [2]dist.Table{all(1), all(2)}
	for i := range b.N {
		prog.Table = tables[i%2]
		if err := d.Program(prog); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPlaced asks where all conversations are.
func BenchmarkPlaced(b *testing.B) {
	d, prog := benchDevice(b)
	if err := d.Program(prog); err != nil {
		b.Fatal(err)
	}
	for range b.N {
		d.Placed()
	}
}

// BenchmarkStats reads all counters.
func BenchmarkStats(b *testing.B) {
	d, _ := benchDevice(b)
	for range b.N {
		d.Stats()
	}
}
