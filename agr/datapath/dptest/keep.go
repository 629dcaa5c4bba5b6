package dptest

import "ifagr/agr/datapath"

// Keep implements datapath.Device.
func (d *Device) Keep(number uint16, k datapath.Keep) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.ports[number]; !ok {
		return datapath.ErrNoPort
	}
	d.keeps[number] = k
	return nil
}

// LastKeep is what is kept on a port.
func (d *Device) LastKeep(number uint16) datapath.Keep {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.keeps[number]
}

// Alive implements datapath.Device.
func (d *Device) Alive() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.alive++
}

// Signs tells how often Alive was called.
func (d *Device) Signs() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.alive
}

// Sent implements datapath.Device.
func (d *Device) Sent(number uint16) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sent[number]++
}

// Kept implements datapath.Device with what SetKept set.
func (d *Device) Kept(number uint16) datapath.Kept {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.kept[number]
}

// SetKept sets what Kept returns for a port.
func (d *Device) SetKept(number uint16, k datapath.Kept) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kept[number] = k
}
