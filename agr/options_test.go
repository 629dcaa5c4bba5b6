package agr

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/datapath"
	"ifagr/agr/dist"
	"ifagr/agr/lacp"
	"ifagr/agr/slow"
	"ifagr/agr/state"
	"ifagr/netutil/ether"
	"ifagr/netutil/rtnl"
)

var macFix = ether.Addr{2, 0xcc, 0, 0, 0, 1}

// set is a request with one setting.
func set(o ctl.Option, values ...uint32) []ctl.Setting {
	s := ctl.Setting{Option: o, A: values[0]}
	if len(values) > 1 {
		s.B = values[1]
	}
	return []ctl.Setting{s}
}

// statusOf is agr0's status.
func (w *world) statusOf() *ctl.Status {
	w.t.Helper()
	st, err := w.Status("agr0")
	w.must(err)
	return st
}

// distributing lists the ports of agr0 that distribute.
func (w *world) distributing() string {
	var names []string
	for _, p := range w.statusOf().Ports {
		if p.Flags&ctl.PortDistributing != 0 {
			names = append(names, p.Name)
		}
	}
	return strings.Join(names, " ")
}

// words puts values behind each other.
func words(all ...any) string { return strings.TrimSuffix(fmt.Sprintln(all...), "\n") }

// paused lists the ports that one of the programs since then did not let
// distribute.
func paused(programs []datapath.Program) (numbers []uint16) {
	for _, prog := range programs {
		for _, s := range prog.Ports {
			if !s.Distributing && !slices.Contains(numbers, s.Number) {
				numbers = append(numbers, s.Number)
			}
		}
	}
	slices.Sort(numbers)
	return numbers
}

// optionCases are changes while both ports of two joined systems distribute.
func optionCases() []optionCase {
	return []optionCase{
		{"lacpmode passive", set(ctl.OptMode, ctl.ModePassive), nil, func(near, far *world) string {
			return words(slow.State(far.statusOf().Ports[0].Partner.State).Has(slow.Activity), far.distributing())
		}, "false re0 re1"},
		{"lacptimeout fast", set(ctl.OptTimeout, ctl.TimeoutFast), nil, func(near, far *world) string {
			p := far.statusOf().Ports[1]
			return words(slow.State(p.Partner.State).Has(slow.Timeout), p.Periodic, far.distributing())
		}, "true FAST_PERIODIC re0 re1"},
		{"lacpsyspri 1", set(ctl.OptSystemPrio, 1), []uint16{1, 2}, func(near, far *world) string {
			return words(far.statusOf().Ports[0].Partner.SystemPriority, far.distributing())
		}, "1 re0 re1"},
		{"lacpkey 77", set(ctl.OptKey, 77), []uint16{1, 2}, func(near, far *world) string {
			return words(far.statusOf().Ports[1].Partner.Key, far.distributing())
		}, "77 re0 re1"},
		{"lacpportpri re1 9", []ctl.Setting{{Option: ctl.OptPortPrio, Port: "re1", A: 9}}, []uint16{2}, func(near, far *world) string {
			st := far.statusOf()
			return words(st.Ports[0].Partner.PortPriority, st.Ports[1].Partner.PortPriority, far.distributing())
		}, "32768 9 re0 re1"},
		{"lacpfallback none", set(ctl.OptFallback, ctl.FallbackNone), nil, func(near, far *world) string {
			return near.distributing()
		}, "re0 re1"},
		{"minlinks 2", set(ctl.OptMinLinks, 2), nil, func(near, far *world) string { return far.distributing() }, "re0 re1"},
		{"minlinks 3,2", set(ctl.OptMinLinks, 3, 2), nil, func(near, far *world) string { return far.distributing() }, "re0 re1"},
		{"minlinks 3", set(ctl.OptMinLinks, 3), []uint16{1, 2}, func(near, far *world) string {
			st := near.statusOf()
			return words(st.Carrier, st.Links, st.Ports[0].Reason, far.distributing(), far.statusOf().Carrier)
		}, "false 2 min-links 3: only 2  false"},
		{"maxports 1", set(ctl.OptMaxPorts, 1), []uint16{2}, func(near, far *world) string {
			return near.distributing() + ", " + far.distributing() + ", " + near.statusOf().Ports[1].Reason
		}, "re0, re0, max-ports 1: standby behind re0"},
		{"agrhash l4", set(ctl.OptHash, ctl.HashL4), []uint16{2}, func(near, far *world) string {
			return words(near.device().Current().Hash.Mode, near.distributing())
		}, "l4 re0 re1"},
		{"agrmac fixed", []ctl.Setting{{Option: ctl.OptMACPolicy, A: ctl.MACFixed, MAC: macFix}}, nil, func(near, far *world) string {
			st := near.statusOf()
			return words(st.MAC, near.fake.link(st.Index).Addr, near.fake.link(10).Addr,
				st.Ports[0].Actor.System, far.statusOf().Ports[0].Partner.System)
		}, words(macFix, macFix, macFix, mac0, mac0)},
		{"lacpcoupled", set(ctl.OptCoupled, ctl.ControlCoupled), nil, func(near, far *world) string {
			return near.statusOf().Ports[0].Mux + " " + far.distributing()
		}, "COLLECTING_DISTRIBUTING re0 re1"},
		{"lacprestore 60,90", set(ctl.OptWaitRestore, 60, 90), nil, func(near, far *world) string { return near.distributing() }, "re0 re1"},
	}
}

