package kernel

import (
	"github.com/cilium/ebpf"

	"ifagr/netutil/hook"
)

// Unhook takes what killed processes have left at a port's ingress away: the programs
// with these numbers, of which they told Port.Note, and what is known by its name
// where names may be read.
func Unhook(ifindex int, programs []uint32) error {
	return hook.Detach(ifindex, agrProgAgrIn, programIDs(programs)...)
}

func programIDs(numbers []uint32) []ebpf.ProgramID {
	ids := make([]ebpf.ProgramID, len(numbers))
	for i, n := range numbers {
		ids[i] = ebpf.ProgramID(n)
	}
	return ids
}
