package user

import (
	"errors"
	"fmt"
	"log/slog"

	"ifagr/agr/datapath"
	"ifagr/netutil/ether"
	"ifagr/netutil/pkt"
	"ifagr/netutil/tap"
)

// A successor in the same process (execve(2)) gets the descriptors. Until its first
// Program nothing is read from them: frames wait in the TAP device, up to agrN's
// txqueuelen, and at the ports' sockets.

// tapName and names of a port's descriptors in a heritage.
const tapName = "tap"

func rxName(p datapath.Port) string     { return fmt.Sprint("rx/", p.Index) }
func txName(p datapath.Port) string     { return fmt.Sprint("tx/", p.Index) }
func shieldName(p datapath.Port) string { return fmt.Sprint("shield/", p.Index) }

var _ datapath.Bequeather = (*Device)(nil)

// Bequeath implements datapath.Bequeather.
func (d *Device) Bequeath() (datapath.Heritage, error) {
	h := make(datapath.Heritage)
	err := h.Keep(tapName, d.tap.FD())
	for _, p := range d.ports {
		err = errors.Join(err, d.bequeathPort(h, p))
	}
	err = errors.Join(err, d.Close(false))
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// bequeathPort leaves the shield in force: the port's own stack must not get what
// waits at the sockets.
func (d *Device) bequeathPort(h datapath.Heritage, p *port) error {
	wire, ok := p.wire.(interface{ Descriptors() (rx, tx int) })
	if !ok {
		return nil
	}
	rx, tx := wire.Descriptors()
	err := errors.Join(h.Keep(rxName(p.Port), rx), h.Keep(txName(p.Port), tx))
	if fd, ok := d.shield.links[p.Index]; ok {
		return errors.Join(err, h.Keep(shieldName(p.Port), fd))
	}
	p.undo = func() error { return nil } // it stays by itself
	return err
}

// Inherit is New for a successor, with what Bequeath has returned; New without it. The
// heritage is the device's from now on, also after an error.
func Inherit(name string, mac ether.Addr, h datapath.Heritage, log *slog.Logger, predecessors ...uint32) (*Device, error) {
	fd, ok := h.Take(tapName)
	if !ok {
		if err := h.Close(); err != nil {
			return nil, err
		}
		return New(name, mac, log, predecessors...)
	}
	t, err := tap.Inherit(fd, name)
	if err != nil {
		log.Warn("frames that waited are lost", "device", name, "err", errors.Join(err, h.Close()))
		return New(name, mac, log, predecessors...)
	}
	d, err := newDevice(t, log, h)
	if err != nil {
		return nil, errors.Join(err, t.Close(), h.Close())
	}
	d.adopted = true
	return d, nil
}

// openWire opens a port's sockets, or takes those of a predecessor.
func (d *Device) openWire(p datapath.Port) (*pkt.Data, error) {
	rx, okRx := d.heritage.Take(rxName(p))
	tx, okTx := d.heritage.Take(txName(p))
	if okRx && okTx {
		return pkt.InheritData(rx, tx), nil
	}
	return pkt.OpenData(p.Index)
}

// begin runs a loop, or lets it wait for the first Program where frames wait for
// that.
func (d *Device) begin(l *loop, move func() error, failed func(error)) {
	run := func() {
		if err := l.run(move); err != nil {
			failed(err)
		}
	}
	if d.heritage == nil {
		go run()
		return
	}
	d.waiting = append(d.waiting, run)
}

// release lets the loops run that wait, and gives back what no port has taken.
func (d *Device) release() {
	for _, run := range d.waiting {
		go run()
	}
	d.waiting = nil
	if err := d.heritage.Close(); err != nil {
		d.log.Warn("heritage not closed", "device", d.Name(), "err", err)
	}
	d.heritage = nil
}
