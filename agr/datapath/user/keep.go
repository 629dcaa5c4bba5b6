package user

import "ifagr/agr/datapath"

// Keep implements datapath.Device: without this process nothing is forwarded, so
// there is nothing to keep a partner for (datapath.Info.Keeps).
func (d *Device) Keep(uint16, datapath.Keep) error { return nil }

// Alive implements datapath.Device; nobody asks.
func (d *Device) Alive() {}

// Sent implements datapath.Device; nobody asks.
func (d *Device) Sent(uint16) {}

// Kept implements datapath.Device: nothing was.
func (d *Device) Kept(uint16) datapath.Kept { return datapath.Kept{} }
