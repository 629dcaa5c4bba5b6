package kernel

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/cilium/ebpf"

	"ifagr/agr/datapath"
	"ifagr/netutil/ether"
	"ifagr/netutil/hook"
	"ifagr/netutil/rtnl"
)

// ErrUnsupported says that the machine, or what this process may do there, is
// not enough for this datapath: no eBPF, no hook, no permission, a name without
// room for a letter more. The error that wraps it says what.
var ErrUnsupported = errors.New("the kernel datapath cannot be had")

var _ datapath.Device = (*Device)(nil)

// Options say how to make a device. The zero value is right for most.
type Options struct {
	Log *slog.Logger // nil: none
	// Hook is the kind of hook that the programs sit at; empty: the best there is.
	Hook hook.Kind
}

// Device is one agrN. Its methods belong to one goroutine, and to one network
// namespace: that in which New was called.
type Device struct {
	log     *slog.Logger
	name    string
	links   *rtnl.Conn
	pair    pair
	asked   hook.Kind // empty: any
	used    hook.Kind
	adopted bool

	tables *tables
	out    *ebpf.Program
	prior  priors
	// late says that a predecessor's programs, whose maps could not be taken over,
	// act until the first Program.
	late bool

	ports    map[uint16]*port
	loaded   map[uint16]*port // whose programs are ready, for AddPort
	lastSlot uint16           // that was given to a port
	holder   *holder
	drops    atomic.Uint64 // of frames that the holder could not send
}

// New makes agrN with the given address (zero: the kernel's choice), or adopts
// the one that a process before this one left, which keeps its address, its
// carrier, and goes on to forward as it did until the first Program.
//
// It fails with ErrUnsupported where this datapath cannot be had, which wraps
// os.ErrPermission too where this process may not use eBPF, and with
// datapath.ErrNotOurs when an interface of the name of one of the pair's ends is
// something else. After an error nothing has changed.
func New(name string, mac ether.Addr, o Options) (*Device, error) {
	d := &Device{log: o.Log, name: name, asked: o.Hook, ports: make(map[uint16]*port), loaded: make(map[uint16]*port)}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if err := d.open(mac); err != nil {
		return nil, fmt.Errorf("kernel datapath of %s: %w", name, err)
	}
	return d, nil
}

func (d *Device) open(mac ether.Addr) (err error) {
	if d.links, err = rtnl.Open(); err != nil {
		return err
	}
	d.pair, d.adopted, err = findPair(d.links, d.name)
	switch {
	case err != nil:
	case d.adopted:
		err = d.adopt()
	default:
		err = d.create(mac)
	}
	if err != nil {
		return errors.Join(err, d.release())
	}
	return nil
}

// create makes the pair. The maps come first: without eBPF nobody sees it come
// and go.
func (d *Device) create(mac ether.Addr) (err error) {
	if d.tables, err = newTables(); err != nil {
		return err
	}
	if d.pair, err = makePair(d.links, d.name, mac); err != nil {
		return err
	}
	if err := d.equip(); err != nil {
		return errors.Join(err, d.links.DelLink(d.pair.outer.Index))
	}
	return nil
}

// equip makes the inner end of a pair what it has to be.
func (d *Device) equip() error {
	if err := setUpInner(d.links, d.pair.inner); err != nil {
		return err
	}
	d.tables.config.inner.Store(uint32(d.pair.inner.Index))
	var err error
	if d.out, err = d.tables.loadOut(place{ifindex: d.pair.inner.Index}); err != nil {
		return err
	}
	if d.late {
		return nil
	}
	return d.attachOut()
}

// attachOut puts agr_out where it acts, in place of a predecessor's.
func (d *Device) attachOut() error {
	used, err := hook.Attach(d.pair.inner.Index, d.out, d.hookOptions())
	if used != "" {
		d.used = used
	}
	if errors.Is(err, hook.ErrNotSupported) {
		err = fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if err != nil {
		return err
	}
	d.note()
	return nil
}

// hookOptions replace the programs of predecessors: those in the alias, and more.
func (d *Device) hookOptions(more ...ebpf.ProgramID) hook.Options {
	return hook.Options{Kind: d.asked, Replace: slices.Concat(d.prior.ids, more)}
}

// Name is agrN's name.
func (d *Device) Name() string { return d.name }

// Index is agrN's interface index.
func (d *Device) Index() int { return d.pair.outer.Index }

// Adopted reports whether agrN was there before New.
func (d *Device) Adopted() bool { return d.adopted }

// Info implements datapath.Device.
func (d *Device) Info() datapath.Info {
	return datapath.Info{Kind: "kernel", Shield: string(d.used), Outlives: true, Keeps: true}
}

// SetCarrier implements datapath.Device: a veth device has carrier while its far
// end is up.
func (d *Device) SetCarrier(on bool) error {
	if on {
		return d.links.SetUp(d.pair.inner.Index)
	}
	return d.links.SetDown(d.pair.inner.Index)
}

// QueueEmpty implements datapath.Device. When exactly the queue was looked at is
// not known, but it was after the call before this one: what was sent until then
// has left.
func (d *Device) QueueEmpty(number uint16) {
	p := d.ports[number]
	if p == nil {
		return
	}
	if p.looked != 0 {
		d.tables.ports[p.slot].empty.Store(p.looked)
	}
	p.looked = monotonic()
}

// Close implements datapath.Device. What is held is sent first.
func (d *Device) Close(destroy bool) error {
	d.endHold()
	var errs []error
	d.Load(nil)
	if destroy {
		for number := range d.ports {
			errs = append(errs, d.RemovePort(number))
		}
		errs = append(errs, d.dropOrphans(), d.deletePair())
	}
	return errors.Join(append(errs, d.release())...)
}

// deletePair deletes both ends, and agr_out with them. Where the outer end is in
// another network namespace, the inner one takes it along.
func (d *Device) deletePair() error {
	outer, err := d.links.LinkByIndex(d.pair.outer.Index)
	if err == nil && outer.Kind == "veth" && outer.Parent == d.pair.inner.Index {
		return d.delete(outer)
	}
	if err != nil && !errors.Is(err, rtnl.ErrNotFound) {
		return err
	}
	inner, err := d.links.LinkByIndex(d.pair.inner.Index)
	if err == nil && inner.Kind == "veth" && slices.Contains(parseAlias(inner.Alias).ids, idOf(d.out)) {
		return d.delete(inner)
	}
	if errors.Is(err, rtnl.ErrNotFound) {
		return nil
	}
	return err
}

func (d *Device) delete(l rtnl.Link) error {
	err := d.links.DelLink(l.Index)
	if errors.Is(err, rtnl.ErrNotFound) {
		return nil
	}
	return err
}

// release gives back what this process holds. What is attached stays.
func (d *Device) release() error {
	var errs []error
	for _, p := range d.ports {
		errs = append(errs, p.prog.Close())
	}
	if d.out != nil {
		errs = append(errs, d.out.Close())
	}
	if d.tables != nil {
		errs = append(errs, d.tables.close())
	}
	return errors.Join(append(errs, d.links.Close())...)
}
