package rtnl

import (
	"encoding/binary"
	"errors"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	sizeofTcMsg = 20 // struct tcmsg: family, 3 pad, ifindex, handle, parent, info

	// Handles that mean a place (linux/pkt_sched.h).
	tcRoot    = 0xffffffff
	tcClsact  = 0xfffffff1
	tcIngress = 0xfffffff2
	tcEgress  = 0xfffffff3
	// clsactHandle is the only handle that a clsact qdisc may have.
	clsactHandle = 0xffff0000
)

// tcmsg is the fixed header of traffic control messages (rtnetlink(7)).
func tcmsg(index int, handle, parent, info uint32) []byte {
	b := make([]byte, sizeofTcMsg, 128)
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	binary.NativeEndian.PutUint32(b[8:], handle)
	binary.NativeEndian.PutUint32(b[12:], parent)
	binary.NativeEndian.PutUint32(b[16:], info)
	return b
}

// AddClsact gives an interface a clsact qdisc, which holds classifiers and
// queues nothing (tc-bpf(8)): EEXIST when it has one, or an ingress qdisc, ENOENT
// when the kernel has no such kind.
func (c *Conn) AddClsact(index int) error {
	data, err := clsactRequest(index)
	if err == nil {
		err = c.change(unix.RTM_NEWQDISC, netlink.Create|netlink.Excl, data)
	}
	return c.fail("add clsact", index, err)
}

// DelClsact takes the clsact qdisc away, and the classifiers in it: ENOENT or
// EINVAL when there is none.
func (c *Conn) DelClsact(index int) error {
	data, err := clsactRequest(index)
	if err == nil {
		err = c.change(unix.RTM_DELQDISC, 0, data)
	}
	return c.fail("delete clsact", index, err)
}

func clsactRequest(index int) ([]byte, error) {
	return attributes(tcmsg(index, clsactHandle, tcClsact, 0), func(ae *netlink.AttributeEncoder) error {
		ae.String(unix.TCA_KIND, "clsact")
		return nil
	})
}

// Queue is what waits to be sent through an interface.
type Queue struct {
	// Kind is the root queueing discipline, tc(8): "pfifo_fast", "mq",
	// "fq_codel". It is "noqueue" where frames go to the driver at once, and
	// empty where the kernel says nothing.
	Kind string
	// Frames and Octets wait in it and in what is beneath it. A frame that is
	// still to be segmented counts as one. What the driver has taken is not in.
	Frames, Octets uint32
}

// Exists says whether frames can wait at all.
func (q Queue) Exists() bool { return q.Kind != "" && q.Kind != "noqueue" }

// Queue reads the transmit queue of an interface, in one request that costs the
// same however many interfaces there are. An interface that has not been up has a
// built-in discipline, which the kernel does not describe. The kernel's answer goes
// to all who listen for changes of disciplines (tc-monitor(8)) as well; only a list
// of those of all interfaces does not.
//
// It reads the root only, in which the kernel counts each frame of the children
// once: a discipline with classes counts what it hands them, and mq adds up its
// children when it is asked. The exception is taprio with full offload, which
// counts nothing.
func (c *Conn) Queue(index int) (Queue, error) {
	const op = "get queue"
	if index <= 0 {
		return Queue{}, wrap(op, indexName(index), unix.ENODEV)
	}
	var q Queue
	r := request{typ: unix.RTM_GETQDISC, flags: netlink.Echo, data: tcmsg(index, 0, tcRoot, 0)}
	err := c.getAny(r, func(b []byte) (err error) {
		q, err = decodeQueue(b)
		return err
	})
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return Queue{}, nil // as older kernels answer where newer ones say nothing
	}
	return q, c.fail(op, index, err)
}

// decodeQueue reads an RTM_NEWQDISC message.
func decodeQueue(b []byte) (Queue, error) {
	if len(b) < sizeofTcMsg {
		return Queue{}, errShort
	}
	var q Queue
	err := walk(b[sizeofTcMsg:], func(typ uint16, v []byte) {
		switch typ {
		case unix.TCA_KIND:
			q.Kind = text(v)
		case unix.TCA_STATS2:
			each(v, func(typ uint16, v []byte) {
				const statsQueue = 3 // struct gnet_stats_queue (linux/gen_stats.h)
				if typ == statsQueue && len(v) >= 8 {
					q.Frames = binary.NativeEndian.Uint32(v)
					q.Octets = binary.NativeEndian.Uint32(v[4:])
				}
			})
		}
	})
	return q, err
}
