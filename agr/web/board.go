package web

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ifagr/agr/picture"
)

// remembered is how many events the board keeps.
const remembered = 500

// piece is a part of the page, as HTML or as what it is made of.
type piece[T any] struct {
	value   T
	version uint64 // of the board, at its last change
}

// board is what there is to see now. It may be used by many goroutines.
type board struct {
	id string // of this board: numbers of another one mean nothing

	mu      sync.Mutex
	changed chan struct{} // closed at the next change
	version uint64
	daemon  piece[picture.Daemon]
	order   piece[[]string] // names of the aggregates
	agrs    map[string]piece[picture.Agr]
	events  []picture.Event // oldest first
	next    uint64          // number of the next event
}

func newBoard(id string) *board {
	return &board{id: id, changed: make(chan struct{}), agrs: make(map[string]piece[picture.Agr])}
}

// touch counts a change and wakes who waits for one. The caller has the lock.
func (b *board) touch() uint64 {
	b.version++
	close(b.changed)
	b.changed = make(chan struct{})
	return b.version
}

func (b *board) setDaemon(d picture.Daemon) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.daemon.version == 0 || d != b.daemon.value {
		b.daemon = piece[picture.Daemon]{d, b.touch()}
	}
}

// setOrder says which aggregates there are. The others are forgotten.
func (b *board) setOrder(names []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.order.version != 0 && slices.Equal(names, b.order.value) {
		return
	}
	b.order = piece[[]string]{names, b.touch()}
	for name := range b.agrs {
		if !slices.Contains(names, name) {
			delete(b.agrs, name)
		}
	}
}

// setAgr shows an aggregate, if it is still one.
func (b *board) setAgr(a picture.Agr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if slices.Contains(b.order.value, a.Name) {
		b.agrs[a.Name] = piece[picture.Agr]{a, b.touch()}
	}
}

// add appends events, oldest first, and forgets the oldest of all.
func (b *board) add(events ...picture.Event) {
	if len(events) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range events {
		e.ID = fmt.Sprintf("%s.%d", b.id, b.next)
		b.next++
		b.events = append(b.events, e)
	}
	if n := len(b.events) - remembered; n > 0 {
		b.events = slices.Delete(b.events, 0, n)
	}
	b.touch()
}

// page is the whole picture.
func (b *board) page() picture.Page {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := picture.Page{Daemon: b.daemon.value, Agrs: b.list(), Last: b.last()}
	for _, e := range slices.Backward(b.events) {
		p.Events = append(p.Events, e)
	}
	return p
}

// list is the aggregates in their order. The caller has the lock.
func (b *board) list() []picture.Agr {
	all := make([]picture.Agr, 0, len(b.order.value))
	for _, name := range b.order.value {
		if a, ok := b.agrs[name]; ok {
			all = append(all, a.value)
		}
	}
	return all
}

// last is the id of the newest event, or of what is before the first. The caller
// has the lock.
func (b *board) last() string { return fmt.Sprintf("%s.%d", b.id, int64(b.next)-1) }

// cursor is what a browser has been given.
type cursor struct {
	version uint64
	event   uint64 // number of the first event that it does not have
}

// cursorAfter is that of a browser that says which event is its last. One that
// has seen another board has missed what it cannot name.
func (b *board) cursorAfter(id string) (c cursor, missed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	of, number, _ := strings.Cut(id, ".")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || of != b.id || n < -1 || n >= int64(b.next) {
		return cursor{event: b.first()}, id != ""
	}
	return cursor{event: uint64(n + 1)}, false
}

// first is the number of the oldest event that is remembered. The caller has the
// lock.
func (b *board) first() uint64 { return b.next - uint64(len(b.events)) }

// news is what a browser does not have yet.
type news struct {
	daemon  *picture.Daemon
	order   []string
	ordered bool
	agrs    []placed
	all     []picture.Agr // when one of them is in agrs, or the order is new
	events  []picture.Event
	missed  uint64 // events that are forgotten already
}

// placed is an aggregate and its place in the order.
type placed struct {
	picture.Agr
	place int
}

// since is what is new for a browser, and what to wait for when it has that.
func (b *board) since(c *cursor) (news, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var n news
	if b.daemon.version > c.version {
		n.daemon = &b.daemon.value
	}
	if b.order.version > c.version {
		n.order, n.ordered = b.order.value, true
	}
	for place, name := range b.order.value {
		if a, ok := b.agrs[name]; ok && a.version > c.version {
			n.agrs = append(n.agrs, placed{a.value, place})
		}
	}
	if len(n.agrs) > 0 || n.ordered {
		n.all = b.list()
	}
	if first := b.first(); c.event < first {
		n.missed, c.event = first-c.event, first
	}
	n.events = slices.Clone(b.events[c.event-b.first():])
	c.version, c.event = b.version, b.next
	return n, b.changed
}

// missing is an event that stands for some that are not there.
func missing(at time.Time, n uint64, why string) picture.Event {
	what := "transitions are missing here"
	if n > 0 {
		what = fmt.Sprintf("%d transitions are missing here", n)
		if n == 1 {
			what = "1 transition is missing here"
		}
	}
	return picture.Event{Time: at, Note: true, Reason: what + ": " + why}
}

// byTime sorts events, oldest first.
func byTime(events []picture.Event) []picture.Event {
	slices.SortStableFunc(events, func(x, y picture.Event) int { return cmp.Compare(x.Time.UnixNano(), y.Time.UnixNano()) })
	return events
}
