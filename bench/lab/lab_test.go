package lab

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/netutil/nettest"
)

// TestMain lets the test program be started in a role: one that counts the lines
// it is asked with, and works between them.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		var asked uint64
		err := Serve(func() []uint64 { return []uint64{asked} }, func(line string) error {
			asked++
			sum := 0
			for i := range 1_000_000 {
				sum += i
			}
			if sum == 0 || line == "fail" {
				return fmt.Errorf("told to fail")
			}
			return nil
		})
		if err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestProcess compares the processor time that a process reports of itself with
// what is read from outside, before and after.
func TestProcess(t *testing.T) {
	ns := nettest.New(t)
	p := Start(t, ns, "worker")
	before, err := CPU(p.Pid())
	if err != nil {
		t.Fatal(err)
	}
	first := p.Read()
	second := p.Ask("once more")
	after, err := CPU(p.Pid())
	if err != nil {
		t.Fatal(err)
	}
	if !(before < first.CPU && first.CPU < second.CPU && second.CPU <= after) {
		t.Errorf("CPU %v, %v, %v, %v: it does not grow", before, first.CPU, second.CPU, after)
	}
	d := second.Since(first)
	if d.At <= 0 || d.CPU <= 0 || !slices.Equal(d.Counts, []uint64{1}) {
		t.Errorf("difference %+v", d)
	}
	if want := 1 / d.At.Seconds(); d.Rate(0) != want {
		t.Errorf("rate %v, want %v", d.Rate(0), want)
	}
	p.Stop()
	if _, err := CPU(p.Pid()); err == nil {
		t.Error("it still runs")
	}
}

func TestParseReading(t *testing.T) {
	got, err := parseReading("1000 20 3 4")
	if diff := cmp.Diff(Reading{At: 1000, CPU: 20, Counts: []uint64{3, 4}}, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got\n%s", err, diff)
	}
	for _, bad := range []string{"", "1", "1 x", "1 2 -3"} {
		if _, err := parseReading(bad); err == nil {
			t.Errorf("%q is a reading", bad)
		}
	}
}

func TestMachine(t *testing.T) {
	const line = "cpu  100 10 200 5000 7 1 2 30 0 0\ncpu0 1 2 3\n"
	got, err := parseStat([]byte(line))
	want := Machine{Busy: 3130 * time.Millisecond, Stolen: 300 * time.Millisecond}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got\n%s", err, diff)
	}
	for _, bad := range []string{"", "cpu 1 2", "cpu a b c d e f g h"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	m, err := ReadMachine()
	if err != nil || m.Busy == 0 || m.SoftIRQ == 0 {
		t.Errorf("this machine: %+v, %v", m, err)
	}
	if s := Describe(); strings.HasPrefix(s, "0 x") {
		t.Errorf("described as %q", s)
	}
}

// TestRun ends a benchmark in the middle and looks at what is removed, in which
// order.
func TestRun(t *testing.T) {
	var did []string
	err := Run(t.Context(), func(b *Bed) {
		b.Cleanup(func() { did = append(did, "outer") })
		b.Part(func(b *Bed) {
			b.Cleanup(func() { did = append(did, "part") })
			b.Parallel(3, func(i int) {
				if i == 1 {
					b.Fatalf("number %d failed", i)
				}
			})
			did = append(did, "never")
		})
		did = append(did, "never")
	})
	if err == nil || !strings.Contains(err.Error(), "number 1 failed") {
		t.Errorf("ended with %v", err)
	}
	if want := []string{"part", "outer"}; !slices.Equal(did, want) {
		t.Errorf("did %q, want %q", did, want)
	}
}

// TestInterrupt ends what waits.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	removed := false
	err := Run(ctx, func(b *Bed) {
		b.Cleanup(func() { removed = true })
		cancel()
		b.Wait(time.Hour)
	})
	if err == nil || !removed {
		t.Errorf("ended with %v, removed %v", err, removed)
	}
}
