package agr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/agr/datapath"
	"ifagr/agr/datapath/dptest"
	"ifagr/agr/dist"
	"ifagr/agr/state"
	"ifagr/netutil/ether"
	"ifagr/netutil/pkt"
	"ifagr/netutil/rtnl"
)

var (
	mac0 = ether.Addr{2, 0xaa, 0, 0, 0, 0}
	mac1 = ether.Addr{2, 0xaa, 0, 0, 0, 1}
	mac2 = ether.Addr{2, 0xaa, 0, 0, 0, 2}
)

// fakeOS is a network namespace in memory. Every change is a call that can be
// made to fail.
type fakeOS struct {
	mu       sync.Mutex
	links    map[int]rtnl.Link
	addrs    map[int][]rtnl.Addr
	groups   map[int][]ether.Addr
	speed    map[int]uint64
	half     map[int]bool
	queues   map[int]rtnl.Queue
	settings map[string]Settings
	calls    []string
	failAt   int             // the how-manieth change from now on fails; 0 = none
	notOurs  map[string]bool // interfaces that another tool has made
	noKernel string          // why there is no kernel datapath, empty when there is
	stiff    map[int]bool    // drivers that refuse a MAC while up
	after    func(call string)
	devices  map[string]*dptest.Device
	place    dist.Table // what an adopted device does
	outlives bool       // and that it has done so without a daemon
	slows    map[int]*fakeSlow
	filters  map[int]*fakeFilter
	wire     map[int]*fakeSlow        // far ends, by the index of the near one
	unhooked map[int][]uint32         // programs that were taken away, by interface
	static   map[int][]ether.Addr     // groups without a socket
	programs uint32                   // the number before that of an adopted device's first program, 0: none is told
	kept     map[uint16]datapath.Kept // what an adopted device has heard
	priors   map[string][]uint32      // what its predecessors have left anywhere, by its name
	reads    int                      // calls of Groups

	onAttach func(p datapath.Port, program uint32) error // of an adopted device
}

var errInjected = fmt.Errorf("injected: %w", unix.ENOBUFS)

func newFakeOS() *fakeOS {
	return &fakeOS{
		links: make(map[int]rtnl.Link), addrs: make(map[int][]rtnl.Addr), groups: make(map[int][]ether.Addr),
		speed: make(map[int]uint64), half: make(map[int]bool), queues: make(map[int]rtnl.Queue), settings: make(map[string]Settings),
		notOurs: make(map[string]bool), stiff: make(map[int]bool),
		devices: make(map[string]*dptest.Device), slows: make(map[int]*fakeSlow),
		filters: make(map[int]*fakeFilter), wire: make(map[int]*fakeSlow), unhooked: make(map[int][]uint32), static: make(map[int][]ether.Addr),
	}
}

// addPort makes an Ethernet interface that is up and has a link.
func (o *fakeOS) addPort(index int, name string, mac ether.Addr) {
	o.setLink(rtnl.Link{
		Index: index, Name: name, Type: unix.ARPHRD_ETHER, Flags: unix.IFF_UP, Carrier: true,
		MTU: 1500, MinMTU: 68, MaxMTU: 9000, Addr: mac, AddrGenMode: rtnl.AddrGenEUI64,
	})
	o.speed[index] = 1000
}

func (o *fakeOS) setLink(l rtnl.Link) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.links[l.Index] = l
}

// edit changes an interface behind the daemon's back.
func (o *fakeOS) edit(index int, f func(*rtnl.Link)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.links[index]
	f(&l)
	o.links[index] = l
}

func (o *fakeOS) remove(index int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.links, index)
}

func (o *fakeOS) link(index int) rtnl.Link {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.links[index]
}

func (o *fakeOS) setAddrs(index int, prefixes ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.addrs[index] = nil
	for _, s := range prefixes {
		p := netip.MustParsePrefix(s)
		o.addrs[index] = append(o.addrs[index], rtnl.Addr{Index: index, IP: p.Addr(), PrefixLen: p.Bits()})
	}
}

// change notes a call and makes it, unless its turn to fail has come.
func (o *fakeOS) change(call string, f func()) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, call)
	if o.failAt > 0 {
		if o.failAt--; o.failAt == 0 {
			return errInjected
		}
	}
	f()
	if o.after != nil {
		o.after(call)
	}
	return nil
}

func (o *fakeOS) changeLink(index int, call string, f func(*rtnl.Link)) error {
	return o.change(fmt.Sprintf("%s %d", call, index), func() {
		l := o.links[index]
		f(&l)
		o.links[index] = l
	})
}

