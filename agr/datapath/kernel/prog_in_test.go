package kernel

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"ifagr/netutil/ether"
)

// TestIn says where frames that arrive at a collecting port go, with a tag in the
// frame and beside it (design D8).
func TestIn(t *testing.T) {
	p := loadForwarding(t)
	in := p.behindPrelude(p.AgrIn)
	tests := []struct {
		name, frame string
		want        uint32
	}{
		{"to the host", farMAC + hostMAC + "0800" + payload, verdictRedirect},
		{"broadcast", "ffffffffffff" + hostMAC + "0806" + payload, verdictRedirect},
		{"VLAN 5", farMAC + hostMAC + "81000005" + "0800" + payload, verdictRedirect},
		{"priority-tagged", farMAC + hostMAC + "8100e000" + "0800" + payload, verdictRedirect},
		{"spanning tree", stpAddr + hostMAC + "0026" + payload, verdictRedirect},
		{"no tag behind its type", farMAC + hostMAC + "8100", verdictRedirect},
		{"tag cut short", farMAC + hostMAC + "810000", verdictRedirect},
		{"slow protocol in VLAN 5", farMAC + hostMAC + "81000005" + "8809" + payload, verdictRedirect},
		{"slow protocol, priority S-tag", farMAC + hostMAC + "88a80000" + "8809" + payload, verdictRedirect},

		{"LACPDU", lacpAddr + hostMAC + "8809" + payload, verdictNext},
		{"slow protocol to a unicast address", farMAC + hostMAC + "8809" + payload, verdictNext},
		{"LLDP", lldpAddr + hostMAC + "88cc" + payload, verdictNext},
		{"LLDP, priority-tagged", lldpAddr + hostMAC + "81000000" + "88cc" + payload, verdictNext},
		{"pause", "0180c2000001" + hostMAC + "8808" + payload, verdictNext},
		{"reserved group, tag cut short", lacpAddr + hostMAC + "81000000", verdictNext},
		{"LACPDU of 14 octets", lacpAddr + hostMAC + "8809", verdictNext},

		{"LACPDU, priority-tagged", lacpAddr + hostMAC + "8100e000" + "8809" + payload, verdictDrop},
		{"slow protocol, priority-tagged", farMAC + hostMAC + "8100e000" + "8809" + payload, verdictDrop},
		{"LACPDU in VLAN 5", lacpAddr + hostMAC + "81000005" + "8809" + payload, verdictDrop},
		{"LACPDU in two tags", lacpAddr + hostMAC + "81000000" + "81000000" + "8809" + payload, verdictDrop},
		{"LACPDU in three tags", lacpAddr + hostMAC + "88a80000" + "81000000" + "81000000" + "8809" + payload, verdictDrop},
	}
	for _, tt := range tests {
		for _, where := range []tagPlace{tagInside, tagBeside} {
			t.Run(tt.name+"/"+where.String(), func(t *testing.T) {
				if got := p.runAs(in, octets(t, tt.frame), where); got != tt.want {
					t.Errorf("agr_in says %d, want %d", int32(got), int32(tt.want))
				}
			})
		}
	}
}

// TestInCounts says what is counted where.
func TestInCounts(t *testing.T) {
	p := loadForwarding(t)
	frame := udpFrame(t, 1, 100)
	p.in(frame, verdictRedirect)
	p.in(frame, verdictRedirect)
	p.setFlags(slotLo, works&^agrPortFlagsPORT_COLLECT)
	p.in(frame, verdictDrop)
	p.in(octets(t, lacpAddr+hostMAC+"8809"+payload), verdictNext)
	want := agrPortStats{RxFrames: 2, RxBytes: 200, RxDropped: 1}
	if got := p.portStats(slotLo); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

// TestInElsewhere lets everything pass on a port that is not attached, on an
// interface with another index, and when another port has its slot.
func TestInElsewhere(t *testing.T) {
	p := loadForwarding(t)
	frame := udpFrame(t, 1, 100)
	if got := p.run(p.AgrIn, frame, context{Ifindex: p.index("p1")}); got != verdictNext {
		t.Errorf("on another interface: %d, want %d", int32(got), -1)
	}
	p.setFlags(slotLo, works&^agrPortFlagsPORT_ATTACHED)
	p.in(frame, verdictNext)
	p.setPort(slotLo, func(port *agrPort) { port.Ifindex, port.Flags = p.index("p1"), works })
	p.in(frame, verdictNext)
	if got := p.portStats(slotLo); got != (agrPortStats{}) {
		t.Errorf("counted %+v", got)
	}
}

// TestStaysOnPort compares both programs with package ether on frames of all
// kinds: what stays on the port is let pass or dropped there, and does not leave
// through one; everything else is forwarded.
func TestStaysOnPort(t *testing.T) {
	p := loadForwarding(t)
	in, out := p.behindPrelude(p.AgrIn), p.behindPrelude(p.AgrOut)
	r := rand.New(rand.NewPCG(5, 6))
	stayed := 0
	for range 10000 {
		f, where := randomFrame(r), tagPlace(r.IntN(2))
		stays := ether.StaysOnPort(f)
		if stays {
			stayed++
		}
		if got := p.runAs(in, f, where); (got != verdictRedirect) != stays {
			t.Fatalf("agr_in of %x, tag %v: %d; stays on port: %v", f, where, int32(got), stays)
		} else if got == verdictNext && slowInTags(f) {
			t.Fatalf("agr_in lets %x pass", f)
		}
		if got := p.runAs(out, f, where); (got != verdictRedirect) != stays {
			t.Fatalf("agr_out of %x, tag %v: %d; stays on port: %v", f, where, int32(got), stays)
		}
	}
	if stayed < 500 {
		t.Errorf("only %d of the frames stay on the port", stayed)
	}
}

// slowInTags says that a frame has tags, and the type of slow protocols behind.
func slowInTags(frame []byte) bool {
	tags := 0
	for hasTag(frame) {
		frame = append(append([]byte(nil), frame[:2*ether.AddrLen]...), frame[2*ether.AddrLen+ether.TagLen:]...)
		tags++
	}
	return tags > 0 && binary.BigEndian.Uint16(frame[2*ether.AddrLen:]) == ether.TypeSlow
}
