package tap

import (
	"errors"
	"fmt"
	"net"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"ifagr/netutil/ether"
)

// HeaderLen is the length of the virtio_net_hdr before every frame, in octets.
const HeaderLen = 10

// cloneDevice is where TAP devices are made and attached to.
const cloneDevice = "/dev/net/tun"

// flags of every device of this package: whole frames without the 4-octet
// packet information, with a virtio_net_hdr, one queue.
const flags = unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR

// Offloads that the far side understands, which this package passes on as they
// are: partial checksums, TCP and UDP segmentation.
const (
	offloadBase = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6 | unix.TUN_F_TSO_ECN
	offloadUSO  = unix.TUN_F_USO4 | unix.TUN_F_USO6
)

// Errors that callers branch on.
var (
	// ErrNotOurs says that an interface exists and is not a persistent TAP
	// device with one queue that belongs to this user or a predecessor.
	ErrNotOurs = errors.New("not a persistent tap device of ours")
	// ErrBusy says that another process is attached to the device, or, on
	// Create, that an interface of that name exists.
	ErrBusy error = unix.EBUSY
)

// Options are the properties of a new device.
type Options struct {
	// Addr is its Ethernet address; zero leaves the kernel's random one. It is
	// set within microseconds of the device's birth, so that udev's
	// MACAddressPolicy, which only touches random addresses, leaves it alone.
	Addr ether.Addr
	// Transient lets the device go with its descriptor, at the latest when the
	// process ends.
	Transient bool
}

// Device is a TAP device that this process is attached to. Its methods may be
// called from several goroutines, but none during or after Close and Delete.
//
// The descriptor is not known to the runtime's poller, which would be called back
// for every single frame; whoever reads waits for FD with poll(2). Nor does the
// runtime's scheduler know of Read and Write, which never wait.
type Device struct {
	fd    int
	name  string
	index int
}

// Create makes a new device without carrier, persistent unless it is to be
// transient. It fails with ErrBusy
// when an interface of that name exists, of whatever kind. After an error
// nothing is left behind.
func Create(name string, o Options) (*Device, error) {
	d, err := create(name, o)
	if err != nil {
		return nil, fmt.Errorf("tap create %s: %w", name, err)
	}
	return d, nil
}

func create(name string, o Options) (*Device, error) {
	fd, err := attach(name, flags|unix.IFF_TUN_EXCL)
	if err != nil {
		return nil, err
	}
	d, err := newDevice(fd, name, o)
	if err != nil {
		return nil, closeAfter(fd, err)
	}
	if o.Transient {
		return d, nil
	}
	if err := d.SetPersistent(true); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Open adopts an existing persistent device, as it is but without carrier. It
// fails with os.ErrNotExist when there is no interface of that name, with
// ErrNotOurs when it is something else, and with ErrBusy when another process
// is attached. After an error the interface is what it was. Predecessors are the
// users whose devices are adopted beside this user's own, who owns it afterwards.
func Open(name string, predecessors ...uint32) (*Device, error) {
	d, err := open(name, predecessors)
	if err != nil {
		return nil, fmt.Errorf("tap open %s: %w", name, err)
	}
	return d, nil
}

// Inherit is a device that a predecessor in this process is attached to, by its
// descriptor, which is the device's own from now on. It is as it is: it may have a
// carrier, and frames that wait. After an error the descriptor is closed.
func Inherit(fd int, name string) (*Device, error) {
	req, err := unix.NewIfreq(name)
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.TUNGETIFF, req)
	}
	if err == nil && req.Name() != name {
		err = fmt.Errorf("it is called %s: %w", req.Name(), ErrNotOurs)
	}
	var ifi *net.Interface
	if err == nil {
		ifi, err = net.InterfaceByName(name)
	}
	if err != nil {
		return nil, fmt.Errorf("tap inherit %s: %w", name, closeAfter(fd, err))
	}
	return &Device{fd: fd, name: name, index: ifi.Index}, nil
}

func open(name string, predecessors []uint32) (*Device, error) {
	if err := checkOurs(name, predecessors); err != nil {
		return nil, err
	}
	fd, err := attach(name, flags)
	if err != nil {
		return nil, err
	}
	// Between the check and now the device may have been deleted: then we have
	// just made a new one, which is not persistent and goes with its descriptor.
	persistent, err := isPersistent(fd, name)
	if err == nil && !persistent {
		err = os.ErrNotExist
	}
	if err != nil {
		return nil, closeAfter(fd, err)
	}
	d, err := newDevice(fd, name, Options{})
	if err != nil {
		return nil, closeAfter(fd, err)
	}
	return d, nil
}

// own makes the device this user's, so that no other user without
// CAP_NET_ADMIN can attach to it.
func own(fd int) error {
	return ioctl(fd, "TUNSETOWNER", unix.TUNSETOWNER, uintptr(os.Geteuid()))
}

// setUp is what a new and an adopted device have in common.
func setUp(fd int, name string, o Options) error {
	if err := setAddr(fd, name, o.Addr); err != nil {
		return err
	}
	if err := setCarrier(fd, false); err != nil {
		return err
	}
	size := int32(HeaderLen)
	if err := ioctlPtr(fd, "TUNSETVNETHDRSZ", unix.TUNSETVNETHDRSZ, unsafe.Pointer(&size)); err != nil {
		return err
	}
	// Kernels before 6.2 do not know UDP segmentation and refuse the whole set.
	err := ioctl(fd, "TUNSETOFFLOAD", unix.TUNSETOFFLOAD, offloadBase|offloadUSO)
	if errors.Is(err, unix.EINVAL) {
		err = ioctl(fd, "TUNSETOFFLOAD", unix.TUNSETOFFLOAD, offloadBase)
	}
	return err
}

// newDevice makes an attached descriptor ours and wraps it; after an error the
// descriptor is still the caller's.
func newDevice(fd int, name string, o Options) (*Device, error) {
	if err := own(fd); err != nil {
		return nil, err
	}
	if err := setUp(fd, name, o); err != nil {
		return nil, err
	}
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return &Device{fd: fd, name: name, index: ifi.Index}, nil
}

// Name is the name that the device was made or adopted under.
func (d *Device) Name() string { return d.name }

// Index is its interface index.
func (d *Device) Index() int { return d.index }

// FD is the descriptor, to wait for frames with poll(2).
func (d *Device) FD() int { return d.fd }

// SetCarrier switches the interface's carrier.
func (d *Device) SetCarrier(on bool) error {
	return d.wrap("carrier", setCarrier(d.fd, on))
}

// SetPersistent says whether the interface outlives Close.
func (d *Device) SetPersistent(on bool) error {
	var arg uintptr
	if on {
		arg = 1
	}
	return d.wrap("persist", ioctl(d.fd, "TUNSETPERSIST", unix.TUNSETPERSIST, arg))
}

// Close detaches from the device. A persistent interface stays, without carrier.
func (d *Device) Close() error { return d.wrap("close", unix.Close(d.fd)) }

// Delete detaches and lets the interface go. One that was deleted already is not
// an error.
func (d *Device) Delete() error {
	err := d.SetPersistent(false)
	if errors.Is(err, unix.EBADFD) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

func (d *Device) wrap(op string, err error) error {
	if err != nil {
		return fmt.Errorf("tap %s %s: %w", op, d.name, err)
	}
	return nil
}
