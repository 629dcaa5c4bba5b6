package kernel

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/dist"
	"ifagr/netutil/pkt"
	"ifagr/netutil/rtnl"
	"ifagr/netutil/tap"
)

// What is held of all conversations together. A hold lasts as long as a Marker
// and its response take, a few milliseconds.
const (
	maxHeldFrames = 4096
	maxHeldOctets = 32 << 20
)

const (
	// holdQueue is how many frames the TAP device has room for: those that may be
	// held, and those of processors that hand over one at the same time.
	holdQueue = 2 * maxHeldFrames
	// holdBatch is how many frames are read at a time at most.
	holdBatch = 8
	// sendWait is how long a frame waits for a port whose buffer is full.
	sendWait = 50 * time.Millisecond
	// settleAfter is how long the counters of a conversation may disagree before
	// the frames that are missing are looked for.
	settleAfter = 50 * time.Millisecond
	// gapAfter is how long the counters of a conversation that is never silent may
	// disagree before there is a gap in it, so that what is missing shows.
	gapAfter = 500 * time.Millisecond
	// linger is how long the TAP device stays when nothing is held any more:
	// ports seldom leave alone.
	linger = 2 * time.Second
	// endWait is how long Close waits for the conversations to go back to the
	// direct way.
	endWait = time.Second
)

// Both sides put the same header before a frame, so it goes straight through.
var _ [tap.HeaderLen - pkt.HeaderLen]struct{} = [pkt.HeaderLen - tap.HeaderLen]struct{}{}

// holder keeps the frames of held conversations, which the programs hand over
// through a TAP device, and sends them when the hold is over. The device's
// goroutine tells it what to do, its own one reads.
type holder struct {
	log    *slog.Logger
	tables *tables
	tap    *tap.Device
	wake   int // eventfd(2), readable when there is something to do; -1: closed
	done   chan struct{}
	drops  *atomic.Uint64

	mu       sync.Mutex
	hash     dist.Hash
	held     dist.Set
	want     dist.Table // slots
	spare    dist.Table
	way      dist.Table // slot where a released conversation goes until it has settled, 0: as want
	exits    [slots]*exit
	convs    [dist.Conversations]heldConversation
	frames   uint64    // kept
	octets   uint64    // of those
	busy     time.Time // when a conversation was last released, or was last tried to be settled
	quiet    time.Time // since when nothing is held and all is settled; zero: it is not so
	retiring time.Time // when it ends at the latest; zero: not told to
	ordered  bool      // it is being told what to do
	ended    bool      // it takes no more orders

	batch *tap.Batch // the goroutine's
}

// heldConversation is what the holder knows of one conversation.
type heldConversation struct {
	queue [][]byte
	// open says that the programs may not take its direct way yet: frames were
	// handed over, or may be.
	open bool
	// since is when it was last released, or found not to take its direct way.
	since time.Time
	// sent counts the frames that the holder is done with, dirty that it has
	// changed since it was published, beyond that it was seen to be more than what
	// was handed over: that both are the same says nothing then.
	sent          uint64
	dirty, beyond bool
	last          uint16 // slot that the last one went through since it left its direct way, 0: none
}

// exit is a way out through a port.
type exit struct {
	port *port
	wire *pkt.Sender
	full bool // it refused a frame after a wait: the next one does not wait
}

// readyToHold makes sure that frames can be held, if any are to be.
func (d *Device) readyToHold(w *wanted) error {
	if d.holder != nil && !d.holder.begin() {
		<-d.holder.done
		d.holder = nil
	}
	if w.hold.Empty() && d.holder == nil {
		return nil
	}
	if d.holder == nil {
		if err := d.startHolder(); err != nil {
			return fmt.Errorf("hold: %w", err)
		}
		d.holder.begin()
	}
	d.holder.openExits(d.ports)
	return nil
}

// startHolder makes the TAP device and tells the programs of it. Nothing is held
// as yet. What a holder before this one sent last it sent on the way back.
func (d *Device) startHolder() error {
	for c := range d.tables.plan { // what a holder before this one left behind
		if w := d.wish(c); w.hold {
			w.hold = false
			d.tables.plan[c].wish.Store(w.pack())
		}
	}
	if err := d.agreeAll(); err != nil {
		return err
	}
	t, err := openHoldTAP(d.links, d.name+holdSuffix)
	if err != nil {
		return err
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return errors.Join(fmt.Errorf("eventfd: %w", err), t.Close())
	}
	h := &holder{
		log: d.log.With("device", d.name), tables: d.tables, tap: t, wake: wake, done: make(chan struct{}), drops: &d.drops,
		batch: tap.NewBatch(holdBatch),
	}
	for c := range h.convs {
		h.convs[c].sent = d.tables.plan[c].drained.Load()
		h.way[c] = d.wish(c).back
		h.convs[c].last = h.way[c]
	}
	d.tables.config.hold.Store(uint32(t.Index()))
	d.holder = h
	go h.run()
	return nil
}

