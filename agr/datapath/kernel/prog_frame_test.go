package kernel

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"testing"

	"ifagr/netutil/ether"
)

// Parts of frames, in hex.
const (
	hostMAC  = "020000000001"
	farMAC   = "020000000002"
	lacpAddr = "0180c2000002"
	lldpAddr = "0180c200000e"
	stpAddr  = "0180c2000000"
	payload  = "0000000000000000000000000000000000000000000000000000000000000000"
)

func octets(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// udpFrame is a frame of n octets of conversations that differ by i.
func udpFrame(t testing.TB, i byte, n int) []byte {
	t.Helper()
	f := octets(t, farMAC+hostMAC+"0800"+"4500002000010000401100000a0000010a000002"+"c0000050000c0000")
	f[14+15] = i
	return append(f, make([]byte, n-len(f))...)
}

// tcpFrame is a frame of n octets.
func tcpFrame(t testing.TB, n int) []byte {
	t.Helper()
	f := udpFrame(t, 1, n)
	f[14+9] = 6
	return f
}

// randomFrame is a frame of some kind, whole or cut, with things in it that the
// programs look at, more often than chance would have them.
func randomFrame(r *rand.Rand) []byte {
	f := randomDestination(r)
	f = append(f, randomOctets(r, ether.AddrLen)...)
	for range pick(r, 0, 0, 0, 0, 1, 1, 2, 3) {
		f = binary.BigEndian.AppendUint16(f, uint16(pick(r, ether.TypeVLAN, ether.TypeVLAN, ether.TypeSVLAN)))
		f = binary.BigEndian.AppendUint16(f, uint16(pick(r, 0, 0xe000, r.IntN(1<<16))))
	}
	typ := pick(r, ether.TypeIPv4, ether.TypeIPv4, ether.TypeIPv6, ether.TypeIPv6, ether.TypeSlow, ether.TypeARP,
		ether.TypeVLAN, r.IntN(1<<16))
	f = binary.BigEndian.AppendUint16(f, uint16(typ))
	switch typ {
	case ether.TypeIPv4:
		f = append(f, randomIPv4(r)...)
	case ether.TypeIPv6:
		f = append(f, randomIPv6(r)...)
	}
	f = append(f, randomOctets(r, r.IntN(80))...)
	if r.IntN(3) == 0 {
		f = f[:shortest+r.IntN(len(f)-shortest+1)]
	}
	return slices.Clip(f)
}

func randomDestination(r *rand.Rand) []byte {
	if r.IntN(4) != 0 {
		return randomOctets(r, ether.AddrLen)
	}
	a := ether.SlowProtocols
	a[5] = byte(r.IntN(0x12))
	if r.IntN(4) == 0 {
		a[r.IntN(5)] ^= 1
	}
	return a[:]
}

// randomIPv4 is a header with options, which may be longer or shorter than what
// follows; a fragment one time in three.
func randomIPv4(r *rand.Rand) []byte {
	h := randomOctets(r, 20)
	h[0] = byte(pick(r, 0x45, 0x45, 0x45, 0x40|r.IntN(16), r.IntN(256)))
	binary.BigEndian.PutUint16(h[6:], uint16(pick(r, 0, 0x4000, 0x2000, 0x00b9, r.IntN(1<<16), 0)))
	h[9] = byte(pick(r, 6, 17, 132, 1, r.IntN(256)))
	return h
}

// randomIPv6 is a header, with an extension header behind it one time in three.
func randomIPv6(r *rand.Rand) []byte {
	h := randomOctets(r, 40)
	h[0] = byte(pick(r, 0x60, 0x60, 0x60|r.IntN(16), r.IntN(256)))
	h[6] = byte(pick(r, 6, 17, 132, 0, 43, 44, 58, r.IntN(256)))
	return h
}

func randomOctets(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func pick(r *rand.Rand, from ...int) int { return from[r.IntN(len(from))] }

// tcp6Frame is a frame of n octets.
func tcp6Frame(t testing.TB, n int) []byte {
	t.Helper()
	f := octets(t, farMAC+hostMAC+"86dd"+"6001234500140640"+
		"20010db8000000000000000000000001"+"20010db8000000000000000000000002"+"c0000050")
	return append(f, make([]byte, n-len(f))...)
}
