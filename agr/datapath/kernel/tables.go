package kernel

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ifagr/agr/dist"
)

// layoutVersion is AGR_VERSION of bpf/agr.h.
const layoutVersion = 3

// slots is how many places for ports the maps have. Slot 0 is no port.
const slots = 256

// configEntry is struct config of bpf/agr.h. Each field is written whole.
type configEntry struct {
	version, inner, hold, seed, mode, ringLen atomic.Uint32
	idle, alive                               atomic.Uint64
	holdFrames, holdBytes                     atomic.Uint64
	drainedFrames, drainedBytes               atomic.Uint64
	turns                                     atomic.Uint64 // 0 or 1
	ring                                      [slots / slotsInWord]atomic.Uint64
}

// slotsInWord is how many slots of the ring are written at once.
const slotsInWord = 4

// planEntry is struct plan.
type planEntry struct {
	wish    atomic.Uint64 // a wish, packed
	since   atomic.Uint64
	drained atomic.Uint64
	gap     atomic.Uint64 // 0 or 1
}

// portEntry is struct port.
type portEntry struct {
	state atomic.Uint64 // a portState, packed
	empty atomic.Uint64
}

// The two descriptions of the layout must have the same sizes.
var (
	_ [unsafe.Sizeof(agrConfig{})]struct{} = [unsafe.Sizeof(configEntry{})]struct{}{}
	_ [unsafe.Sizeof(agrPlan{})]struct{}   = [unsafe.Sizeof(planEntry{})]struct{}{}
	_ [unsafe.Sizeof(agrPort{})]struct{}   = [unsafe.Sizeof(portEntry{})]struct{}{}
	_ [unsafe.Sizeof(agrKeep{})]struct{}   = [unsafe.Sizeof(keepEntry{})]struct{}{}
)

// wish is union wish of bpf/agr.h: what is wanted of a conversation, in slots.
type wish struct {
	want, spare, back uint16
	hold              bool
}

// pack is the word that the programs read, whose first field is the lowest one
// on the machines that they are made for.
func (w wish) pack() uint64 {
	v := uint64(w.want) | uint64(w.spare)<<16 | uint64(w.back)<<32
	if w.hold {
		v |= 1 << 48
	}
	return v
}

func unpackWish(v uint64) wish {
	return wish{want: uint16(v), spare: uint16(v >> 16), back: uint16(v >> 32), hold: v>>48 != 0}
}

// portState is what struct port says of a port but for its queue.
type portState struct {
	ifindex uint32
	number  uint16
	flags   agrPortFlags
}

func (s portState) pack() uint64 {
	return uint64(s.ifindex) | uint64(s.number)<<32 | uint64(s.flags)<<48
}

func unpackPort(v uint64) portState {
	return portState{ifindex: uint32(v), number: uint16(v >> 32), flags: agrPortFlags(v >> 48)}
}

// tables are the maps of one aggregate, and its memory that the programs see.
type tables struct {
	agrMaps
	config *configEntry
	plan   *[dist.Conversations]planEntry
	ports  *[slots]portEntry
	keeps  *[slots]keepEntry
	mapped [][]byte
}

// newTables makes maps of which nothing is used yet.
func newTables() (*tables, error) {
	t := &tables{}
	if err := loadAgrObjects(&t.agrMaps, nil); err != nil {
		return nil, fmt.Errorf("make the maps: %w", unsupported(err))
	}
	if err := t.share(); err != nil {
		return nil, errors.Join(err, t.close())
	}
	t.config.version.Store(layoutVersion)
	t.config.holdFrames.Store(maxHeldFrames)
	t.config.holdBytes.Store(maxHeldOctets)
	return t, nil
}

// adoptTables takes over the maps that a program uses. It fails with
// os.ErrPermission where maps may not be opened by id, and with errLayout when
// they are not such as this version makes.
func adoptTables(ids []ebpf.MapID) (*tables, error) {
	t := &tables{}
	if err := t.open(ids); err != nil {
		return nil, errors.Join(err, t.close())
	}
	if err := t.share(); err != nil {
		return nil, errors.Join(err, t.close())
	}
	if v := t.config.version.Load(); v != layoutVersion {
		return nil, errors.Join(fmt.Errorf("version %d: %w", v, errLayout), t.close())
	}
	return t, nil
}

// errLayout says that the maps of a predecessor are of another version.
var errLayout = errors.New("maps of another layout")

// open opens the maps with these ids and compares them with what they should be.
func (t *tables) open(ids []ebpf.MapID) error {
	spec, err := loadAgr()
	if err != nil {
		return err
	}
	want := t.byName()
	for _, id := range ids {
		m, err := ebpf.NewMapFromID(id)
		if err != nil {
			return fmt.Errorf("open map %d: %w", id, err)
		}
		info, err := m.Info()
		if err != nil {
			return errors.Join(fmt.Errorf("look at map %d: %w", id, err), m.Close())
		}
		place, known := want[info.Name]
		if !known || *place != nil {
			_ = m.Close() // the constants of a program
			continue
		}
		*place = m
		if err := spec.Maps[info.Name].Compatible(m); err != nil {
			return fmt.Errorf("%s: %w: %w", info.Name, errLayout, err)
		}
	}
	for name, place := range want {
		if *place == nil {
			return fmt.Errorf("%s is missing: %w", name, errLayout)
		}
	}
	return nil
}