type optionCase struct {
	name   string
	all    []ctl.Setting
	paused []uint16 // ports of the near end that stop for a while
	seen   func(near, far *world) string
	want   string
}

// Each option changes while frames flow: the far end sees it, no more ports stop
// than the protocol must stop, and a successor of the daemon has it still.
func TestOptions(t *testing.T) {
	for _, tt := range optionCases() {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := pair(t, nil)
				defer far.stop()
				before := len(near.programs())
				near.must(near.SetOptions("agr0", tt.all))
				pass(20 * time.Second)
				if got := paused(near.programs()[before:]); !slices.Equal(got, tt.paused) {
					t.Errorf("ports that stopped: %v, want %v", got, tt.paused)
				}
				if got := tt.seen(near, far); got != tt.want {
					t.Errorf("seen is %q, want %q", got, tt.want)
				}
				had := near.statusOf()
				near.stop()
				again := startWorld(t, near.fake, near.path)
				defer again.stop()
				has := again.statusOf()
				if d := diff(had.Options, has.Options); d != "" {
					t.Errorf("after a restart (-want +got):\n%s", d)
				}
				for i, p := range has.Ports {
					if p.Actor.PortPriority != had.Ports[i].Actor.PortPriority || p.Actor.SystemPriority != had.Ports[i].Actor.SystemPriority {
						t.Errorf("after a restart %s is %+v, was %+v", p.Name, p.Actor, had.Ports[i].Actor)
					}
				}
			})
		})
	}
}

// What was changed can be changed back: then nothing is left of it.
func TestOptionsBack(t *testing.T) {
	back := map[string][]ctl.Setting{
		"lacpportpri re1 9": {{Option: ctl.OptPortPrio, Port: "re1", A: state.DefaultPriority}},
		"lacpsyspri 1":      set(ctl.OptSystemPrio, state.DefaultPriority),
		"agrhash l4":        set(ctl.OptHash, ctl.HashL3),
		"minlinks 2":        set(ctl.OptMinLinks, 1),
		"minlinks 3,2":      set(ctl.OptMinLinks, 1),
		"minlinks 3":        set(ctl.OptMinLinks, 1),
	}
	for _, tt := range optionCases() {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := pair(t, nil)
				defer far.stop()
				defer near.stop()
				near.must(near.SetOptions("agr0", tt.all))
				pass(20 * time.Second)
				undo := back[tt.name]
				if undo == nil {
					undo = set(tt.all[0].Option, 0)
				}
				near.must(near.SetOptions("agr0", undo))
				pass(40 * time.Second)
				if got := near.statusOf().Options; got != ctl.Options(state.DefaultOptions()) {
					t.Errorf("options are %+v", got)
				}
				if near.distributing() != "re0 re1" || far.distributing() != "re0 re1" || near.statusOf().MAC != mac0 {
					t.Errorf("%s and %s distribute, address %s", near.distributing(), far.distributing(), near.statusOf().MAC)
				}
			})
		})
	}
}

