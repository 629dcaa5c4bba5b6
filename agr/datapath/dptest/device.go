package dptest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"

	"ifagr/agr/datapath"
	"ifagr/agr/dist"
)

// Op names a method of a Device that can be made to fail.
type Op string

// The methods that return an error.
const (
	AddPort    Op = "AddPort"
	RemovePort Op = "RemovePort"
	Program    Op = "Program"
	SetCarrier Op = "SetCarrier"
	Close      Op = "Close"
)

var _ datapath.Device = (*Device)(nil)

// Device is a datapath.Device that records. It may be used by several
// goroutines, so that a test can look while the code under test works. Like a
// real one it refuses a number that is taken, and programs of ports that it does
// not have.
type Device struct {
	mu       sync.Mutex
	name     string
	index    int
	info     datapath.Info
	ports    map[uint16]datapath.Port
	programs []datapath.Program
	carrier  bool
	calls    []string
	fail     map[Op][]error
	stats    datapath.Stats
	closed   bool
	destroy  bool
	placed   dist.Table
	onPlaced func(datapath.Program)
	empty    map[uint16]int // calls of QueueEmpty
	keeps    map[uint16]datapath.Keep
	kept     map[uint16]datapath.Kept
	sent     map[uint16]int // calls of Sent
	alive    int            // calls of Alive
	program  uint32         // the last number of a program, 0: none is told
	loaded   map[uint16]uint32
	onAttach func(p datapath.Port, program uint32) error
	prior    []uint32
	sweeps   []Sweep
}

// Sweep is one call of Device.Sweep.
type Sweep struct {
	Keep     []int // ascending
	Programs []uint32
	Gone     bool
}

// TellPrograms makes AddPort tell the numbers of programs, those after last.
func (d *Device) TellPrograms(last uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.program = last
}

// OnAttach makes AddPort call then when it has told the number of a program, at the
// moment at which a real one puts that at the port. It fails if then does.
func (d *Device) OnAttach(then func(p datapath.Port, program uint32) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.onAttach = then
}

// Load tells the numbers that AddPort will tell next, if it tells any.
func (d *Device) Load(ports []datapath.Port) map[uint16]uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.loaded = make(map[uint16]uint32)
	for _, p := range ports {
		if d.program > 0 {
			d.program++
			d.loaded[p.Number] = d.program
		}
	}
	return maps.Clone(d.loaded)
}

// Loaded tells for how many ports Load has told a number that were not added since.
func (d *Device) Loaded() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.loaded)
}

// SetPriors sets the programs that Priors tells.
func (d *Device) SetPriors(programs ...uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.prior = programs
}

// Priors tells what SetPriors set or Swept left, and as its own the device alone.
func (d *Device) Priors() (programs []uint32, own []int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.prior), []int{d.index}
}

// Sweep notes the call, and finds the even numbers still somewhere.
func (d *Device) Sweep(keep map[int]bool, programs map[uint32]bool, gone bool) (still map[uint32]bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sweeps = append(d.sweeps, Sweep{slices.Sorted(maps.Keys(keep)), slices.Sorted(maps.Keys(programs)), gone})
	still = maps.Clone(programs)
	maps.DeleteFunc(still, func(program uint32, _ bool) bool { return program%2 == 1 })
	return still, nil
}

// Sweeps lists the calls of Sweep.
func (d *Device) Sweeps() []Sweep {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.sweeps)
}

// Swept leaves of what Priors tells what is still somewhere.
func (d *Device) Swept(still map[uint32]bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.prior = slices.DeleteFunc(slices.Clone(d.prior), func(program uint32) bool { return !still[program] })
}

// New makes a device without carrier and without ports.
func New(name string, index int) *Device {
	return &Device{
		name: name, index: index,
		info:  datapath.Info{Kind: "fake", Shield: "none"},
		ports: map[uint16]datapath.Port{},
		fail:  map[Op][]error{},
		empty: map[uint16]int{},
		keeps: map[uint16]datapath.Keep{},
		kept:  map[uint16]datapath.Kept{},
		sent:  map[uint16]int{},
	}
}

// Place sets what Placed returns.
func (d *Device) Place(t dist.Table) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.placed = t
}

// Placed implements datapath.Device with what Place set.
func (d *Device) Placed() dist.Table {
	d.mu.Lock()
	placed, then := d.placed, d.onPlaced
	d.mu.Unlock()
	if then != nil {
		then(d.Current())
	}
	return placed
}

// OnPlaced makes Placed call then, with the program in force, when it has looked: what
// conversations do next.
func (d *Device) OnPlaced(then func(datapath.Program)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.onPlaced = then
}