// byName are the maps by the names that they have in the kernel.
func (t *tables) byName() map[string]**ebpf.Map {
	return map[string]**ebpf.Map{
		agrMapAgrConfig:    &t.AgrConfig,
		agrMapAgrPlan:      &t.AgrPlan,
		agrMapAgrPorts:     &t.AgrPorts,
		agrMapAgrKeeps:     &t.AgrKeeps,
		agrMapAgrHeard:     &t.AgrHeard,
		agrMapAgrConvs:     &t.AgrConvs,
		agrMapAgrTotals:    &t.AgrTotals,
		agrMapAgrTurn:      &t.AgrTurn,
		agrMapAgrPortStats: &t.AgrPortStats,
		agrMapAgrConvStats: &t.AgrConvStats,
	}
}

// replacements are the maps for programs to be loaded with.
func (t *tables) replacements() map[string]*ebpf.Map {
	out := make(map[string]*ebpf.Map)
	for name, m := range t.byName() {
		out[name] = *m
	}
	return out
}

// share maps what the daemon writes into its memory.
func (t *tables) share() error {
	var err [4]error
	t.config, err[0] = view[configEntry](t, t.AgrConfig)
	t.plan, err[1] = view[[dist.Conversations]planEntry](t, t.AgrPlan)
	t.ports, err[2] = view[[slots]portEntry](t, t.AgrPorts)
	t.keeps, err[3] = view[[slots]keepEntry](t, t.AgrKeeps)
	return errors.Join(err[:]...)
}

func view[T any](t *tables, m *ebpf.Map) (*T, error) {
	page := os.Getpagesize()
	size := (int(unsafe.Sizeof(*new(T))) + page - 1) / page * page
	b, err := unix.Mmap(m.FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %v into memory: %w", m, err)
	}
	t.mapped = append(t.mapped, b)
	return (*T)(unsafe.Pointer(&b[0])), nil
}

// close gives the maps up. They live on in the programs that use them.
func (t *tables) close() error {
	var errs []error
	for _, b := range t.mapped {
		errs = append(errs, unix.Munmap(b))
	}
	for _, m := range t.byName() {
		if *m != nil {
			errs = append(errs, (*m).Close())
		}
	}
	return errors.Join(errs...)
}

// conversations reads what has become of each conversation.
func (t *tables) conversations() ([]agrConversation, error) {
	keys, values := make([]uint32, dist.Conversations), make([]agrConversation, dist.Conversations)
	return values, batch(t.AgrConvs, keys, values)
}

// conversationStats reads what was sent of each conversation, for each processor:
// those of conversation c are the c-th part of the slice.
func (t *tables) conversationStats() ([]agrConvStats, error) {
	processors, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, fmt.Errorf("processors: %w", err)
	}
	keys, values := make([]uint32, dist.Conversations), make([]agrConvStats, dist.Conversations*processors)
	return values, batch(t.AgrConvStats, keys, values)
}

// batch reads a whole array with one system call.
func batch(m *ebpf.Map, keys, values any) error {
	var cursor ebpf.MapBatchCursor
	_, err := m.BatchLookup(&cursor, keys, values, nil)
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) { // which is the end
		return fmt.Errorf("read %v: %w", m, err)
	}
	return nil
}

// lastSlot is the highest slot that has a port, 0 if none has.
func (t *tables) lastSlot() uint16 {
	for s := uint16(slots - 1); s > 0; s-- {
		if t.ports[s].state.Load() != 0 {
			return s
		}
	}
	return 0
}

// punted reads how many frames of a conversation were handed to the daemon.
func (t *tables) punted(c uint8) (uint64, error) {
	var v agrConversation
	err := t.AgrConvs.Lookup(uint32(c), &v)
	return v.Punted, err
}

// totals reads how much was handed to the daemon of all conversations.
func (t *tables) totals() (agrTotals, error) {
	var v agrTotals
	err := t.AgrTotals.Lookup(uint32(0), &v)
	return v, err
}

// portStats reads the counters of a slot, over all processors.
func (t *tables) portStats(slot uint16) (sum agrPortStats, err error) {
	var each []agrPortStats
	if err := t.AgrPortStats.Lookup(uint32(slot), &each); err != nil {
		return sum, err
	}
	for _, s := range each {
		sum.RxFrames += s.RxFrames
		sum.RxBytes += s.RxBytes
		sum.RxDropped += s.RxDropped
		sum.TxFrames += s.TxFrames
		sum.TxBytes += s.TxBytes
		sum.TxErrors += s.TxErrors
	}
	return sum, nil
}

// clearPortStats sets the counters of a slot that nobody uses to zero.
func (t *tables) clearPortStats(slot uint16) error {
	processors, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("processors: %w", err)
	}
	return t.AgrPortStats.Put(uint32(slot), make([]agrPortStats, processors))
}

// set writes a word that is not what it should be. A word that is written, even
// if it does not change, is taken away from the processors that read it.
func set(word *atomic.Uint64, v uint64) {
	if word.Load() != v {
		word.Store(v)
	}
}