// A request is refused whole, with a reason, and changes nothing.
func TestOptionsRefused(t *testing.T) {
	tests := []struct {
		name string
		all  []ctl.Setting
		want ctl.Errno
		says string
	}{
		{"mode", set(ctl.OptMode, 2), ctl.EINVAL, "lacpmode: there is no choice 2"},
		{"timeout", set(ctl.OptTimeout, 9), ctl.EINVAL, "lacptimeout"},
		{"system priority", set(ctl.OptSystemPrio, 65536), ctl.EINVAL, "lacpsyspri 65536 is not in 0 to 65535"},
		{"key", set(ctl.OptKey, 32768), ctl.EINVAL, "lacpkey 32768 is not in 0 to 32767"},
		{"port priority", []ctl.Setting{{Option: ctl.OptPortPrio, Port: "re0", A: 65536}}, ctl.EINVAL, "lacpportpri"},
		{"no such port", []ctl.Setting{{Option: ctl.OptPortPrio, Port: "re2", A: 1}}, ctl.ENOENT, "re2 is no port of agr0"},
		{"minlinks 0", set(ctl.OptMinLinks, 0), ctl.EINVAL, "minlinks 0 is not in 1 to 65535"},
		{"minlinks 2,3", set(ctl.OptMinLinks, 2, 3), ctl.EINVAL, "the second is more"},
		{"maxports", set(ctl.OptMaxPorts, 65536), ctl.EINVAL, "maxports"},
		{"minlinks above maxports", append(set(ctl.OptMaxPorts, 2), set(ctl.OptMinLinks, 3)...), ctl.EINVAL, "minlinks 3 is more than maxports 2"},
		{"hash", set(ctl.OptHash, 3), ctl.EINVAL, "agrhash"},
		{"fallback", set(ctl.OptFallback, 3), ctl.EINVAL, "lacpfallback"},
		{"fallback none with a time", set(ctl.OptFallback, ctl.FallbackNone, 5), ctl.EINVAL, "has no time"},
		{"fallback of two days", set(ctl.OptFallback, ctl.FallbackAll, 172800), ctl.EINVAL, "lacpfallback"},
		{"restore", set(ctl.OptWaitRestore, 10, 5), ctl.EINVAL, "the second is less"},
		{"restore off with a time", set(ctl.OptWaitRestore, 0, 5), ctl.EINVAL, "lacprestore"},
		{"restore of two days", set(ctl.OptWaitRestore, 5, 172800), ctl.EINVAL, "lacprestore"},
		{"mac policy", set(ctl.OptMACPolicy, 3), ctl.EINVAL, "agrmac"},
		{"fixed without address", set(ctl.OptMACPolicy, ctl.MACFixed), ctl.EINVAL, "cannot be the address"},
		{"fixed to a group", []ctl.Setting{{Option: ctl.OptMACPolicy, A: ctl.MACFixed, MAC: ether.SlowProtocols}}, ctl.EINVAL, "cannot be the address"},
		{"first with an address", []ctl.Setting{{Option: ctl.OptMACPolicy, A: ctl.MACFirst, MAC: macFix}}, ctl.EINVAL, "has no address"},
		{"coupled", set(ctl.OptCoupled, 2), ctl.EINVAL, "lacpcoupled"},
		{"unknown", set(99, 1), ctl.EINVAL, "option 99"},
		{
			"the last of three", append(append(set(ctl.OptMode, 1), ctl.Setting{Option: ctl.OptPortPrio, Port: "re0", A: 1}), set(ctl.OptKey, 65536)...),
			ctl.EINVAL, "lacpkey",
		},
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0", "re1")
		pass(5 * time.Second)
		want, saved := w.statusOf(), w.saved()
		for _, tt := range tests {
			err := w.SetOptions("agr0", tt.all)
			wantErr(t, err, tt.want)
			if err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
			}
			if d := diff(want, w.statusOf()) + diff(saved, w.saved()); d != "" {
				t.Errorf("%s has changed (-want +got):\n%s", tt.name, d)
			}
		}
		wantErr(t, w.SetOptions("agr9", set(ctl.OptMode, 1)), ctl.ENXIO)
	})
}