func (o *fakeOS) Links() ([]rtnl.Link, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Collect(maps.Values(o.links)), nil
}

func (o *fakeOS) LinkByName(name string) (rtnl.Link, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.links {
		if l.Name == name {
			return l, nil
		}
	}
	return rtnl.Link{}, rtnl.ErrNotFound
}

func (o *fakeOS) LinkByIndex(index int) (rtnl.Link, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if l, ok := o.links[index]; ok {
		return l, nil
	}
	return rtnl.Link{}, rtnl.ErrNotFound
}

func (o *fakeOS) Addrs(index, _ int) ([]rtnl.Addr, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if index != 0 {
		return slices.Clone(o.addrs[index]), nil
	}
	var all []rtnl.Addr
	for _, a := range o.addrs {
		all = append(all, a...)
	}
	return all, nil
}

func (o *fakeOS) Groups() (all, static map[int][]ether.Addr, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reads++
	return maps.Clone(o.groups), maps.Clone(o.static), nil
}

func (o *fakeOS) SetStaticGroup(i int, group ether.Addr, on bool) error {
	return o.change(fmt.Sprintf("group %s %d %v", group, i, on), func() {
		was := slices.Contains(o.static[i], group)
		switch {
		case on && !was:
			o.static[i] = append(o.static[i], group)
		case !on && was:
			o.static[i] = slices.DeleteFunc(slices.Clone(o.static[i]), func(g ether.Addr) bool { return g == group })
		}
	})
}

func (o *fakeOS) SetUp(i int) error {
	return o.changeLink(i, "up", func(l *rtnl.Link) { l.Flags |= unix.IFF_UP })
}

func (o *fakeOS) SetDown(i int) error {
	return o.changeLink(i, "down", func(l *rtnl.Link) { l.Flags &^= unix.IFF_UP })
}

func (o *fakeOS) SetMTU(i, mtu int) error {
	return o.changeLink(i, "mtu", func(l *rtnl.Link) { l.MTU = mtu })
}

func (o *fakeOS) Rename(i int, name string) error {
	return o.changeLink(i, "rename", func(l *rtnl.Link) { l.Name = name })
}

func (o *fakeOS) SetAddr(i int, a ether.Addr) error {
	o.mu.Lock()
	busy := o.stiff[i] && o.links[i].Flags&unix.IFF_UP != 0
	o.mu.Unlock()
	if busy {
		return unix.EBUSY
	}
	return o.changeLink(i, "addr", func(l *rtnl.Link) { l.Addr = a })
}

func (o *fakeOS) SetAddrGenMode(i int, m rtnl.AddrGenMode) error {
	return o.changeLink(i, "genmode", func(l *rtnl.Link) { l.AddrGenMode = m })
}

func (o *fakeOS) DelAddr(a rtnl.Addr) error {
	return o.change("deladdr "+a.IP.String(), func() {
		o.addrs[a.Index] = slices.DeleteFunc(o.addrs[a.Index], func(b rtnl.Addr) bool { return b.IP == a.IP })
	})
}

func (o *fakeOS) SetNoARP(i int, on bool) error {
	return o.changeLink(i, "noarp", func(l *rtnl.Link) {
		if l.Flags &^= unix.IFF_NOARP; on {
			l.Flags |= unix.IFF_NOARP
		}
	})
}

// Monotonic goes on over the end of a daemon, and its origin is not that of the
// virtual time.
func (o *fakeOS) Monotonic() time.Duration {
	return time.Since(time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC))
}

func (o *fakeOS) Unhook(index int, programs []uint32) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unhooked[index] = append(o.unhooked[index], programs...)
	return nil
}

func (o *fakeOS) Settings(name string) (Settings, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.settings[name], nil
}

func (o *fakeOS) SetSettings(name string, s Settings) error {
	if have, _ := o.Settings(name); have == s {
		return nil
	}
	return o.change("settings "+name, func() { o.settings[name] = s })
}

func (o *fakeOS) Carrier(name string) (bool, error) {
	l, err := o.LinkByName(name)
	return l.Carrier && l.Up(), err
}

func (o *fakeOS) Queue(index int) (rtnl.Queue, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.queues[index], nil
}

func (o *fakeOS) setQueue(index int, q rtnl.Queue) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queues[index] = q
}

