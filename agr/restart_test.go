package agr

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/ctl"
	"ifagr/agr/datapath"
	"ifagr/agr/state"
	"ifagr/netutil/ether"
	"ifagr/netutil/rtnl"
)

// crowd is what a killed daemon has left: so many agr interfaces with so many ports
// each. The devices that adopt them tell numbers of programs.
func crowd(t testing.TB, aggs, each int) (o *fakeOS, path string) {
	t.Helper()
	o, path = newFakeOS(), filepath.Join(t.TempDir(), "state.json")
	o.programs = 1000
	file := state.File{BootID: "boot", Netns: 1}
	for n := range aggs {
		mac := ether.Addr{2, 0xbb, byte(n >> 8), byte(n), 0, 0}
		rec := state.Agr{Name: fmt.Sprint("agr", n), Datapath: string(Kernel), System: mac, Options: state.DefaultOptions()}
		o.setLink(rtnl.Link{
			Index: 100000 + n, Name: rec.Name, Kind: "veth", Type: unix.ARPHRD_ETHER, MTU: 1500, MinMTU: 68, MaxMTU: 65521, Addr: mac,
		})
		for p := range each {
			index := 1000 + n*each + p
			o.addPort(index, fmt.Sprint("re", index), mac)
			o.edit(index, func(l *rtnl.Link) { l.AddrGenMode = rtnl.AddrGenNone })
			rec.Ports = append(rec.Ports, state.Port{
				Name: fmt.Sprint("re", index), Index: index, Number: uint16(p + 1), Priority: state.DefaultPriority,
				Undo: state.Undo{MAC: mac, MTU: 1500, AddrGenMode: uint8(rtnl.AddrGenNone)}, Programs: []uint32{uint32(index)},
			})
		}
		file.Agrs = append(file.Agrs, rec)
	}
	if err := state.Save(path, file); err != nil {
		t.Fatal(err)
	}
	return o, path
}

// countSaves counts how often the file at path is replaced: each call tells how often
// it was since the one before.
func countSaves(t testing.TB, path string) func() int {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	// With what is made before it is moved, else the kernel makes one event of several.
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(path), unix.IN_CREATE|unix.IN_MOVED_TO); err != nil {
		t.Fatal(err)
	}
	return func() (n int) {
		buf := make([]byte, 1<<16)
		for {
			got, err := unix.Read(fd, buf)
			if errors.Is(err, unix.EAGAIN) {
				return n
			}
			if err != nil {
				t.Fatal(err)
			}
			for b := buf[:got]; len(b) > 0; {
				end := unix.SizeofInotifyEvent + int(b[12]) + int(b[13])<<8 // struct inotify_event, len
				if name := unix.ByteSliceToString(b[unix.SizeofInotifyEvent:end]); name == filepath.Base(path) {
					n++
				}
				b = b[end:]
			}
		}
	}
}

// onRecord tells whether the state file has a program at a port.
func onRecord(t testing.TB, path string, p datapath.Port, program uint32) bool {
	t.Helper()
	f, err := state.Load(path, "boot", 1)
	if err != nil {
		t.Error(err)
	}
	return slices.ContainsFunc(f.Agrs, func(a state.Agr) bool {
		return slices.ContainsFunc(a.Ports, func(r state.Port) bool { return r.Index == p.Index && slices.Contains(r.Programs, program) })
	})
}

// However many ports and agr interfaces there are, a start writes the state as often as
// for one; and a program is on record before it is at a port.
func TestResumeWritesOnce(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {1, 40}, {20, 2}} {
		synctest.Test(t, func(t *testing.T) {
			o, path := crowd(t, size[0], size[1])
			attached := 0
			o.onAttach = func(p datapath.Port, program uint32) error {
				if attached++; !onRecord(t, path, p, program) {
					t.Errorf("%s: program %d is not on record", p.Name, program)
				}
				return nil
			}
			saves := countSaves(t, path)
			w := startWorld(t, o, path)
			defer w.stop()
			if n := saves(); n > 2 || attached != size[0]*size[1] {
				t.Errorf("%d interfaces with %d ports: written %d times, %d attached", size[0], size[1], n, attached)
			}
			for _, rec := range w.saved() {
				for _, p := range rec.Ports {
					if len(p.Programs) != 1 || p.Programs[0] <= 1000 {
						t.Errorf("%s: programs %v on record", p.Name, p.Programs)
					}
				}
			}
		})
	}
}

