package kernel

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"testing/quick"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"

	"ifagr/netutil/nettest"
)

// TestLayoutVersion: both sources have the same version of the layout.
func TestLayoutVersion(t *testing.T) {
	header, err := os.ReadFile("bpf/agr.h")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`#define AGR_VERSION (\d+)`).FindSubmatch(header)
	if m == nil || string(m[1]) != strconv.Itoa(layoutVersion) {
		t.Errorf("%q, want %d", m, layoutVersion)
	}
}

// TestWords: what the daemon writes whole is what the programs read, and can be
// read again.
func TestWords(t *testing.T) {
	nettest.Require(t, nettest.Root, nettest.TCX)
	tables, err := newTables()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tables.close() }()
	tables.ports[3].state.Store(portState{7, 65535, agrPortFlagsPORT_COLLECT}.pack())
	tables.ports[3].empty.Store(9)
	var port agrPort
	if err := tables.AgrPorts.Lookup(uint32(3), &port); err != nil {
		t.Fatal(err)
	}
	want := agrPort{Ifindex: 7, Number: 65535, Flags: agrPortFlagsPORT_COLLECT, Empty: 9}
	if port != want {
		t.Errorf("%+v, want %+v", port, want)
	}
	tables.plan[5].wish.Store(wish{want: 1, spare: 2, back: 3, hold: true}.pack())
	var plan struct {
		Want, Spare, Back, Hold uint16 // union wish
		Since, Drained, Gap     uint64
	}
	if err := tables.AgrPlan.Lookup(uint32(5), &plan); err != nil {
		t.Fatal(err)
	}
	if plan.Want != 1 || plan.Spare != 2 || plan.Back != 3 || plan.Hold == 0 {
		t.Errorf("%+v", plan)
	}
	same := func(want, spare, back uint16, hold bool, ifindex uint32, flags uint16) bool {
		w, p := wish{want, spare, back, hold}, portState{ifindex, want, agrPortFlags(flags)}
		return unpackWish(w.pack()) == w && unpackPort(p.pack()) == p
	}
	if err := quick.Check(same, nil); err != nil {
		t.Error(err)
	}
}

// TestAdoptTables opens maps by their ids, and no others.
func TestAdoptTables(t *testing.T) {
	nettest.Require(t, nettest.Root, nettest.TCX)
	first, err := newTables()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.close() }()
	var ids []ebpf.MapID
	for _, m := range first.byName() {
		info, err := (*m).Info()
		if err != nil {
			t.Fatal(err)
		}
		id, _ := info.ID()
		ids = append(ids, id)
	}
	first.plan[1].drained.Store(42)
	second, err := adoptTables(ids)
	if err != nil {
		t.Fatal(err)
	}
	if got := second.plan[1].drained.Load(); got != 42 {
		t.Errorf("%d, want 42", got)
	}
	if err := second.close(); err != nil {
		t.Error(err)
	}
	if _, err := adoptTables(ids[1:]); !errors.Is(err, errLayout) {
		t.Errorf("one is missing: %v", err)
	}
	first.config.version.Add(1)
	if _, err := adoptTables(ids); !errors.Is(err, errLayout) {
		t.Errorf("another version: %v", err)
	}
}

// TestFreeSlot: a slot that a conversation remembers is the last resort, and there
// are 255.
func TestFreeSlot(t *testing.T) {
	nettest.Require(t, nettest.Root, nettest.TCX)
	tables, err := newTables()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tables.close() }()
	d := &Device{tables: tables}
	if err := tables.AgrConvs.Put(uint32(0), agrConversation{Slot: 2}); err != nil {
		t.Fatal(err)
	}
	var got []uint16
	for {
		s, err := d.freeSlot()
		if err != nil {
			if !errors.Is(err, errNoSlot) {
				t.Error(err)
			}
			break
		}
		d.lastSlot = s
		tables.ports[s].state.Store(1)
		got = append(got, s)
	}
	var want []uint16
	for s := range uint16(slots - 1) {
		want = append(want, s+1)
	}
	want = append(slices.Delete(want, 1, 2), 2)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestLastSlot: a successor gives slots behind those that are in use.