func (o *fakeOS) Speed(name string) (uint64, bool) {
	l, err := o.LinkByName(name)
	if err != nil {
		return 0, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.speed[l.Index], o.half[l.Index]
}

// Device makes agrN, or finds the one that was left.
func (o *fakeOS) Device(name string, mac ether.Addr, kind Datapath) (datapath.Device, error) {
	o.mu.Lock()
	notOurs, noKernel := o.notOurs[name], o.noKernel
	o.mu.Unlock()
	if kind == Kernel && noKernel != "" {
		return nil, &UnsupportedError{Why: noKernel}
	}
	if notOurs {
		return nil, datapath.ErrNotOurs
	}
	if l, err := o.LinkByName(name); err == nil {
		if err := o.change("adopt "+name, func() {}); err != nil {
			return nil, err
		}
		d := dptest.New(name, l.Index)
		d.Place(o.place)
		if o.outlives {
			d.SetInfo(datapath.Info{Kind: "fake", Outlives: true})
		}
		d.TellPrograms(o.programs)
		d.OnAttach(o.onAttach)
		d.SetPriors(o.priors[name]...)
		for number, k := range o.kept {
			d.SetKept(number, k)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.devices[name] = d
		return d, nil
	}
	d := dptest.New(name, 100+len(o.devices))
	err := o.change("device "+name, func() {
		l := rtnl.Link{Index: d.Index(), Name: name, Type: unix.ARPHRD_ETHER, MTU: 1500, MinMTU: 68, MaxMTU: 65521, Addr: mac}
		if l.Kind = "tun"; kind == Kernel {
			l.Kind = "veth"
		}
		o.links[d.Index()] = l
		o.devices[name] = d
	})
	if err != nil {
		return nil, err
	}
	return &fakeDevice{Device: d, os: o}, nil
}

// fakeDevice is a device whose interface goes with it and whose changes count.
type fakeDevice struct {
	*dptest.Device
	os *fakeOS
}

func (d *fakeDevice) AddPort(p datapath.Port) error {
	if err := d.os.change("add "+p.Name, func() {}); err != nil {
		return err
	}
	return d.Device.AddPort(p)
}

func (d *fakeDevice) Close(destroy bool) error {
	if destroy {
		d.os.remove(d.Index())
	}
	return d.Device.Close(destroy)
}

func (o *fakeOS) Slow(index int) (SlowConn, error) {
	s := &fakeSlow{in: make(chan []byte, 64), quit: make(chan struct{})}
	err := o.change(fmt.Sprintf("slow %d", index), func() { o.slows[index] = s })
	return s, err
}

func (o *fakeOS) Filter(index int) (Filter, error) {
	f := &fakeFilter{addrs: make(map[ether.Addr]bool)}
	err := o.change(fmt.Sprintf("filter %d", index), func() { o.filters[index] = f })
	return f, err
}

// slow is the open slow-protocol connection of a port.
func (o *fakeOS) slow(index int) *fakeSlow {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.slows[index]
}

// fakeSlow is a slow-protocol connection whose frames a test sees and makes.
type fakeSlow struct {
	in   chan []byte
	quit chan struct{}
	once sync.Once

	mu   sync.Mutex
	full bool // Send fails
	sent [][]byte
	far  func(frame []byte) // where sent frames go, besides sent

	sifted []*pkt.Speaker // calls of Sift
	sifts  bool
}

func (s *fakeSlow) Sift(keep *pkt.Speaker) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sifted, s.sifts = append(s.sifted, keep), true
	return nil
}

func (s *fakeSlow) SiftNone() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sifts = false
	return nil
}

func (s *fakeSlow) Read(b []byte) (int, error) {
	select {
	case f := <-s.in:
		return copy(b, f), nil
	case <-s.quit:
		return 0, os.ErrClosed
	}
}

func (s *fakeSlow) Send(f []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return unix.EAGAIN
	}
	s.sent = append(s.sent, slices.Clone(f))
	if s.far != nil {
		s.far(slices.Clone(f))
	}
	return nil
}

func (s *fakeSlow) Close() error {
	s.once.Do(func() { close(s.quit) })
	return nil
}

func (s *fakeSlow) setFull(full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = full
}

func (s *fakeSlow) frames() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}

type fakeFilter struct {
	mu      sync.Mutex
	addrs   map[ether.Addr]bool
	promisc bool
	closed  bool
}

func (f *fakeFilter) Add(a ether.Addr) error  { return f.set(func() { f.addrs[a] = true }) }
func (f *fakeFilter) Drop(a ether.Addr) error { return f.set(func() { delete(f.addrs, a) }) }
func (f *fakeFilter) SetPromisc(on bool) error {
	return f.set(func() { f.promisc = on })
}
func (f *fakeFilter) Close() error { return f.set(func() { f.closed = true }) }

