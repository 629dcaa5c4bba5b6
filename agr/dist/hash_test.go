package dist

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata")

const vectorFile = "testdata/hash.txt"

// vector is one line of the vector file.
type vector struct {
	Name         string
	Frame        string // hex
	Mode         string
	Seed         uint32
	Sum          uint32
	Conversation uint8
}

var modes = map[string]Mode{"l2": L2, "l3": L3, "l4": L4}

// TestVectors holds the hash to the file that its other implementation, the
// eBPF program, is held to as well.
func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	vectors := readVectors(t)
	if len(vectors) < 3*len(samples) {
		t.Fatalf("%d vectors, want each of %d frames in each mode", len(vectors), len(samples))
	}
	for _, want := range vectors {
		frame, err := hex.DecodeString(want.Frame)
		if err != nil {
			t.Fatalf("%s: %v", want.Name, err)
		}
		h := Hash{Mode: modes[want.Mode], Seed: want.Seed}
		got := want
		got.Sum, got.Conversation = h.Sum(frame), h.Conversation(frame)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

// TestMurmur holds the function itself to sums that other implementations give
// for the same octets.
func TestMurmur(t *testing.T) {
	tests := []struct {
		words []uint32
		seed  uint32
		want  uint32
	}{
		{nil, 0, 0},
		{nil, 1, 0x514e28b7},
		{nil, 0xffffffff, 0x81f16f39},
		{[]uint32{0xffffffff}, 0, 0x76293b50},
		{[]uint32{0x87654321}, 0, 0xf55b516b},
		{[]uint32{0x87654321}, 0x5082edee, 0x2362f9de},
		{[]uint32{0}, 0, 0x2362f9de},
		{[]uint32{0x61616161}, 0x9747b28c, 0x5a97808a}, // "aaaa"
	}
	for _, tt := range tests {
		m := murmur{h: tt.seed}
		for _, w := range tt.words {
			m.word(w)
		}
		if got := m.sum(); got != tt.want {
			t.Errorf("words %x, seed %#x: %#x, want %#x", tt.words, tt.seed, got, tt.want)
		}
	}
}

// TestSameConversation says which differences matter in which mode.
func TestSameConversation(t *testing.T) {
	tests := []struct {
		name, a, b string
		same       map[Mode]bool
	}{
		{"other destination port", "tcp4", "tcp4 port 81", map[Mode]bool{L2: true, L3: true, L4: false}},
		{"other IPv4 destination", "tcp4", "tcp4 to .3", map[Mode]bool{L2: true, L3: false, L4: false}},
		{"other protocol", "tcp4", "udp4", map[Mode]bool{L2: true, L3: false, L4: false}},
		{"source and destination swapped", "tcp4", "tcp4 back", map[Mode]bool{L2: false, L3: false, L4: false}},
		{"only the IPv4 addresses swapped", "tcp4", "tcp4 back, same MACs", map[Mode]bool{L2: true, L3: false, L4: false}},
		{"first and later fragment", "udp4 first fragment", "udp4 later fragment", map[Mode]bool{L2: true, L3: true, L4: true}},
		{"fragments of other ports", "udp4 first fragment", "udp4 first fragment, port 81", map[Mode]bool{L2: true, L3: true, L4: true}},
		{"tagged and not", "tcp4", "tcp4 in VLAN 100", map[Mode]bool{L2: false, L3: false, L4: false}},
		{"other priority", "tcp4 in VLAN 100", "tcp4 in VLAN 100, priority 5", map[Mode]bool{L2: false, L3: false, L4: false}},
		{"C-tag and S-tag", "tcp4 in VLAN 100", "tcp4 in S-VLAN 100", map[Mode]bool{L2: true, L3: true, L4: true}},
		{"inner tag", "tcp4 in S-VLAN 100", "tcp4 in S-VLAN 100, VLAN 7", map[Mode]bool{L2: true, L3: true, L4: true}},
		{"third tag hides IP", "tcp4 in three tags", "tcp4 to .3 in three tags", map[Mode]bool{L2: true, L3: true, L4: true}},
		{"IPv4 options do not matter", "tcp4", "tcp4 with options", map[Mode]bool{L2: true, L3: true, L4: true}},
		{"other flow label", "tcp6", "tcp6 label 12345", map[Mode]bool{L2: true, L3: false, L4: false}},
		{"other traffic class", "tcp6", "tcp6 class 5", map[Mode]bool{L2: true, L3: true, L4: true}},
		{"other IPv6 next header", "tcp6", "udp6", map[Mode]bool{L2: true, L3: true, L4: true}},
		{"other IPv6 port", "tcp6", "tcp6 port 81", map[Mode]bool{L2: true, L3: true, L4: false}},
		{"IPv6 fragments of other ports", "udp6 fragment", "udp6 fragment, port 81", map[Mode]bool{L2: true, L3: true, L4: true}},
		{"ICMP echo of other numbers", "icmp4", "icmp4 other", map[Mode]bool{L2: true, L3: true, L4: true}},
		{"SCTP ports", "sctp4", "sctp4 port 81", map[Mode]bool{L2: true, L3: true, L4: false}},
		{"bad IP version", "tcp4 version 5", "tcp4 to .3 version 5", map[Mode]bool{L2: true, L3: true, L4: true}},
		{"short header length", "tcp4 header length 16", "tcp4 to .3 header length 16", map[Mode]bool{L2: true, L3: true, L4: true}},
	}
	for _, tt := range tests {
		for mode, same := range tt.same {
			t.Run(fmt.Sprintf("%s/%v", tt.name, mode), func(t *testing.T) {
				h := Hash{Mode: mode, Seed: 1}
				a, b := h.Sum(sample(t, tt.a)), h.Sum(sample(t, tt.b))
				if (a == b) != same {
					t.Errorf("%s: %#x, %s: %#x; want the same: %v", tt.a, a, tt.b, b, same)
				}
			})
		}
	}
}

// TestSpread sends many flows that differ in little, and wants each conversation
// to get about as many as the others: 256 draws of a binomial distribution stay
// within six standard deviations of its mean.
func TestSpread(t *testing.T) {
	const flows, mean, most = 256 * 64, 64, 48
	for name, vary := range map[string]func(f []byte, i int){
		"source address": func(f []byte, i int) { binary.BigEndian.PutUint16(f[28:], uint16(i)) },
		"port":           func(f []byte, i int) { binary.BigEndian.PutUint16(f[34:], uint16(i)) },
		"station":        func(f []byte, i int) { binary.BigEndian.PutUint16(f[10:], uint16(i)) },
	} {
		t.Run(name, func(t *testing.T) {
			h := Hash{Mode: L4, Seed: 0xcafe}
			var count [Conversations]int
			f := sample(t, "tcp4")
			for i := range flows {
				vary(f, i)
				count[h.Conversation(f)]++
			}
			for c, n := range count {
				if n < mean-most || n > mean+most {
					t.Errorf("conversation %d got %d of %d flows", c, n, flows)
				}
			}
		})
	}
}

func TestSeedMatters(t *testing.T) {
	f := sample(t, "tcp4")
	if a, b := (Hash{Seed: 1}).Sum(f), (Hash{Seed: 2}).Sum(f); a == b {
		t.Errorf("seeds 1 and 2 both give %#x", a)
	}
}

// TestEveryLength cuts every sample short everywhere: no length is too short, and
// nothing behind the end of a frame is looked at.
func TestEveryLength(t *testing.T) {
	for _, s := range samples {
		f := s.frame()
		for n := range len(f) + 1 {
			for _, mode := range modes {
				h := Hash{Mode: mode}
				longer := append([]byte(nil), f...)
				if a, b := h.Sum(f[:n:n]), h.Sum(longer[:n]); a != b {
					t.Errorf("%s cut to %d octets: %#x alone, %#x in a larger buffer", s.name, n, a, b)
				}
			}
		}
	}
}

func TestSumAllocatesNothing(t *testing.T) {
	f, h := sample(t, "tcp6"), Hash{Mode: L4}
	if n := testing.AllocsPerRun(100, func() { h.Sum(f) }); n != 0 {
		t.Errorf("%v allocations for a frame, want 0", n)
	}
}

func FuzzSum(f *testing.F) {
	for _, s := range samples {
		f.Add(s.frame(), uint8(L4), uint32(1))
	}
	f.Fuzz(func(t *testing.T, frame []byte, mode uint8, seed uint32) {
		h := Hash{Mode: Mode(mode % 3), Seed: seed}
		sum := h.Sum(frame)
		if again := h.Sum(append([]byte(nil), frame...)); again != sum {
			t.Errorf("%#x, then %#x", sum, again)
		}
		if c := h.Conversation(frame); c != uint8(sum) {
			t.Errorf("conversation %d of sum %#x", c, sum)
		}
	})
}

func BenchmarkSum(b *testing.B) {
	for _, s := range samples {
		if s.name != "tcp4" && s.name != "tcp6" {
			continue
		}
		f := s.frame()
		b.Run(s.name, func(b *testing.B) {
			h := Hash{Mode: L4}
			for b.Loop() {
				h.Sum(f)
			}
		})
	}
}

// readVectors reads lines of: mode seed sum conversation frame # name.
func readVectors(t *testing.T) []vector {
	t.Helper()
	f, err := os.Open(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var vs []vector
	for s := bufio.NewScanner(f); s.Scan(); {
		line, name, _ := strings.Cut(s.Text(), "#")
		field := strings.Fields(line)
		if len(field) == 0 {
			continue
		}
		if len(field) != 5 {
			t.Fatalf("%s: %q has %d fields, want 5", vectorFile, s.Text(), len(field))
		}
		vs = append(vs, vector{
			Name: strings.TrimSpace(name), Mode: field[0], Seed: uint32(number(t, field[1])),
			Sum: uint32(number(t, field[2])), Conversation: uint8(number(t, field[3])),
			Frame: strings.Trim(field[4], "-"),
		})
	}
	return vs
}

func number(t *testing.T, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// writeVectors makes the file new from the samples.
func writeVectors(t *testing.T) {
	t.Helper()
	var b strings.Builder
	b.WriteString("# Vectors of the frame hash: mode seed sum conversation frame. The package comment\n" +
		"# of agr/dist defines it. \"-\" is the empty frame.\n")
	for _, s := range samples {
		for _, mode := range []Mode{L2, L3, L4} {
			for _, seed := range []uint32{0, 0x9747b28c} {
				h := Hash{Mode: mode, Seed: seed}
				f := s.frame()
				text := hex.EncodeToString(f)
				if text == "" {
					text = "-"
				}
				fmt.Fprintf(&b, "%v 0x%08x 0x%08x %3d %s # %s\n", mode, seed, h.Sum(f), h.Conversation(f), text, s.name)
			}
		}
	}
	if err := os.WriteFile(vectorFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
