package kernel

import (
	"fmt"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"ifagr/agr/dist"
)

// BenchmarkPrograms tells what a frame costs in the programs, without what the
// redirection costs the kernel then. What "nothing" takes is not theirs.
func BenchmarkPrograms(b *testing.B) {
	b.Run("nothing", func(b *testing.B) {
		p := loadForwarding(b)
		p.measure(b, nothing(b), udpFrame(b, 1, 64))
	})
	frames := map[string][]byte{
		"udp4-64":   udpFrame(b, 1, 64),
		"tcp4-1514": tcpFrame(b, 1514),
		"tcp6-1514": tcp6Frame(b, 1514),
	}
	for name, frame := range frames {
		for _, mode := range []dist.Mode{dist.L3, dist.L4} {
			b.Run("out/"+name+"/"+mode.String(), func(b *testing.B) {
				p := loadForwarding(b)
				p.change(func(c *agrConfig) { c.Mode = modes[mode] })
				p.measure(b, p.AgrOut, frame)
			})
		}
		for _, dead := range []bool{false, true} {
			b.Run(fmt.Sprintf("keep/%s/dead=%v", name, dead), func(b *testing.B) {
				k := loadKeeping(b)
				k.config.alive.Store(monotonic() + hour)
				if dead {
					k.put(k.progs.AgrTotals, 0, agrTotals{Orphaned: k.config.alive.Load()})
				}
				k.measure(b, k.AgrOut, frame)
			})
		}
		b.Run("in/"+name, func(b *testing.B) {
			p := loadForwarding(b)
			p.measure(b, p.AgrIn, frame)
		})
	}
}

// nothing is a program that redirects to nowhere.
func nothing(b *testing.B) *ebpf.Program {
	b.Helper()
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SchedCLS, License: "BSD-2-Clause",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, verdictRedirect), asm.Return()},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = prog.Close() })
	return prog
}

// measure lets the kernel run a program on a frame again and again.
func (p *progs) measure(b *testing.B, prog *ebpf.Program, frame []byte) {
	b.Helper()
	var took time.Duration
	p.ns.Do(func() {
		verdict, perRun, err := prog.Benchmark(frame, b.N, b.ResetTimer)
		if err != nil {
			b.Fatal(err)
		}
		if verdict != verdictRedirect {
			b.Fatalf("verdict %d, want %d", int32(verdict), verdictRedirect)
		}
		took = perRun
	})
	b.ReportMetric(float64(took.Nanoseconds()), "ns/frame")
	b.ReportMetric(0, "ns/op")
}
