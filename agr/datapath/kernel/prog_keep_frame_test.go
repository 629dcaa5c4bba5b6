package kernel

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ifagr/agr/datapath"
)

// Offsets in a LACPDU, from the destination address on (IEEE 802.1AX-2014 6.4.2.3).
const (
	atSource    = 6
	atSubtype   = 14
	atVersion   = 15
	atActor     = 16
	atPartner   = 36
	atCollector = 56
	atTail      = 60 // reserved octets, but for the terminator
	atEnd       = 72 // the terminator
)

// Offsets in the TLV of an Actor or a Partner.
const (
	inType = iota
	inLength
	inSystemPriority
	inSystem       = 4
	inKey          = 10
	inPortPriority = 12
	inPort         = 14
	inState        = 16
	inReserved     = 17
)

// Bits of the state.
const (
	activity = 1 << iota
	timeout
	aggregation
	synchronization
	collecting
	distributing
	defaulted
	expired
)

// inUse is the state of a port that asks for fast LACPDUs, and forwards.
const inUse = activity | timeout | aggregation | synchronization | collecting | distributing

// lacpEnd is the value of a TLV: who speaks, in which state.
type lacpEnd struct {
	system, port byte // they are told apart by this much
	state        byte
}

var us, them = lacpEnd{1, 1, inUse}, lacpEnd{2, 7, inUse}

func (e lacpEnd) tlv(kind byte) []byte {
	b := []byte{kind, 20, 0x80, 0, 0x02, 0, 0, 0, 0, e.system}
	b = binary.BigEndian.AppendUint16(b, 0x0411)
	b = append(b, 0x80, 0, 0, e.port, e.state)
	return append(b, 0, 0, 0)
}

// lacpdu is what the actor says to the partner, or as much of it as there is.
func lacpdu(actor, partner lacpEnd) []byte {
	f := []byte{0x01, 0x80, 0xc2, 0, 0, 2, 0x02, 0xaa, 0, 0, 0, actor.system, 0x88, 0x09, 1, 1}
	f = append(append(f, actor.tlv(1)...), partner.tlv(2)...)
	f = append(f, 3, 16, 0, actor.system)
	return append(f, make([]byte, lacpduLen-len(f))...)
}

// keepUs is what the daemon of us says to them, which it does not any more for a
// minute, and is taken for late at once.
func keepUs() datapath.Keep {
	const minute = 60e9
	return datapath.Keep{
		LACPDU: lacpdu(us, them), Late: 1500e6, Old: 3500e6, Grace: minute, Need: synchronization | collecting,
	}
}

// keeper is programs whose port in slot1, p1, keeps a partner.
type keeper struct {
	*progs
	tables
	in1 *ebpf.Program
}

// loadKeeping is loadForwarding with a daemon that died two seconds ago, and whose
// ports p1 to p3 keep them, who were heard just now.
func loadKeeping(t testing.TB) *keeper {
	t.Helper()
	k := &keeper{progs: loadForwarding(t)}
	k.tables.agrMaps = k.progs.agrMaps
	if err := k.share(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, b := range k.mapped {
			_ = unix.Munmap(b)
		}
	})
	k.in1 = k.inOf(slot1, "p1")
	for _, slot := range []uint16{slot1, slot2, slot3} {
		k.say(slot, keepUs())
	}
	k.config.alive.Store(monotonic() - 2e9)
	k.config.writeRing([]uint16{slot1, slot2, slot3})
	return k
}

// say is Device.Keep.
func (k *keeper) say(slot uint16, keep datapath.Keep) {
	k.t.Helper()
	s, err := saidOf(keep)
	if err != nil {
		k.t.Fatal(err)
	}
	k.keeps[slot].say(s)
}

// inOf loads agr_in for a port, on the same maps.
func (k *keeper) inOf(slot uint16, name string) *ebpf.Program {
	k.t.Helper()
	prog, err := k.loadIn(place{ifindex: int(k.index(name)), slot: slot})
	if err != nil {
		var rejected *ebpf.VerifierError
		if errors.As(err, &rejected) {
			k.t.Fatalf("%+v", rejected)
		}
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = prog.Close() })
	return prog
}

// hear lets a frame arrive at p1, and wants that it goes on to the port's own
// stack as it came.
func (k *keeper) hear(frame []byte) {
	k.t.Helper()
	k.ns.Do(func() {
		opts := &ebpf.RunOptions{
			Data: frame, DataOut: make([]byte, len(frame)+256), Context: context{Ifindex: k.index("p1")},
		}
		verdict, err := k.in1.Run(opts)
		if err != nil {
			k.t.Fatalf("run on %x: %v", frame, err)
		}
		if verdict != verdictNext {
			k.t.Errorf("agr_in of %x says %d, want %d", frame, int32(verdict), -1)
		}
		if !slices.Equal(opts.DataOut, frame) {
			k.t.Errorf("the frame is not what it was:\n%x\n%x", frame, opts.DataOut)
		}
	})
}

// heardAt is what was noted of the port in a slot.
func (k *keeper) heardAt(slot uint16) agrHeard {
	k.t.Helper()
	h, err := k.heard(slot)
	if err != nil {
		k.t.Fatal(err)
	}
	return h
}

// fresh forgets what was heard on p1, and when the last answer was.
func (k *keeper) fresh() {
	k.t.Helper()
	k.put(k.progs.AgrHeard, slot1, agrHeard{})
}
