package pkt

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"
)

// Sizes of the sockets' buffers, in octets as the kernel accounts them. They
// hold what arrives while the process is not scheduled. A user without
// CAP_NET_ADMIN gets what net.core.rmem_max and wmem_max allow.
const (
	recvBuffer = 32 << 20
	sendBuffer = 16 << 20
)

// Data sends and receives the data frames of one port, each behind its
// virtio_net_hdr. One goroutine may Receive, one Send; Close may come from any.
type Data struct {
	rx, tx       *socket.Conn
	rxRaw, txRaw syscall.RawConn

	// What the calls in progress work on, and the functions that do so. They are
	// here because a closure for each call would be an allocation for each.
	recv struct {
		f     func(fd uintptr) bool
		batch *RecvBatch
		errno unix.Errno
	}
	send struct {
		f     func(fd uintptr)
		batch *SendBatch
		sent  Sent
		errno unix.Errno
	}
}

// OpenData starts to receive everything that arrives on an interface, before
// tc(8)'s ingress programs see it, and nothing that leaves by it.
func OpenData(ifindex int) (*Data, error) {
	d := &Data{}
	d.recv.f, d.send.f = d.tryRecv, d.trySend
	var err error
	if d.tx, d.txRaw, err = openSend(ifindex); err != nil {
		return nil, fmt.Errorf("pkt data %d: send: %w", ifindex, err)
	}
	if d.rx, d.rxRaw, err = openRecv(ifindex); err != nil {
		return nil, fmt.Errorf("pkt data %d: receive: %w", ifindex, errors.Join(err, d.tx.Close()))
	}
	return d, nil
}

func openSend(ifindex int) (*socket.Conn, syscall.RawConn, error) {
	c, err := newSocket(option{"PACKET_VNET_HDR", unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1})
	if err != nil {
		return nil, nil, err
	}
	err = c.SetWriteBuffer(sendBuffer)
	return ready(c, err, ifindex, 0)
}

func openRecv(ifindex int) (*socket.Conn, syscall.RawConn, error) {
	c, err := newSocket(
		option{"PACKET_VNET_HDR", unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1},
		option{"PACKET_IGNORE_OUTGOING", unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1},
		option{"PACKET_AUXDATA", unix.SOL_PACKET, unix.PACKET_AUXDATA, 1},
	)
	if err != nil {
		return nil, nil, err
	}
	err = c.SetReadBuffer(recvBuffer)
	return ready(c, err, ifindex, unix.ETH_P_ALL)
}

// ready binds a socket, unless err says that it is not worth it.
func ready(c *socket.Conn, err error, ifindex int, protocol uint16) (*socket.Conn, syscall.RawConn, error) {
	if err == nil {
		err = bind(c, ifindex, protocol)
	}
	var raw syscall.RawConn
	if err == nil {
		raw, err = c.SyscallConn()
	}
	if err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	return c, raw, nil
}

// Receive waits for frames and takes as many as are there and b has room for.
// It fails with os.ErrClosed after Close. A port that goes down or away is no
// error: frames just stop.
func (d *Data) Receive(b *RecvBatch) error {
	d.recv.batch = b
	for {
		if err := d.rxRaw.Read(d.recv.f); err != nil {
			return os.ErrClosed
		}
		switch d.recv.errno {
		case 0:
			return nil
		case unix.ENETDOWN, unix.EINTR:
		default:
			return fmt.Errorf("pkt receive: %w", d.recv.errno)
		}
	}
}

// tryRecv reports false when there is nothing yet: then the poller waits.
func (d *Data) tryRecv(fd uintptr) bool {
	msgs := d.recv.batch.msgs
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd,
		uintptr(unsafe.Pointer(&msgs[0])), uintptr(len(msgs)), unix.MSG_DONTWAIT, 0, 0)
	d.recv.errno = errno
	if errno != 0 {
		d.recv.batch.take(0)
		return errno != unix.EAGAIN
	}
	d.recv.batch.take(int(n))
	return true
}

// Sent is what Send got rid of.
type Sent struct {
	Frames int
	Octets int // of frames without their virtio_net_hdr
}

// Send transmits the frames that wait in b, in order, and takes those that the
// port accepted out of it. It never waits. The error, a unix.Errno or
// os.ErrClosed, says why the next frame could not be sent.
func (d *Data) Send(b *SendBatch) (Sent, error) {
	d.send.batch, d.send.sent, d.send.errno = b, Sent{}, 0
	if err := d.txRaw.Control(d.send.f); err != nil {
		return Sent{}, os.ErrClosed
	}
	if d.send.errno != 0 {
		return d.send.sent, d.send.errno
	}
	return d.send.sent, nil
}

// trySend calls sendmmsg(2) until all is sent or one frame fails. The call says
// why only when its first frame fails.
func (d *Data) trySend(fd uintptr) {
	b := d.send.batch
	for b.head < b.tail {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd,
			uintptr(unsafe.Pointer(&b.msgs[b.head])), uintptr(b.Len()), unix.MSG_DONTWAIT, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			d.send.errno = errno
			return
		}
		d.send.sent.Frames += int(n)
		d.send.sent.Octets += b.Skip(int(n))
	}
}

// WaitWritable waits until the port takes frames again, at most for timeout,
// which is rounded up to milliseconds, and reports whether it does.
func (d *Data) WaitWritable(timeout time.Duration) bool {
	ms := int((timeout + time.Millisecond - 1) / time.Millisecond)
	var n int
	err := d.txRaw.Control(func(fd uintptr) {
		n, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, ms)
	})
	return err == nil && n > 0
}

// Close ends a Receive that waits. Frames that the port has accepted are sent.
func (d *Data) Close() error { return errors.Join(d.rx.Close(), d.tx.Close()) }
