package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/ctl"
)

func TestPrintTransition(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	var b strings.Builder
	for _, tr := range []ctl.Transition{
		{Agr: "agr0", Machine: ctl.MachineSnapshot, To: "up", States: map[string]string{"link": "up"}},
		{Agr: "agr0", Port: "re0", Machine: ctl.MachineSnapshot, To: "ATTACHED", Reason: "waiting for partner sync"},
		{Agr: "agr0", Port: "re0", Machine: "mux", From: "ATTACHED", To: "COLLECTING", Reason: "partner in sync"},
		{Agr: "agr0", Port: "re1", Machine: "agr", To: "attached"},
		{Machine: ctl.MachineMissed, Missed: 12, Reason: "the reader was too slow"},
	} {
		tr.Time = at
		if err := printTransition(&b, tr); err != nil {
			t.Fatal(err)
		}
	}
	want := `03:04:05.006 agr0 snapshot: up
03:04:05.006 agr0 re0 snapshot: ATTACHED (waiting for partner sync)
03:04:05.006 agr0 re0 mux: ATTACHED -> COLLECTING (partner in sync)
03:04:05.006 agr0 re1 agr: none -> attached
03:04:05.006 missed: 12 (the reader was too slow)
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
