package dptest_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/datapath"
	"ifagr/agr/datapath/dptest"
)

func TestDeviceRecords(t *testing.T) {
	d := dptest.New("agr0", 7)
	broken := errors.New("broken")
	re0 := datapath.Port{Number: 1, Index: 10, Name: "re0"}
	re1 := datapath.Port{Number: 2, Index: 11, Name: "re1"}
	program := datapath.Program{Ports: []datapath.PortState{{Number: 1, Collecting: true}}}
	steps := []struct {
		name string
		do   func() error
		want error
	}{
		{"a port", func() error { return d.AddPort(re0) }, nil},
		{"its number again", func() error { return d.AddPort(re0) }, datapath.ErrPortNumber},
		{"number 0", func() error { return d.AddPort(datapath.Port{Name: "re9"}) }, datapath.ErrPortNumber},
		{"wanted to fail", func() error { d.FailNext(dptest.AddPort, broken); return d.AddPort(re1) }, broken},
		{"and not again", func() error { return d.AddPort(re1) }, nil},
		{"a program", func() error { return d.Program(program) }, nil},
		{"one of an unknown port", func() error {
			return d.Program(datapath.Program{Ports: []datapath.PortState{{Number: 9}}})
		}, datapath.ErrNoPort},
		{"carrier", func() error { return d.SetCarrier(true) }, nil},
		{"remove", func() error { return d.RemovePort(2) }, nil},
		{"remove again", func() error { return d.RemovePort(2) }, datapath.ErrNoPort},
	}
	for _, s := range steps {
		if err := s.do(); !errors.Is(err, s.want) {
			t.Errorf("%s: %v, want %v", s.name, err, s.want)
		}
	}
	if diff := cmp.Diff([]datapath.Port{re0}, d.Ports()); diff != "" {
		t.Errorf("ports: -want +got\n%s", diff)
	}
	if diff := cmp.Diff([]datapath.Program{program}, d.Programs()); diff != "" {
		t.Errorf("programs: -want +got\n%s", diff)
	}
	if s, ok := d.State(1); !ok || !s.Collecting || !d.Carrier() {
		t.Errorf("port 1 is %+v, carrier %v", s, d.Carrier())
	}
	if err := d.Close(true); err != nil {
		t.Fatal(err)
	}
	if closed, destroyed := d.Closed(); !closed || !destroyed || d.Carrier() || len(d.Ports()) != 0 {
		t.Errorf("closed %v, destroyed %v, carrier %v, ports %v", closed, destroyed, d.Carrier(), d.Ports())
	}
	want := []string{
		"AddPort re0 1", "AddPort re0 1", "AddPort re9 0", "AddPort re1 2", "AddPort re1 2",
		"Program", "Program", "SetCarrier true", "RemovePort 2", "RemovePort 2", "Close true",
	}
	if diff := cmp.Diff(want, d.Calls()); diff != "" {
		t.Errorf("calls: -want +got\n%s", diff)
	}
}

// TestProgramIsACopy: what a caller does to its slice later does not rewrite
// history.
func TestProgramIsACopy(t *testing.T) {
	d := dptest.New("agr0", 7)
	if err := d.AddPort(datapath.Port{Number: 1}); err != nil {
		t.Fatal(err)
	}
	p := datapath.Program{Ports: []datapath.PortState{{Number: 1}}}
	if err := d.Program(p); err != nil {
		t.Fatal(err)
	}
	p.Ports[0].Collecting = true
	if d.Current().Ports[0].Collecting {
		t.Error("the recorded program changed")
	}
}
