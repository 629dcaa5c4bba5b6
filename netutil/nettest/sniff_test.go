package nettest_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"ifagr/netutil/nettest"
)

// experimental is a frame of an EtherType that is for experiments (IEEE 802),
// behind these tags.
func experimental(tags ...byte) []byte {
	f := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1}, tags...)
	return append(f, append([]byte{0x88, 0xb5}, bytes.Repeat([]byte{7}, 50)...)...)
}

// Every frame is seen as it was sent, tags and all, at both ends.
func TestSniff(t *testing.T) {
	nettest.Require(t, nettest.Root, nettest.IPRoute)
	a, b := nettest.New(t), nettest.New(t)
	nettest.Veth(a, "p0", b, "q0", nettest.NoIPv6)
	mine := func(f nettest.Frame) bool { return bytes.HasSuffix(f.Data, bytes.Repeat([]byte{7}, 50)) }
	sent, got := nettest.Sniff(t, a, "p0", mine), nettest.Sniff(t, b, "q0", mine)
	frames := [][]byte{
		experimental(),
		experimental(0x81, 0x00, 0xa0, 0x05),
		experimental(0x88, 0xa8, 0x00, 0x64, 0x81, 0x00, 0x00, 0x05),
		experimental(0x81, 0x00, 0x00, 0x00), // priority-tagged
	}
	begin := time.Now()
	a.Send("p0", frames...)
	for _, s := range []*nettest.Sniffer{sent, got} {
		nettest.Eventually(t, time.Second, func() error {
			if n := len(s.Frames()); n != len(frames) {
				return fmt.Errorf("%d frames, want %d", n, len(frames))
			}
			return nil
		})
		for i, f := range s.Frames() {
			if !bytes.Equal(f.Data, frames[i]) || f.Out != (s == sent) || f.Segment != 0 {
				t.Errorf("frame %d: out %v, segments of %d, % x\nwant % x", i, f.Out, f.Segment, f.Data, frames[i])
			}
			if f.At.Before(begin.Round(0)) || f.At.After(time.Now().Round(0)) {
				t.Errorf("frame %d was seen at %v, but sent after %v", i, f.At, begin)
			}
		}
	}
	if sent.Count(true) != len(frames) || sent.Count(false) != 0 || got.Count(true) != 0 || got.Count(false) != len(frames) {
		t.Errorf("counts: %d and %d, %d and %d", sent.Count(true), sent.Count(false), got.Count(true), got.Count(false))
	}
}
