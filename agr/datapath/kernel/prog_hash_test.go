package kernel

import (
	"bufio"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"ifagr/agr/dist"
	"ifagr/netutil/ether"
)

// shortest is the shortest frame that BPF_PROG_TEST_RUN takes: an Ethernet
// header. Shorter ones do not come from an interface either.
const shortest = ether.HeaderLen

var modes = map[dist.Mode]agrHashMode{
	dist.L2: agrHashModeMODE_L2, dist.L3: agrHashModeMODE_L3, dist.L4: agrHashModeMODE_L4,
}

// vector is one line of the hash's vectors.
type vector struct {
	name  string
	hash  dist.Hash
	sum   uint32
	frame []byte
}

// vectors reads the lines of package dist: mode seed sum conversation frame # name.
func vectors(t *testing.T) []vector {
	t.Helper()
	f, err := os.Open("../../dist/testdata/hash.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var vs []vector
	for s := bufio.NewScanner(f); s.Scan(); {
		line, name, _ := strings.Cut(s.Text(), "#")
		field := strings.Fields(line)
		if len(field) == 0 {
			continue
		}
		if len(field) != 5 {
			t.Fatalf("%q has %d fields, want 5", s.Text(), len(field))
		}
		v := vector{name: strings.TrimSpace(name), sum: number(t, field[2])}
		v.hash = dist.Hash{Mode: modeNamed(t, field[0]), Seed: number(t, field[1])}
		if v.frame, err = hex.DecodeString(strings.Trim(field[4], "-")); err != nil {
			t.Fatal(err)
		}
		vs = append(vs, v)
	}
	return vs
}

func number(t *testing.T, s string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

func modeNamed(t *testing.T, name string) dist.Mode {
	t.Helper()
	for m := range modes {
		if m.String() == name {
			return m
		}
	}
	t.Fatalf("no mode %q", name)
	return 0
}

// configure sets how the programs hash.
func (p *progs) configure(h dist.Hash) {
	p.t.Helper()
	p.put(p.AgrConfig, 0, agrConfig{Seed: h.Seed, Mode: modes[h.Mode]})
}

// TestHashVectors runs the vectors of package dist through the program.
func TestHashVectors(t *testing.T) {
	p := loadProgs(t)
	hash := p.behindPrelude(p.AgrHash)
	var run, short int
	for _, v := range vectors(t) {
		if len(v.frame) < shortest {
			short++
			continue
		}
		run++
		p.configure(v.hash)
		if got := p.runAs(hash, v.frame, tagInside); got != v.sum {
			t.Errorf("%s, %v: %#x, want %#x", v.name, v.hash, got, v.sum)
		}
	}
	t.Logf("%d vectors run, %d shorter than %d octets", run, short, shortest)
	if run < 200 || short > run/10 {
		t.Errorf("%d vectors run, %d too short to be", run, short)
	}
}

// TestHashRandom compares the program with the Go hash on frames of all kinds,
// with the outermost tag in the frame or beside it.
func TestHashRandom(t *testing.T) {
	p := loadProgs(t)
	hash := p.behindPrelude(p.AgrHash)
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		h := dist.Hash{Mode: dist.Mode(r.IntN(len(modes))), Seed: r.Uint32()}
		p.configure(h)
		for range 40 {
			f, where := randomFrame(r), tagPlace(r.IntN(2))
			if got, want := p.runAs(hash, f, where), h.Sum(f); got != want {
				t.Fatalf("%v of %x, tag %v: %#x, want %#x", h, f, where, got, want)
			}
		}
	}
}
