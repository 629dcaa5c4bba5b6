package user

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/datapath"
)

func TestCompile(t *testing.T) {
	r := newRig(1, 2, 3)
	p := r.set(t, datapath.Program{
		Ports: []datapath.PortState{
			good(2),
			{Number: 1, Distributing: true, Dead: true},
			{Number: 3, Collecting: true},
		},
		Table: [256]uint16{1, 2, 3, 0, 99},
	})
	type view struct{ Collects, Distributes bool }
	got := map[uint16]view{}
	for n, port := range r.ports {
		got[n] = view{p.collects(port), p.distributes(port)}
	}
	want := map[uint16]view{1: {false, false}, 2: {true, true}, 3: {true, false}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ports: -want +got\n%s", diff)
	}
	if len(p.ring) != 1 || p.ring[0] != r.ports[2] {
		t.Errorf("%d ports take turns, want port 2 alone", len(p.ring))
	}
	for i, want := range []*port{nil, r.ports[2], nil, nil, nil} {
		if p.want[i] != want {
			t.Errorf("conversation %d has another port than it should", i)
		}
	}
}

func TestCompileUnknownPort(t *testing.T) {
	r := newRig(1)
	if _, err := compile(datapath.Program{Ports: []datapath.PortState{good(2)}}, r.ports); !errors.Is(err, datapath.ErrNoPort) {
		t.Errorf("error %v, want ErrNoPort", err)
	}
}

func TestWithout(t *testing.T) {
	r := newRig(1, 2)
	p := r.set(t, datapath.Program{
		Ports: []datapath.PortState{good(1), good(2)}, Table: [256]uint16{1, 2}, RoundRobin: true, Idle: 5,
	})
	w := p.without(r.ports[1])
	if w.collects(r.ports[1]) || w.distributes(r.ports[1]) || w.want[0] != nil || len(w.ring) != 1 {
		t.Error("the port is still there")
	}
	if !w.collects(r.ports[2]) || w.want[1] != r.ports[2] || w.ring[0] != r.ports[2] || !w.roundRobin || w.idle != 5 {
		t.Error("something else changed")
	}
	if !p.collects(r.ports[1]) || p.want[0] != r.ports[1] || len(p.ring) != 2 {
		t.Error("the old program changed")
	}
}