// A program that was loaded for a port that does not come back is given up, and on no
// record.
func TestResumeGivesLoadedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, path := crowd(t, 1, 3)
		o.failAt = 4 // the connection of the second port, behind the device and the two of the first
		w := startWorld(t, o, path)
		defer w.stop()
		if n := w.device().Loaded(); n != 0 || len(w.device().Ports()) != 2 {
			t.Errorf("%d loaded for nothing, %d attached", n, len(w.device().Ports()))
		}
		w.must(w.SetPort("agr0", "re1000", ctl.RemovePort)) // and the state is written
		for _, p := range w.saved()[0].Ports {
			if p.Index == 1001 && len(p.Programs) > 0 {
				t.Errorf("on record are %v", p.Programs)
			}
		}
		if got := o.unhooked[1001]; !slices.Equal(got, []uint32{1001}) {
			t.Errorf("taken away: %v", got)
		}
	})
}

// A port that cannot be attached again is tried with each full look. However often
// that was, it has no more programs on record than one, and however many there are the
// state is written a few times for each look.
func TestRejoinForgetsPrograms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ports, looks = 30, 20
		o, path := crowd(t, 1, ports)
		tried := 0
		o.onAttach = func(p datapath.Port, program uint32) error {
			if tried++; !onRecord(t, path, p, program) {
				t.Errorf("%s: program %d is not on record", p.Name, program)
			}
			return errInjected
		}
		w := startWorld(t, o, path)
		defer w.stop()
		pass(time.Second)
		saves := countSaves(t, path)
		pass(looks * fullLook)
		if n := saves(); n > 3*looks || tried != ports*(looks+1) {
			t.Errorf("%d looks: written %d times, tried %d times", looks, n, tried)
		}
		for _, p := range w.saved()[0].Ports {
			if len(p.Programs) > 1 {
				t.Fatalf("%s: %d programs on record", p.Name, len(p.Programs))
			}
		}
	})
}

// Whoever could not be resumed at first is looked after with the next full look: strays
// are looked for once for all that were resumed together, and each device learns what is
// left of its own.
func TestResumeSweepsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const late = "agr3"
		o, path := crowd(t, 5, 2)
		o.priors = map[string][]uint32{"agr0": {10, 11}, "agr1": {13}, late: {14, 15}, "agr4": {16}}
		o.after = func(call string) {
			if call == "adopt agr2" {
				o.failAt = 1 // the next one
			}
		}
		w := startWorld(t, o, path)
		defer w.stop()
		o.after = nil
		var ports []int
		for i := range 10 {
			ports = append(ports, 1000+i)
		}
		want := []any{
			slices.Concat(ports, []int{100000, 100001, 100002, 100004}), []uint32{10, 11, 13, 16}, true,
		}
		check := func(name string, want []any) {
			t.Helper()
			var all []any
			for n := range 5 {
				if d := o.devices[fmt.Sprint("agr", n)]; d != nil {
					for _, s := range d.Sweeps() {
						all = append(all, s.Keep, s.Programs, s.Gone)
					}
				}
			}
			if d := diff(want, all); d != "" {
				t.Errorf("%s (-want +got):\n%s", name, d)
			}
		}
		check("start", want)
		pass(fullLook + time.Second)
		want = append(want, slices.Concat(ports, []int{100003}), []uint32{14, 15}, false)
		pass(2 * fullLook)
		check("next looks", want)
		for name, want := range map[string][]uint32{"agr0": {10}, "agr1": {}, late: {14}, "agr4": {16}} {
			if got, _ := o.devices[name].Priors(); !slices.Equal(got, want) {
				t.Errorf("%s: still %v, want %v", name, got, want)
			}
		}
	})
}

// A look reads the groups of all interfaces once, for all agr interfaces, also when
// their ports are to have new ones.
func TestGroupsReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, path := crowd(t, 5, 2)
		w := startWorld(t, o, path)
		defer w.stop()
		for n := range 5 {
			d := o.devices[fmt.Sprint("agr", n)]
			d.SetInfo(datapath.Info{Kind: "fake", Outlives: true})
			o.groups[d.Index()] = []ether.Addr{group1}
		}
		synctest.Wait()
		before := o.reads
		w.look()
		if n := o.reads - before; n != 1 {
			t.Errorf("read %d times", n)
		}
		for index := range 10 {
			if got := w.static(1000 + index); !slices.Equal(got, []ether.Addr{group1}) {
				t.Errorf("port %d has %v", index, got)
			}
		}
	})
}