func TestLastSlot(t *testing.T) {
	nettest.Require(t, nettest.Root, nettest.TCX)
	tables, err := newTables()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tables.close() }()
	if got := tables.lastSlot(); got != 0 {
		t.Errorf("%d without a port, want 0", got)
	}
	tables.ports[3].state.Store(1)
	tables.ports[7].state.Store(1)
	d := &Device{tables: tables, lastSlot: tables.lastSlot()}
	if got, err := d.freeSlot(); err != nil || got != 8 {
		t.Errorf("slot %d (%v), want 8", got, err)
	}
}

// TestRing: a program that goes by the length of a longer ring finds the ports of
// that behind a shorter one.
func TestRing(t *testing.T) {
	var cfg configEntry
	for _, tt := range []struct {
		ring []uint16
		want [6]uint16
	}{
		{[]uint16{1, 2, 3}, [6]uint16{1, 2, 3}},
		{[]uint16{9, 8, 7, 6, 5, 4}, [6]uint16{9, 8, 7, 6, 5, 4}},
		{[]uint16{255, 254}, [6]uint16{255, 254, 7, 6, 5, 4}},
		{nil, [6]uint16{255, 254, 7, 6, 5, 4}},
	} {
		cfg.writeRing(tt.ring)
		var got [6]uint16
		for i := range got {
			got[i] = uint16(cfg.ring[i/slotsInWord].Load() >> (16 * (i % slotsInWord)))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || cfg.ringLen.Load() != uint32(len(tt.ring)) {
			t.Errorf("%v: length %d, -want +got\n%s", tt.ring, cfg.ringLen.Load(), diff)
		}
	}
}

// TestPlaced says where a conversation is while the holder has frames of it.
func TestPlaced(t *testing.T) {
	nettest.Require(t, nettest.Root, nettest.TCX)
	tables, err := newTables()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tables.close() }()
	for s := range uint16(5) {
		tables.ports[s].state.Store(portState{1, s, works}.pack())
	}
	tables.config.idle.Store(hour)
	for name, tt := range map[string]struct {
		wish    wish
		held    uint8
		drained uint64 // of 10
		last    uint16
		want    uint16
	}{
		"direct":                        {wish: wish{want: 2}, drained: 10, last: 3, want: 1},
		"direct, silent after a hold":   {wish: wish{want: 2, back: 3}, drained: 10, want: 1},
		"held":                          {wish: wish{want: 2, hold: true}, held: 1, want: 1},
		"held, no frame came":           {wish: wish{want: 2, hold: true}, drained: 10, last: 3, want: 1},
		"held again":                    {wish: wish{want: 2, hold: true}, held: 1, drained: 5, last: 3, want: 3},
		"released, frames are sent":     {wish: wish{want: 2, back: 3}, held: 1, drained: 5, last: 4, want: 3},
		"released, all is sent":         {wish: wish{want: 2, back: 3}, held: 1, drained: 10, last: 3, want: 3},
		"released, no way, some unsent": {wish: wish{want: 2}, held: 1, drained: 5, want: 1},
		"released, no way, all is sent": {wish: wish{want: 2}, held: 1, drained: 10, want: 2},
	} {
		d := &Device{tables: tables}
		tables.plan[7].wish.Store(tt.wish.pack())
		tables.plan[7].drained.Store(tt.drained)
		now := monotonic()
		conv := agrConversation{Slot: 1, Held: tt.held, Punted: 10, Last: now}
		if got := d.placed(7, &conv, tt.last, now); got != tt.want {
			t.Errorf("%s: in slot %d, want %d", name, got, tt.want)
		}
	}
}

// TestAlias reads what it has written, and nothing that others have.
func TestAlias(t *testing.T) {
	ids := []ebpf.ProgramID{1, 35, 36, 4294967295}
	if got := formatAlias(ids); got != "agr 1 z 10 1z141z3" {
		t.Error(got)
	}
	if diff := cmp.Diff(ids, parseAlias(formatAlias(ids)).ids); diff != "" {
		t.Error(diff)
	}
	for _, alias := range []string{"", "uplink 1 2", "agr", "agr 0 -1 zzzzzzzzz ?"} {
		if p := parseAlias(alias); len(p.ids) > 0 {
			t.Errorf("%q: %v", alias, p.ids)
		}
	}
	var many []ebpf.ProgramID
	for i := range 100 {
		many = append(many, ebpf.ProgramID(100000+i))
	}
	if alias := formatAlias(many); len(alias) > 255 || len(parseAlias(alias).ids) < 45 {
		t.Errorf("%d octets for %d programs", len(alias), len(parseAlias(alias).ids))
	}
}
