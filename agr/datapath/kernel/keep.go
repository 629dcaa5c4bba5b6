package kernel

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"ifagr/agr/datapath"
)

// errLACPDU says that what is to be said is no LACPDU.
var errLACPDU = errors.New("not a LACPDU of 124 octets")

// A LACPDU: its length, and the part of it in which there is anything.
const (
	lacpduLen = 124
	wordsFrom = 6 // its source address
	wordsTo   = wordsFrom + wordsLen
	wordsLen  = 54
)

// said is struct said of bpf/agr.h.
type said struct {
	late, old, grace uint32 // ms
	words            [wordsLen]byte
	need             uint8
	_                [1]byte
}

// saidOf checks a Keep that is not empty.
func saidOf(k datapath.Keep) (s said, err error) {
	if len(k.LACPDU) != lacpduLen {
		return s, errLACPDU
	}
	s = said{late: inMillis(k.Late), old: inMillis(k.Old), grace: inMillis(k.Grace), need: k.Need}
	copy(s.words[:], k.LACPDU[wordsFrom:wordsTo])
	return s, nil
}

// inMillis is a time in whole milliseconds, at least one unless it is nothing.
func inMillis(d time.Duration) uint32 {
	const most = 1<<31 - 1
	return uint32(min(max(d+time.Millisecond-1, 0)/time.Millisecond, most))
}

// keepEntry is struct keep of bpf/agr.h.
type keepEntry struct {
	turn  atomic.Uint64
	since atomic.Uint64
	sent  atomic.Uint64
	said  [2]said
}

// heardTogether is TOGETHER of agr.h.
const heardTogether = 0x100

// Of turn: whether anything is said, and in which half.
const (
	turnSpeaks = 1
	turnHalf   = 2
	turnNext   = 2
)

// say lets the programs say something from now on, unless that is what they do.
// A turn that is over does not come back.
func (e *keepEntry) say(s said) {
	turn := e.turn.Load()
	if turn&turnSpeaks != 0 && e.said[half(turn)] == s {
		return
	}
	turn = turn&^turnSpeaks + turnNext
	e.said[half(turn)] = s
	e.since.Store(monotonic())
	e.turn.Store(turn | turnSpeaks)
}

// hush lets them say nothing, and reports whether they did say something.
func (e *keepEntry) hush() bool {
	turn := e.turn.Load()
	e.turn.Store(turn &^ turnSpeaks)
	return turn&turnSpeaks != 0
}

func half(turn uint64) int { return int(turn & turnHalf / turnHalf) }

// Keep implements datapath.Device.
func (d *Device) Keep(number uint16, k datapath.Keep) error {
	p := d.ports[number]
	if p == nil {
		return fmt.Errorf("keep port %d: %w", number, datapath.ErrNoPort)
	}
	entry := &d.tables.keeps[p.slot]
	if len(k.LACPDU) == 0 {
		if !entry.hush() {
			return nil
		}
		if err := d.tables.forgetPartner(p.slot); err != nil {
			return fmt.Errorf("keep port %s: %w", p.Name, err)
		}
		return nil
	}
	s, err := saidOf(k)
	if err != nil {
		return fmt.Errorf("keep port %s: %w", p.Name, err)
	}
	entry.say(s)
	return nil
}

// Alive implements datapath.Device.
func (d *Device) Alive() { d.tables.config.alive.Store(monotonic()) }

// Sent implements datapath.Device.
func (d *Device) Sent(number uint16) {
	if p := d.ports[number]; p != nil {
		d.tables.keeps[p.slot].sent.Store(monotonic())
	}
}

// Kept implements datapath.Device.
func (d *Device) Kept(number uint16) datapath.Kept {
	p := d.ports[number]
	if p == nil {
		return datapath.Kept{}
	}
	h, err := d.tables.heard(p.slot)
	if err != nil {
		d.log.Error("LACPDUs heard not read", "device", d.name, "port", p.Name, "err", err)
	}
	k := datapath.Kept{Answered: h.Answers}
	turn, since := d.tables.keeps[p.slot].turn.Load(), d.tables.keeps[p.slot].since.Load()
	if turn&turnSpeaks == 0 || h.At == 0 { // never heard here, so its silence means nothing
		return k
	}
	k.Since, k.Stopped = time.Now().Add(-time.Duration(monotonic()-since)), h.Stop == turn
	if h.At >= since { // what is older this process, or one before it, has heard itself
		k.Heard, k.State, k.Together = k.Since.Add(time.Duration(h.At-since)), uint8(h.State), h.State&heardTogether != 0
	}
	return k
}

// heard reads what agr_in noted of the port in a slot.
func (t *tables) heard(slot uint16) (h agrHeard, err error) {
	err = t.AgrHeard.Lookup(uint32(slot), &h)
	return h, err
}

// forgetPartner forgets what was noted of a partner that nothing is kept of any more.
// The answers are counted on.
func (t *tables) forgetPartner(slot uint16) error {
	h, err := t.heard(slot)
	if err != nil {
		return err
	}
	return t.AgrHeard.Put(uint32(slot), agrHeard{Answered: h.Answered, Answers: h.Answers})
}

// clearKeep forgets the partner of the port that had a slot before.
func (t *tables) clearKeep(slot uint16) error {
	t.keeps[slot].hush()
	t.keeps[slot].sent.Store(0)
	return t.AgrHeard.Put(uint32(slot), agrHeard{})
}
