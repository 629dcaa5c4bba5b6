package user

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"ifagr/netutil/ether"
	"ifagr/netutil/hook"
)

// Verdicts of the program, the same at both kinds of hook (linux/pkt_cls.h). Next
// leaves the frame to whatever comes next there.
const (
	verdictNext = -1 // TC_ACT_UNSPEC
	verdictDrop = 2  // TC_ACT_SHOT
)

// Offsets in struct __sk_buff (linux/bpf.h).
const (
	skbProtocol    = 16
	skbVLANPresent = 20
	skbData        = 76
	skbDataEnd     = 80
)

// loadShield loads the program, one for all ports.
func loadShield() (*ebpf.Program, error) {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name:         ShieldProgram,
		Type:         ebpf.SchedCLS,
		Instructions: shieldInstructions(),
		License:      "BSD-2-Clause",
	})
	if err != nil {
		return nil, fmt.Errorf("shield: load: %w", unavailable(err))
	}
	return prog, nil
}

// unavailable makes "the kernel has none" and "you may not" errors that lead to
// another way: the user datapath works wherever it may open its sockets.
func unavailable(err error) error {
	if errors.Is(err, ebpf.ErrNotSupported) || errors.Is(err, os.ErrPermission) {
		return errors.Join(hook.ErrNotSupported, err)
	}
	return err
}

// shieldInstructions is the program. In C:
//
//	if (skb->protocol == htons(0x8809))
//		return skb->vlan_present ? DROP : NEXT;
//	if the frame is addressed to 01-80-C2-00-00-01 to -0F
//		return NEXT;
//	return DROP;
//
// At this hook the protocol of a frame that had a tag is the type behind it. A
// priority-tagged slow-protocol frame has to be told here from an untagged one:
// a socket bound to 0x8809 cannot.
func shieldInstructions() asm.Instructions {
	slow := int32(hostOrder16(ether.TypeSlow))
	return asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, skbProtocol, asm.Word),
		asm.JNE.Imm(asm.R2, slow, "address"),
		asm.LoadMem(asm.R2, asm.R1, skbVLANPresent, asm.Word),
		asm.JNE.Imm(asm.R2, 0, "drop"),
		asm.Ja.Label("next"),

		asm.LoadMem(asm.R2, asm.R1, skbData, asm.Word).WithSymbol("address"),
		asm.LoadMem(asm.R3, asm.R1, skbDataEnd, asm.Word),
		asm.Mov.Reg(asm.R4, asm.R2),
		asm.Add.Imm(asm.R4, ether.HeaderLen),
		asm.JGT.Reg(asm.R4, asm.R3, "drop"),
		asm.LoadMem(asm.R4, asm.R2, 0, asm.Word),
		asm.HostTo(asm.BE, asm.R4, asm.Word),
		asm.JNE.Imm32(asm.R4, 0x0180c200, "drop"),
		asm.LoadMem(asm.R4, asm.R2, 4, asm.Half),
		asm.HostTo(asm.BE, asm.R4, asm.Half),
		asm.JEq.Imm(asm.R4, 0, "drop"),
		asm.JGT.Imm(asm.R4, 0x0f, "drop"),

		asm.Mov.Imm(asm.R0, verdictNext).WithSymbol("next"),
		asm.Return(),
		asm.Mov.Imm(asm.R0, verdictDrop).WithSymbol("drop"),
		asm.Return(),
	}
}
