package kernel

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"ifagr/agr/dist"
	"ifagr/netutil/nettest"
)

// TestOutPaged sends long frames of which the kernel keeps only the Ethernet
// header where programs see it, and compares their conversations with Go's.
func TestOutPaged(t *testing.T) {
	p := loadForwarding(t)
	for _, name := range []string{"far-p3", "p3", "p1"} {
		p.ns.Run("ip", "link", "set", name, "mtu", "9000")
	}
	p.replaceOut("p3")
	hash := dist.Hash{Mode: dist.L4, Seed: 3}
	p.change(func(c *agrConfig) { c.Mode, c.Seed = modes[hash.Mode], hash.Seed })

	const size = 6000 // more than a page
	options := udpFrame(t, 2, size)
	options[14] = 0x46
	for name, frame := range map[string][]byte{
		"udp4": udpFrame(t, 1, size), "udp4 with options": options,
		"tcp4": tcpFrame(t, size), "tcp6": tcp6Frame(t, size),
	} {
		t.Run(name, func(t *testing.T) {
			before := p.conversationFrames()
			p.sendPaged("far-p3", frame)
			want := hash.Conversation(frame)
			nettest.Eventually(t, 5*time.Second, func() error {
				after := p.conversationFrames()
				for c := range after {
					after[c] -= before[c]
				}
				if c := slices.Index(after, 1); c != int(want) {
					return fmt.Errorf("conversation %d, want %d", c, want)
				}
				return nil
			})
		})
	}
}

// replaceOut attaches agr_out to an interface, with the maps that there are.
func (p *progs) replaceOut(name string) {
	p.t.Helper()
	vars := variables{agrVarOwnIfindex: p.index(name)}
	var objs agrPrograms
	if err := specOf(p.t, vars).LoadAndAssign(&objs, &ebpf.CollectionOptions{MapReplacements: map[string]*ebpf.Map{
		agrMapAgrConfig: p.AgrConfig, agrMapAgrPlan: p.AgrPlan, agrMapAgrPorts: p.AgrPorts, agrMapAgrConvs: p.AgrConvs,
		agrMapAgrPortStats: p.AgrPortStats, agrMapAgrConvStats: p.AgrConvStats,
	}}); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = objs.Close() })
	index := int(p.index(name))
	p.ns.Do(func() {
		l, err := link.AttachTCX(link.TCXOptions{
			Interface: index, Program: objs.AgrOut, Attach: ebpf.AttachTCXIngress,
		})
		if err != nil {
			p.t.Fatal(err)
		}
		p.t.Cleanup(func() { _ = l.Close() })
	})
}

// conversationFrames are the frames that each conversation has sent.
func (p *progs) conversationFrames() []uint64 {
	p.t.Helper()
	frames := make([]uint64, dist.Conversations)
	for c := range frames {
		frames[c] = p.convStats(uint32(c)).Frames
	}
	return frames
}

// sendPaged sends a frame whose Ethernet header alone is in one piece: the
// virtio_net_hdr before it has hdr_len 14.
func (p *progs) sendPaged(name string, frame []byte) {
	p.t.Helper()
	header := make([]byte, 10)
	header[2] = shortest
	index := int(p.index(name))
	p.ns.Do(func() {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			p.t.Fatal(err)
		}
		defer func() { _ = unix.Close(fd) }()
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1); err != nil {
			p.t.Fatal(err)
		}
		if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: index}); err != nil {
			p.t.Fatal(err)
		}
		if _, err := unix.Write(fd, append(header, frame...)); err != nil {
			p.t.Fatal(err)
		}
	})
}