func (f *fakeFilter) set(g func()) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	g()
	return nil
}

func (f *fakeFilter) has(a ether.Addr) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.addrs[a]
}

// world is a Manager on a fakeOS, in a synctest bubble.
type world struct {
	*Manager
	t      *testing.T
	fake   *fakeOS
	path   string
	events chan rtnl.Event
	cancel context.CancelFunc
	done   chan error
}

func newWorld(t *testing.T) *world {
	t.Helper()
	o := newFakeOS()
	o.addPort(10, "re0", mac0)
	o.addPort(11, "re1", mac1)
	o.addPort(12, "re2", mac2)
	return startWorld(t, o, filepath.Join(t.TempDir(), "state.json"))
}

// startWorld starts a daemon on what is there.
func startWorld(t *testing.T, o *fakeOS, path string) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	return startWorldUnder(ctx, t, o, path, cancel)
}

// startWorldUnder starts one that ends with a context.
func startWorldUnder(ctx context.Context, t *testing.T, o *fakeOS, path string, cancel context.CancelFunc) *world {
	t.Helper()
	w := &world{
		t: t, fake: o, path: path, events: make(chan rtnl.Event, 1), cancel: cancel, done: make(chan error, 1),
	}
	cfg := Config{StatePath: path, Datapath: Auto, BootID: "boot", Netns: 1}
	w.Manager = New(cfg, OS{Viewer: o, Changer: o, Tuner: o, Medium: o, Queuer: o, Clock: o, Opener: o}, slog.New(slog.DiscardHandler))
	ready := make(chan struct{})
	go func() { w.done <- w.Run(ctx, w.events, func() { close(ready) }) }()
	<-ready
	return w
}

// stop ends the daemon in order.
func (w *world) stop() {
	w.t.Helper()
	w.cancel()
	if err := <-w.done; err != nil {
		w.t.Errorf("Run: %v", err)
	}
}

// failNext makes the how-manieth change from now on fail, 0 none, and returns how
// many were still to come before the last one that was to fail.
func (w *world) failNext(n int) (left int) {
	w.fake.mu.Lock()
	defer w.fake.mu.Unlock()
	left, w.fake.failAt = w.fake.failAt, n
	w.fake.calls = nil
	return left
}

// pass lets time pass, which in a synctest bubble takes none, and everything
// settle.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// look makes the daemon look at the interfaces, and waits until it has.
func (w *world) look() {
	w.events <- rtnl.Event{}
	synctest.Wait()
}

// must fails the test on an error.
func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// agr0 makes agr0 with ports, in order.
func (w *world) agr0(ports ...string) {
	w.t.Helper()
	w.must(w.Create("agr0"))
	for _, p := range ports {
		w.must(w.SetPort("agr0", p, 1))
	}
}

// device is agr0's datapath.
func (w *world) device() *dptest.Device {
	w.fake.mu.Lock()
	defer w.fake.mu.Unlock()
	return w.fake.devices["agr0"]
}

// programs are those that were in force for more than a look at where conversations are.
func (w *world) programs() []datapath.Program {
	return slices.DeleteFunc(w.device().Programs(), func(p datapath.Program) bool { return p.Settle })
}

// share is how many conversations the program in force gives a port.
func (w *world) share(number uint16) int {
	table := w.device().Current().Table
	return table.Count(number)
}

// saved is the state file.
func (w *world) saved() []state.Agr {
	w.t.Helper()
	f, err := state.Load(w.path, "boot", 1)
	w.must(err)
	return f.Agrs
}

// picture is everything about the world that a failed request must not change.
type picture struct {
	Links map[int]rtnl.Link
	Saved []state.Agr
	Ports []datapath.Port
	Open  int // slow-protocol connections and filters
}

func (w *world) picture() picture {
	w.t.Helper()
	p := picture{Saved: w.saved(), Ports: w.device().Ports()}
	for i := range p.Ports {
		p.Ports[i].Marker, p.Ports[i].Note = nil, nil // functions cannot be compared
	}
	w.fake.mu.Lock()
	defer w.fake.mu.Unlock()
	p.Links = maps.Clone(w.fake.links)
	for _, s := range w.fake.slows {
		select {
		case <-s.quit:
		default:
			p.Open++
		}
	}
	for _, f := range w.fake.filters {
		if !f.closed {
			p.Open++
		}
	}
	return p
}

func diff(want, got any) string {
	return cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }))
}

// wantErr fails the test unless err carries the error.
func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || (err == nil) != (want == nil) {
		t.Errorf("err = %v, want %v", err, want)
	}
}