// An option is on record before it takes effect: what cannot be recorded does not.
func TestOptionsAreRecordedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		w.agr0("re0", "re1")
		pass(5 * time.Second)
		want := w.statusOf()
		all := append(set(ctl.OptKey, 7), ctl.Setting{Option: ctl.OptPortPrio, Port: "re0", A: 1},
			ctl.Setting{Option: ctl.OptMACPolicy, A: ctl.MACFixed, MAC: macFix})
		w.ledger.setPath(w.path + "/no/such/directory")
		if err := w.SetOptions("agr0", all); err == nil {
			t.Error("changed without a record")
		}
		w.ledger.setPath(w.path)
		saved := w.saved()
		w.failNext(1)
		if err := w.SetOptions("agr0", all); !errors.Is(err, errInjected) {
			t.Errorf("err = %v, want that of the address", err)
		}
		if d := diff(want, w.statusOf()) + diff(saved, w.saved()); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		w.must(w.SetOptions("agr0", all))
		if got := w.saved()[0]; got.Options.Key != 7 || got.Ports[0].Priority != 1 || got.Options.FixedMAC != macFix {
			t.Errorf("saved is %+v", got)
		}
	})
}

// setPath makes the ledger write somewhere else.
func (l *ledger) setPath(path string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.path = path
}

// With agrmac follow the address goes with its port, and the next port's own one
// takes its place; the name that LACP knows the system by stays (design D10).
func TestAddressFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, nil)
		defer far.stop()
		defer near.stop()
		near.fake.stiff[11] = true // keeps its address while it is up, and lets the other one in
		near.must(near.SetOptions("agr0", set(ctl.OptMACPolicy, ctl.MACFollow)))
		near.must(near.SetPort("agr0", "re2", ctl.AddPort))
		if st := near.statusOf(); st.MAC != mac0 {
			t.Errorf("address is %s before a port left", st.MAC)
		}
		before := len(near.programs())
		near.must(near.SetPort("agr0", "re0", ctl.RemovePort))
		pass(10 * time.Second)
		st := near.statusOf()
		if st.MAC != mac1 || near.fake.link(st.Index).Addr != mac1 || near.fake.link(12).Addr != mac1 || near.fake.link(11).Addr != mac0 {
			t.Errorf("agr0 has %s, its ports %s and %s", st.MAC, near.fake.link(11).Addr, near.fake.link(12).Addr)
		}
		if !near.fake.filters[11].has(mac1) {
			t.Error("a port that keeps its address does not let the new one in")
		}
		if got := far.statusOf().Ports[1].Partner.System; got != mac0 || st.Ports[0].Actor.System != mac0 {
			t.Errorf("the system is %s at the far end and %s here", got, st.Ports[0].Actor.System)
		}
		if slices.Contains(paused(near.programs()[before:]), 2) {
			t.Error("a port stopped for it")
		}
	})
}

// With a fixed address the first port changes it as little as the last.
func TestFixedAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.agr0()
		w.must(w.SetOptions("agr0", []ctl.Setting{{Option: ctl.OptMACPolicy, A: ctl.MACFixed, MAC: macFix}}))
		w.stop()
		w.fake.remove(w.device().Index()) // a successor makes it again
		w = startWorld(t, w.fake, w.path)
		defer func() { w.stop() }()
		if got := w.statusOf().MAC; got != macFix {
			t.Errorf("made again with %s", got)
		}
		w.must(w.SetPort("agr0", "re0", ctl.AddPort))
		w.must(w.SetPort("agr0", "re1", ctl.AddPort))
		pass(5 * time.Second)
		w.must(w.SetPort("agr0", "re0", ctl.RemovePort))
		if st := w.statusOf(); st.MAC != macFix || st.Ports[0].Actor.System != macFix || w.fake.link(11).Addr != macFix {
			t.Errorf("agr0 has %s, its system %s, re1 %s", st.MAC, st.Ports[0].Actor.System, w.fake.link(11).Addr)
		}
		other := ether.Addr{2, 0xcc, 0, 0, 0, 2}
		w.must(w.SetAddr("agr0", other))
		if st := w.statusOf(); st.MAC != other || st.Options.FixedMAC != other || w.saved()[0].Options.FixedMAC != other {
			t.Errorf("agr0 has %s, fixed is %s", st.MAC, st.Options.FixedMAC)
		}
		w.must(w.SetOptions("agr0", set(ctl.OptMACPolicy, ctl.MACFirst)))
		if st := w.statusOf(); st.MAC != mac1 {
			t.Errorf("agr0 has %s, want that of its first port", st.MAC)
		}
		w.must(w.SetPort("agr0", "re1", ctl.RemovePort))
		if got := w.fake.link(11).Addr; got != mac1 {
			t.Errorf("re1 got %s back", got)
		}
	})
}

