package marker_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/marker"
	"ifagr/agr/slow"
	"ifagr/netutil/ether"
)

// The port's address, and that of its system.
var (
	own    = ether.Addr{0xb2, 0x0a, 0x07, 0x0b, 0x0e, 0x01}
	system = ether.Addr{0xb2, 0x0a, 0x07, 0x0b, 0x0e, 0x00}
)

// M1: NetBSD's answers to three Markers, octet by octet.
func TestRespond_6_5_4_Capture(t *testing.T) {
	frames := capture(t, "../../testdata/captures/netbsd-marker-port1.pcap")
	for i := 0; i < 6; i += 2 {
		got, ok := marker.Respond(nil, frames[i], own, system)
		if !ok {
			t.Fatalf("frame %d is not answered", i+1)
		}
		if d := cmp.Diff(frames[i+1], got); d != "" {
			t.Errorf("frame %d: %s", i+1, d)
		}
	}
	for i, f := range frames[6:] {
		if _, ok := marker.Respond(nil, f, own, system); ok {
			t.Errorf("frame %d is answered", i+7)
		}
	}
}

// M1, M5: version, pads, trailing octets and length come back as they were; the
// frame itself is not touched.
func TestRespond_6_5_4_KeepsAllElse(t *testing.T) {
	frame := slow.AppendMarker(nil, ether.Addr{2, 0, 0, 0, 0, 1}, slow.Marker{
		Type: slow.MarkerInformation, RequesterPort: 5, TransactionID: 0xdeadbeef,
	})
	frame[15] = 2                       // version
	frame[31] = 0xaa                    // pad
	frame[40] = 0xbb                    // reserved
	frame = append(frame, 0xcc, 0, 0xd) // more
	before := bytes.Clone(frame)

	want := bytes.Clone(frame)
	copy(want[6:], own[:])
	want[16] = slow.MarkerResponse
	got, ok := marker.Respond([]byte{1}, frame, own, system)
	if !ok {
		t.Fatal("not answered")
	}
	if d := cmp.Diff(append([]byte{1}, want...), got); d != "" {
		t.Error(d)
	}
	if !bytes.Equal(before, frame) {
		t.Error("the request was changed")
	}
}

// M3, M4: a response or another type is not answered, so two responders cannot
// keep a frame going; nor is what comes back to its sender.
func TestRespond_6_5_4_Ignores(t *testing.T) {
	info := slow.AppendMarker(nil, ether.Addr{2, 0, 0, 0, 0, 1}, slow.Marker{Type: slow.MarkerInformation})
	response, _ := marker.Respond(nil, info, own, system)
	other := bytes.Clone(info)
	other[16] = 3
	looped := slow.AppendMarker(nil, own, slow.Marker{Type: slow.MarkerInformation, RequesterSystem: system})
	for name, frame := range map[string][]byte{
		"response": response, "type 3": other, "short": info[:60], "empty": nil, "its own system's": looped,
	} {
		if got, ok := marker.Respond([]byte{7}, frame, own, system); ok || !bytes.Equal(got, []byte{7}) {
			t.Errorf("%s: answered with %x", name, got)
		}
	}
}

// M6: never more than ten in a second, however they come, and ten at once are
// allowed.
func TestLimiter(t *testing.T) {
	tests := []struct {
		name  string
		every time.Duration
		asked int
		want  int
	}{
		{"burst", 0, 1000, 10},
		{"a thousand in a second", time.Millisecond, 1000, 10},
		{"for three seconds", time.Millisecond, 3000, 30},
		{"ten a second", 100 * time.Millisecond, 100, 100},
		{"twenty a second", 50 * time.Millisecond, 200, 100},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var l marker.Limiter
			var allowed []time.Duration
			for i := range tt.asked {
				if now := time.Duration(i) * tt.every; l.Allow(now) {
					allowed = append(allowed, now)
				}
			}
			if len(allowed) != tt.want {
				t.Errorf("%d responses, want %d", len(allowed), tt.want)
			}
			for i := marker.ResponseLimit; i < len(allowed); i++ {
				if d := allowed[i] - allowed[i-marker.ResponseLimit]; d < time.Second {
					t.Fatalf("eleven responses within %v", d)
				}
			}
		})
	}
}

// capture reads the frames of a classic little-endian pcap file.
func capture(t *testing.T, path string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const fileHeader, frameHeader = 24, 16
	var frames [][]byte
	for b = b[fileHeader:]; len(b) >= frameHeader; {
		end := frameHeader + int(binary.LittleEndian.Uint32(b[8:]))
		frames = append(frames, b[frameHeader:end])
		b = b[end:]
	}
	if len(frames) < 7 {
		t.Fatalf("%s: %d frames", path, len(frames))
	}
	return frames
}
