package rtnl

import (
	"encoding/binary"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Direction is a side of a clsact qdisc.
type Direction uint8

// The directions of frames.
const (
	Ingress Direction = iota // received
	Egress                   // about to be sent
)

// parent is the handle that stands for the direction.
func (d Direction) parent() uint32 {
	if d == Egress {
		return tcEgress
	}
	return tcIngress
}

// Classifier is a filter of tc(8) in a clsact or ingress qdisc.
type Classifier struct {
	Index    int    // of the interface
	Kind     string // "bpf", "u32", "flower", ...
	Priority uint16 // the lowest is asked first
	Protocol uint16 // EtherType that it is for; 3 (ETH_P_ALL): every frame
	Handle   uint32 // tells filters of one priority apart; 0: stands for the priority itself

	// What a filter of kind bpf says about itself.
	Name    string // as it was added, not the program's
	Program uint32 // id; 0: a classic filter
}

// BPFClassifier asks for an eBPF program as a filter of received frames of any
// protocol, whose verdict counts (direct action, tc-bpf(8)). It is never offloaded
// to the interface's hardware.
type BPFClassifier struct {
	Index    int    // of the interface
	Priority uint16 // 1 is the first
	Handle   uint32 // not 0
	Program  int    // descriptor
	Name     string // at most 255 octets
}

// Attributes and flags of cls_bpf (linux/pkt_cls.h), and the protocol of a filter
// for all frames (linux/if_ether.h).
const (
	bpfFD       = 6
	bpfName     = 7
	bpfFlags    = 8
	bpfFlagsGen = 9
	bpfID       = 11

	bpfDirectAction = 1 // TCA_BPF_FLAG_ACT_DIRECT
	clsSkipHardware = 1 // TCA_CLS_FLAGS_SKIP_HW

	etherAll = 0x0003 // ETH_P_ALL
)

// AddClassifier adds a filter, before the others of its priority: EEXIST when the
// handle is taken, EINVAL or ENOSPC when the priority is used by another kind or
// protocol, ENOENT when the kernel has no cls_bpf.
func (c *Conn) AddClassifier(f BPFClassifier) error {
	return c.setClassifier("add classifier", f, netlink.Create|netlink.Excl)
}

// ReplaceClassifier exchanges the program and name of the filter with that
// priority and handle, in one step: each frame meets the old one or the new one.
func (c *Conn) ReplaceClassifier(f BPFClassifier) error {
	return c.setClassifier("replace classifier", f, 0)
}

func (c *Conn) setClassifier(op string, f BPFClassifier, flags netlink.HeaderFlags) error {
	data, err := f.MarshalBinary()
	if err == nil {
		err = c.change(unix.RTM_NEWTFILTER, flags, data)
	}
	return c.fail(op, f.Index, err)
}

// MarshalBinary is the body of the RTM_NEWTFILTER request.
func (f *BPFClassifier) MarshalBinary() ([]byte, error) {
	return attributes(f.header(), func(ae *netlink.AttributeEncoder) error {
		ae.String(unix.TCA_KIND, "bpf")
		ae.Nested(unix.TCA_OPTIONS, func(ae *netlink.AttributeEncoder) error {
			ae.Uint32(bpfFD, uint32(f.Program))
			ae.String(bpfName, f.Name)
			ae.Uint32(bpfFlags, bpfDirectAction)
			ae.Uint32(bpfFlagsGen, clsSkipHardware)
			return nil
		})
		return nil
	})
}

func (f *BPFClassifier) header() []byte {
	return tcmsg(f.Index, f.Handle, tcIngress, classifierInfo(f.Priority, etherAll))
}

// DelClassifier takes a filter of kind bpf away from the received frames: ENOENT
// or EINVAL when it is not there. Program and Name do not matter.
func (c *Conn) DelClassifier(f BPFClassifier) error {
	data, err := f.deletion()
	if err == nil {
		err = c.change(unix.RTM_DELTFILTER, 0, data)
	}
	return c.fail("delete classifier", f.Index, err)
}

func (f *BPFClassifier) deletion() ([]byte, error) {
	return attributes(f.header(), func(ae *netlink.AttributeEncoder) error {
		ae.String(unix.TCA_KIND, "bpf")
		return nil
	})
}

// Classifiers lists the filters of an interface in one direction, in the order in
// which they are asked, and before those of each priority one with handle 0.
// There are none without a qdisc for them, and none without the interface.
func (c *Conn) Classifiers(index int, d Direction) ([]Classifier, error) {
	const op = "list classifiers"
	if index <= 0 {
		return nil, wrap(op, indexName(index), unix.ENODEV)
	}
	var out []Classifier
	err := c.dump(request{typ: unix.RTM_GETTFILTER, data: tcmsg(index, 0, d.parent(), 0)},
		func() { out = out[:0] },
		func(b []byte) error {
			f, err := decodeClassifier(b)
			out = append(out, f)
			return err
		})
	return out, c.fail(op, index, err)
}

// decodeClassifier reads an RTM_NEWTFILTER message.
func decodeClassifier(b []byte) (Classifier, error) {
	if len(b) < sizeofTcMsg {
		return Classifier{}, errShort
	}
	info := binary.NativeEndian.Uint32(b[16:])
	f := Classifier{
		Index:    int(int32(binary.NativeEndian.Uint32(b[4:]))),
		Handle:   binary.NativeEndian.Uint32(b[8:]),
		Priority: uint16(info >> 16),
		Protocol: networkOrder16(uint16(info)),
	}
	var options []byte
	err := walk(b[sizeofTcMsg:], func(typ uint16, v []byte) {
		switch typ {
		case unix.TCA_KIND:
			f.Kind = text(v)
		case unix.TCA_OPTIONS:
			options = v
		}
	})
	if f.Kind == "bpf" {
		each(options, func(typ uint16, v []byte) {
			switch typ {
			case bpfName:
				f.Name = text(v)
			case bpfID:
				f.Program = number(v)
			}
		})
	}
	return f, err
}

// classifierInfo joins a priority and a protocol as struct tcmsg has them.
func classifierInfo(priority, protocol uint16) uint32 {
	return uint32(priority)<<16 | uint32(networkOrder16(protocol))
}

// networkOrder16 turns a number into one whose octets in memory are in network
// byte order, and back.
func networkOrder16(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}
