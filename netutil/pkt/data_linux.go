package pkt

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sizes of the sockets' buffers, in octets as the kernel accounts them. They
// hold what arrives while the process is not scheduled. A user without
// CAP_NET_ADMIN gets what net.core.rmem_max and wmem_max allow.
const (
	recvBuffer = 32 << 20
	sendBuffer = 16 << 20
)

// ErrWouldBlock says that no frame waits.
var ErrWouldBlock error = unix.EAGAIN

// Data sends and receives the data frames of one port, each behind its
// virtio_net_hdr. One goroutine may Receive while another one Sends; neither may
// during or after Close.
//
// The descriptors are not known to the runtime's poller, which would be called
// back for every single frame; whoever receives waits for FD with poll(2). Nor
// does the runtime's scheduler know of the calls that move frames. They do not
// wait, but take long enough for it to suppose that, and to start other threads:
// that cost a tenth of what the datapath needs.
type Data struct{ rx, tx int }

// OpenData starts to receive everything that arrives on an interface, before
// tc(8)'s ingress programs see it, and nothing that leaves by it.
func OpenData(ifindex int) (*Data, error) {
	tx, err := openSend(ifindex)
	if err != nil {
		return nil, fmt.Errorf("pkt data %d: send: %w", ifindex, err)
	}
	rx, err := openRecv(ifindex)
	if err != nil {
		return nil, fmt.Errorf("pkt data %d: receive: %w", ifindex, errors.Join(err, unix.Close(tx)))
	}
	return &Data{rx: rx, tx: tx}, nil
}

// InheritData is one that a predecessor in this process has opened, by its
// Descriptors, which are its own from now on.
func InheritData(rx, tx int) *Data { return &Data{rx: rx, tx: tx} }

// Descriptors are what it receives from and what it sends through.
func (d *Data) Descriptors() (rx, tx int) { return d.rx, d.tx }

func openSend(ifindex int) (int, error) {
	return openRaw(ifindex, 0, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, sendBuffer,
		option{"PACKET_VNET_HDR", unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1})
}

func openRecv(ifindex int) (int, error) {
	return openRaw(ifindex, unix.ETH_P_ALL, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, recvBuffer,
		option{"PACKET_VNET_HDR", unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1},
		option{"PACKET_IGNORE_OUTGOING", unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1},
		option{"PACKET_AUXDATA", unix.SOL_PACKET, unix.PACKET_AUXDATA, 1})
}

// openRaw makes a packet socket with options, a buffer of the given size (by
// force if this process may, else as large as it gets), and binds it.
func openRaw(ifindex int, protocol uint16, force, ask, size int, options ...option) (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.opt, o.value); err != nil {
			return -1, errors.Join(fmt.Errorf("%s: %w", o.name, err), unix.Close(fd))
		}
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, size)
	if errors.Is(err, unix.EPERM) {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, ask, size)
	}
	if err != nil {
		return -1, errors.Join(fmt.Errorf("buffer: %w", err), unix.Close(fd))
	}
	if err := unix.Bind(fd, address(ifindex, protocol)); err != nil {
		return -1, errors.Join(fmt.Errorf("bind: %w", err), unix.Close(fd))
	}
	return fd, nil
}

// FD is the receiving descriptor, to wait for frames with poll(2).
func (d *Data) FD() int { return d.rx }

// Receive takes frames that have arrived, as many as wait and b has room for. It
// never waits: without a frame it fails with ErrWouldBlock. A port that goes
// down or away is no error: frames just stop.
func (d *Data) Receive(b *RecvBatch) error {
	msgs := b.room()
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(d.rx),
			uintptr(unsafe.Pointer(&msgs[0])), uintptr(len(msgs)), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			b.take(int(n))
			return nil
		case unix.EINTR, unix.ENETDOWN: // the latter is told once
		case unix.EAGAIN:
			b.take(0)
			return ErrWouldBlock
		default:
			b.take(0)
			return fmt.Errorf("pkt receive: %w", errno)
		}
	}
}

// Sent is what Send got rid of.
type Sent struct {
	Frames int
	Octets int // of frames without their virtio_net_hdr
}

// Send transmits the frames that wait in b, in order, and takes those that the
// port accepted out of it. It never waits. The error, a unix.Errno, says why the
// next frame could not be sent.
func (d *Data) Send(b *SendBatch) (Sent, error) {
	var sent Sent
	for b.head < b.tail {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(d.tx),
			uintptr(unsafe.Pointer(&b.msgs[b.head])), uintptr(b.Len()), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0: // the call says why it stopped when its first frame fails
			sent.Frames += int(n)
			sent.Octets += b.Skip(int(n))
		case unix.EINTR:
		default:
			return sent, errno
		}
	}
	return sent, nil
}

// WaitWritable waits until the port takes frames again, at most for timeout,
// which is rounded up to milliseconds, and reports whether it does.
func (d *Data) WaitWritable(timeout time.Duration) bool { return waitWritable(d.tx, timeout) }

func waitWritable(fd int, timeout time.Duration) bool {
	ms := int((timeout + time.Millisecond - 1) / time.Millisecond)
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds[:], ms)
	return err == nil && n == 1
}

// Close ends the reception. Frames that the port has accepted are still sent.
func (d *Data) Close() error { return errors.Join(unix.Close(d.rx), unix.Close(d.tx)) }