// Without partner the ports do what lacpfallback says, when it says so.
func TestFallbackOption(t *testing.T) {
	tests := []struct {
		name        string
		all         []ctl.Setting
		early, late string
	}{
		{"all", set(ctl.OptFallback, ctl.FallbackAll), "re0 re1", "re0 re1"},
		{"single", set(ctl.OptFallback, ctl.FallbackSingle), "re0", "re0"},
		{"none", set(ctl.OptFallback, ctl.FallbackNone), "", ""},
		{"all after a minute", set(ctl.OptFallback, ctl.FallbackAll, 60), "", "re0 re1"},
		{"single, the other one is better", append(set(ctl.OptFallback, ctl.FallbackSingle), ctl.Setting{Option: ctl.OptPortPrio, Port: "re1", A: 1}), "re1", "re1"},
		{"min-links does not matter", append(set(ctl.OptFallback, ctl.FallbackSingle), set(ctl.OptMinLinks, 2)...), "re0", "re0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.stop()
				w.agr0("re0", "re1")
				w.must(w.SetOptions("agr0", tt.all))
				pass(10 * time.Second)
				if got := w.distributing(); got != tt.early {
					t.Errorf("%q distribute, want %q: %s", got, tt.early, w.statusOf().Ports[1].Reason)
				}
				pass(time.Minute)
				if got := w.distributing(); got != tt.late {
					t.Errorf("later %q distribute, want %q", got, tt.late)
				}
				if st := w.statusOf(); st.Carrier != (tt.late != "") || st.Fallback != (st.Active != 0) {
					t.Errorf("carrier %v, fallback %v", st.Carrier, st.Fallback)
				}
			})
		})
	}
}

// A link that flaps is kept out, and the status says until when.
func TestRestoreOption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t, nil)
		defer far.stop()
		defer near.stop()
		near.must(near.SetOptions("agr0", set(ctl.OptWaitRestore, 60)))
		for _, on := range []bool{false, true} {
			near.fake.edit(11, func(l *rtnl.Link) { l.Carrier = on })
			near.look()
		}
		back := time.Now()
		p := near.statusOf().Ports[1]
		if !p.HeldUntil.Equal(back.Add(time.Minute)) || p.HeldUntil != p.Until || p.Counters.Flaps != 1 || p.Reason != "restored in 60 s after 1 flap" {
			t.Errorf("held until %v (%v), %d flaps, %q", p.HeldUntil, back, p.Counters.Flaps, p.Reason)
		}
		pass(30 * time.Second)
		if got := near.statusOf().Ports[1].Reason; got != "restored in 30 s after 1 flap" {
			t.Errorf("half a minute later: %q", got)
		}
		pass(time.Minute)
		if p := near.statusOf().Ports[1]; !p.HeldUntil.IsZero() || near.distributing() != "re0 re1" {
			t.Errorf("%s distribute, held until %v", near.distributing(), p.HeldUntil)
		}
	})
}

// A successor begins with what the file says, and an old file says nothing.
func TestOptionsOfOldFiles(t *testing.T) {
	want := lacp.Config{KeyBase: 1, System: slow.System{Priority: 0x8000}, MinLinks: lacp.MinLinks{Up: 1, Down: 1}}
	a := &aggregate{opts: state.DefaultOptions()}
	if got := a.config(); got != want {
		t.Errorf("config is %+v, want %+v", got, want)
	}
	if got := hashMode(state.DefaultOptions().Hash); got != dist.L3 {
		t.Errorf("hash is %s", got)
	}
}