// QueueEmpty implements datapath.Device.
func (d *Device) QueueEmpty(number uint16) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.empty[number]++
}

// Emptied tells how often QueueEmpty was called for a port.
func (d *Device) Emptied(number uint16) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.empty[number]
}

// FailNext makes the next call of op that has no error waiting yet fail with
// err, before it changes anything. More errors wait in line.
func (d *Device) FailNext(op Op, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail[op] = append(d.fail[op], err)
}

// SetStats sets what Stats returns.
func (d *Device) SetStats(s datapath.Stats) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats = s
}

// Name implements datapath.Device.
func (d *Device) Name() string { return d.name }

// Index implements datapath.Device.
func (d *Device) Index() int { return d.index }

// Info implements datapath.Device with what SetInfo set.
func (d *Device) Info() datapath.Info {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.info
}

// SetInfo sets what Info returns.
func (d *Device) SetInfo(i datapath.Info) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.info = i
}

// AddPort implements datapath.Device.
func (d *Device) AddPort(p datapath.Port) error {
	return d.do(AddPort, fmt.Sprintf("%s %d", p.Name, p.Number), func() error {
		if _, taken := d.ports[p.Number]; taken || p.Number == 0 {
			return datapath.ErrPortNumber
		}
		if d.program > 0 && p.Note != nil {
			program, ok := d.loaded[p.Number]
			if delete(d.loaded, p.Number); !ok {
				d.program++
				program = d.program
			}
			if err := p.Note(program); err != nil {
				return err
			}
			if d.onAttach != nil {
				if err := d.onAttach(p, program); err != nil {
					return err
				}
			}
		}
		d.ports[p.Number] = p
		return nil
	})
}

// RemovePort implements datapath.Device.
func (d *Device) RemovePort(number uint16) error {
	return d.do(RemovePort, fmt.Sprint(number), func() error {
		if _, ok := d.ports[number]; !ok {
			return datapath.ErrNoPort
		}
		delete(d.ports, number)
		return nil
	})
}

// Program implements datapath.Device.
func (d *Device) Program(p datapath.Program) error {
	return d.do(Program, "", func() error {
		for _, s := range p.Ports {
			if _, ok := d.ports[s.Number]; !ok {
				return datapath.ErrNoPort
			}
		}
		p.Ports = slices.Clone(p.Ports)
		d.programs = append(d.programs, p)
		return nil
	})
}

// SetCarrier implements datapath.Device.
func (d *Device) SetCarrier(on bool) error {
	return d.do(SetCarrier, fmt.Sprint(on), func() error {
		d.carrier = on
		return nil
	})
}

// Stats implements datapath.Device with what SetStats set.
func (d *Device) Stats() datapath.Stats { return d.Totals() }

// Totals implements datapath.Device, with the conversations.
func (d *Device) Totals() datapath.Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.stats
	s.Ports = maps.Clone(s.Ports)
	return s
}

// Close implements datapath.Device.
func (d *Device) Close(destroy bool) error {
	return d.do(Close, fmt.Sprint(destroy), func() error {
		d.closed, d.destroy, d.carrier = true, destroy, false
		clear(d.ports)
		return nil
	})
}

// do records a call and makes it, unless it is to fail.
func (d *Device) do(op Op, args string, f func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	call := string(op)
	if args != "" {
		call += " " + args
	}
	d.calls = append(d.calls, call)
	if errs := d.fail[op]; len(errs) > 0 {
		d.fail[op] = errs[1:]
		return errs[0]
	}
	return f()
}

// Calls lists the calls so far, failed ones too: "AddPort re0 1",
// "RemovePort 1", "Program", "SetCarrier true", "Close false".
func (d *Device) Calls() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls)
}

// Ports lists the ports that there are by number.
func (d *Device) Ports() []datapath.Port {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.SortedFunc(maps.Values(d.ports), func(a, b datapath.Port) int {
		return cmp.Compare(a.Number, b.Number)
	})
}

// Programs lists every program that was accepted, the oldest first.
func (d *Device) Programs() []datapath.Program {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.programs)
}

// Current is the program in force; the zero one before the first.
func (d *Device) Current() datapath.Program {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.programs) == 0 {
		return datapath.Program{}
	}
	return d.programs[len(d.programs)-1]
}

// State is what the program in force says of a port.
func (d *Device) State(number uint16) (datapath.PortState, bool) {
	for _, s := range d.Current().Ports {
		if s.Number == number {
			return s, true
		}
	}
	return datapath.PortState{}, false
}

// Carrier reports whether the device has carrier.
func (d *Device) Carrier() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.carrier
}

// Closed reports whether Close was called, and whether it was to destroy.
func (d *Device) Closed() (closed, destroyed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed, d.destroy
}
