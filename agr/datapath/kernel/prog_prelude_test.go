package kernel

import (
	"encoding/binary"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"ifagr/netutil/ether"
)

// tagPlace is where the outermost tag of a frame is when a program sees it.
type tagPlace int

const (
	tagInside tagPlace = iota // in the frame
	tagBeside                 // beside it, as the kernel has it
)

func (w tagPlace) String() string { return [...]string{"inside", "beside"}[w] }

// longEnough is a length that BPF_PROG_TEST_RUN never complains about: it wants
// whole IP headers.
const longEnough = ether.HeaderLen + 40

// runAs runs a program that behindPrelude made on a frame of any length from
// shortest on.
func (p *progs) runAs(prog *ebpf.Program, frame []byte, where tagPlace) uint32 {
	p.t.Helper()
	var ctx context
	if where == tagBeside && hasTag(frame) {
		ctx.Cb[0] = uint32(binary.NativeEndian.Uint16(frame[12:]))
		ctx.Cb[1] = uint32(binary.BigEndian.Uint16(frame[14:]))
	}
	if n := len(frame); n < longEnough {
		ctx.Cb[2] = uint32(n)
		frame = append(append([]byte(nil), frame...), make([]byte, longEnough-n)...)
	}
	return p.run(prog, frame, ctx)
}

// hasTag says that a frame has a tag, and a type behind it.
func hasTag(frame []byte) bool {
	typ := binary.BigEndian.Uint16(frame[12:])
	return (typ == ether.TypeVLAN || typ == ether.TypeSVLAN) && len(frame) >= ether.HeaderLen+ether.TagLen
}

// behindPrelude puts a program before prog that cuts the frame and does with its
// outermost tag what the kernel does when it receives a frame:
//
//	if (skb->cb[2])
//		bpf_skb_change_tail(skb, skb->cb[2], 0);
//	if (skb->cb[0]) {
//		bpf_skb_vlan_pop(skb);
//		bpf_skb_vlan_push(skb, skb->cb[0], skb->cb[1]);
//	}
//	bpf_tail_call(skb, &map, 0);
//	return 0;
func (p *progs) behindPrelude(prog *ebpf.Program) *ebpf.Program {
	p.t.Helper()
	prelude, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "prelude", Type: ebpf.SchedCLS, License: "BSD-2-Clause",
		Instructions: preludeInstructions(tailCallMap(p.t, prog).FD()),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = prelude.Close() })
	return prelude
}

func preludeInstructions(next int) asm.Instructions {
	const cb0, cb1, cb2 = 48, 52, 56 // offsets in struct __sk_buff
	return asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R2, asm.R6, cb2, asm.Word),
		asm.JEq.Imm(asm.R2, 0, "tag"),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnSkbChangeTail.Call(),

		asm.LoadMem(asm.R7, asm.R6, cb0, asm.Word).WithSymbol("tag"),
		asm.JEq.Imm(asm.R7, 0, "next"),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.FnSkbVlanPop.Call(),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.LoadMem(asm.R3, asm.R6, cb1, asm.Word),
		asm.FnSkbVlanPush.Call(),

		asm.Mov.Reg(asm.R1, asm.R6).WithSymbol("next"),
		asm.LoadMapPtr(asm.R2, next),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnTailCall.Call(),
		asm.Mov.Imm(asm.R0, 0),
		asm.Return(),
	}
}

// tailCallMap is a map with one program in it.
func tailCallMap(t testing.TB, prog *ebpf.Program) *ebpf.Map {
	t.Helper()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.ProgramArray, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	if err := m.Put(uint32(0), prog); err != nil {
		t.Fatal(err)
	}
	return m
}