// openHoldTAP makes the TAP device, which goes with this process, with room for
// all that may be held and nothing of the host's own to send.
func openHoldTAP(links *rtnl.Conn, name string) (*tap.Device, error) {
	t, err := tap.Create(name, tap.Options{Transient: true})
	if err != nil {
		return nil, err
	}
	const quiet, mask = unix.IFF_NOARP, unix.IFF_NOARP | unix.IFF_MULTICAST
	genMode := links.SetAddrGenMode(t.Index(), rtnl.AddrGenNone)
	if errors.Is(genMode, unix.EAFNOSUPPORT) {
		genMode = nil
	}
	// Its carrier has to be there before it is up: it would come late.
	err = errors.Join(
		genMode,
		links.SetFlags(t.Index(), quiet, mask),
		links.SetQueueLen(t.Index(), holdQueue),
		t.SetCarrier(true),
		links.SetUp(t.Index()),
	)
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// begin says that orders follow, up to flush, and reports whether the holder
// still takes them.
func (h *holder) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ordered = !h.ended
	return h.ordered
}

// openExits opens the ways out that are not open yet. Without one for its port a
// frame goes to the spare.
func (h *holder) openExits(ports map[uint16]*port) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range ports {
		if h.exits[p.slot] != nil {
			continue
		}
		wire, err := pkt.OpenSender(p.Index)
		if err != nil {
			h.log.Warn("held frames cannot be sent there", "port", p.Name, "err", err)
			continue
		}
		h.exits[p.slot] = &exit{port: p, wire: wire}
	}
}

// forget closes the way out through a port.
func (h *holder) forget(p *port) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := h.exits[p.slot]; e != nil {
		h.exits[p.slot] = nil
		_ = e.wire.Close()
	}
}

// keep begins to hold conversations: nothing more is sent of them. Those that are
// on their direct way have left the one through the holder behind, if they took it.
func (h *holder) keep(more *dist.Set, hash dist.Hash, direct dist.Set) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hash = hash
	for c := range h.convs {
		if !more.Has(uint8(c)) {
			continue
		}
		h.held.Add(uint8(c))
		h.convs[c].open = true
		h.way[c] = 0
		set(&h.tables.plan[c].gap, 0)
		if direct.Has(uint8(c)) {
			h.convs[c].last = 0
		}
	}
}

// lastSlots tells the slots that conversations were last sent through from here, as
// long as they have not gone back to the direct way. Without a holder there are
// none.
func (h *holder) lastSlots() (t dist.Table) {
	if h == nil {
		return t
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.convs {
		t[c] = h.convs[c].last
	}
	return t
}

// route says where the frames of conversations go, and which are held from now
// on. It tells for those that were released where: once they have begun to go
// through one port they do so until the last, as long as it is there, and with
// the first frame on the direct way, which may come much later.
func (h *holder) route(w *wanted) (back dist.Table) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	h.hash, h.want, h.spare = w.hash, w.want, w.spare
	for c := range h.convs {
		conv := &h.convs[c]
		switch released := h.held.Has(uint8(c)) && !w.hold.Has(uint8(c)); {
		case w.hold.Has(uint8(c)):
			h.way[c] = 0
		case !conv.open && h.way[c] == 0: // never held
		case released:
			conv.since = now
			fallthrough
		case !w.distributes(h.way[c]):
			h.way[c] = w.want[c]
			h.busy = now
		}
	}
	h.held = w.hold
	return h.way
}

// flush sends what is kept of conversations that are not held any more. It is the
// last order.
func (h *holder) flush() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ordered = false
	h.drain()
	h.kick()
}

// kick lets the goroutine look for something to do.
func (h *holder) kick() {
	one := [8]byte{1} // a number that is not 0 in either byte order
	_, _ = unix.Write(h.wake, one[:])
}

// endHold releases everything and gives the TAP device up.
func (d *Device) endHold() {
	if d.holder == nil {
		return
	}
	d.holder.retire()
	for c := range d.tables.plan {
		w := d.wish(c)
		w.hold = false
		set(&d.tables.plan[c].wish, w.pack())
	}
	<-d.holder.done
	d.holder = nil
}

// retire releases everything and lets the goroutine end as soon as it can.
func (h *holder) retire() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busy = time.Now()
	for c := range h.convs {
		if h.held.Has(uint8(c)) {
			h.convs[c].since = h.busy
		}
	}
	h.held = dist.Set{}
	h.retiring = h.busy.Add(endWait)
	h.drain()
	h.kick()
}

// run reads what is handed over until nothing is held for a while, or until the
// TAP device has gone.
func (h *holder) run() {
	defer close(h.done)
	for {
		err := h.move()
		switch {
		case err == nil:
			continue
		case !errors.Is(err, unix.EAGAIN):
			if !errors.Is(err, os.ErrNotExist) {
				h.log.Error("held frames not read", "err", err)
			}
			h.end()
			return
		case h.isOver():
			h.end()
			return
		}
		h.wait()
	}
}

// wait waits for a frame, or until there may be something else to do.
func (h *holder) wait() {
	fds := [2]unix.PollFd{
		{Fd: int32(h.tap.FD()), Events: unix.POLLIN},
		{Fd: int32(h.wake), Events: unix.POLLIN},
	}
	_, _ = unix.Poll(fds[:], int(settleAfter/time.Millisecond)) // what it says shows in the next round
	var count [8]byte
	_, _ = unix.Read(h.wake, count[:])
}
