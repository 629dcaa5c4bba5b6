package eth

import (
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Tool reads and changes what drivers do with a link. It asks by generic
// netlink, and by ioctl where that has no answer. Its methods may be called at
// the same time. Their errors unwrap to the kernel's: unix.ENODEV for a missing
// interface, unix.EOPNOTSUPP for what the driver has not.
type Tool struct {
	ioctl *Conn
	genl  *genl    // nil for a kernel without ethtool's family
	names []string // of the features, in the order of their bits; nil until they are needed
}

// OpenTool makes a Tool for the network namespace of the calling thread, and
// for no other.
func OpenTool() (*Tool, error) {
	c, err := Open()
	if err != nil {
		return nil, err
	}
	g, err := dialGenl()
	if err != nil {
		g = nil // the ioctl can do all of it, only less at a time
	}
	return &Tool{ioctl: c, genl: g}, nil
}

// Close releases the Tool, which must not be in use.
func (t *Tool) Close() error {
	err := t.ioctl.Close()
	if t.genl != nil {
		err = errors.Join(err, t.genl.close())
	}
	return err
}

// either asks by netlink, and by ioctl when the kernel does not know the
// request. A driver without an answer then says so a second time.
func (t *Tool) either(op, name string, byNetlink, byIoctl func() error) error {
	err := error(unix.EOPNOTSUPP)
	if len(name) >= unix.IFNAMSIZ {
		err = unix.ENODEV
	} else if t.genl != nil {
		err = byNetlink()
	}
	if errors.Is(err, unix.EOPNOTSUPP) {
		err = byIoctl()
	}
	if err != nil {
		return fmt.Errorf("eth %s %s: %w", op, name, err)
	}
	return nil
}

// get asks by netlink about one interface.
func (t *Tool) get(cmd uint8, name string, each func(*netlink.AttributeDecoder) error) error {
	return t.genl.ask(cmd, 0, about(name), each)
}

// set makes a change by netlink.
func (t *Tool) set(cmd uint8, ae *netlink.AttributeEncoder) error {
	return t.genl.ask(cmd, netlink.Acknowledge, ae, nil)
}
