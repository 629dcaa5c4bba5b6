package linux

import (
	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
)

// SetQueueLen implements ifcfg.Tuner.
func (k *Kernel) SetQueueLen(index, frames int) error { return failed(k.rt.SetQueueLen(index, frames)) }

// Rename implements ifcfg.Tuner.
func (k *Kernel) Rename(index int, name string) error {
	delete(k.links, index)
	return failed(k.rt.Rename(index, name))
}

// kernelFlags translates flags for the kernel, which has another bit for one of
// them.
func kernelFlags(f ifcfg.Flags) uint32 {
	out := uint32(f &^ ifcfg.FlagMulticast)
	if f&ifcfg.FlagMulticast != 0 {
		out |= unix.IFF_MULTICAST
	}
	return out
}
