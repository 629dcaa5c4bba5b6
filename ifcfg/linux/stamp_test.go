package linux

import "testing"

// A kernel with 250 ticks a second, 100 s after its boot.
func TestStampedNow(t *testing.T) {
	const ticks = (1<<32-300*250)*100/250 + 10000
	tests := []struct {
		stamp uint32
		want  bool
	}{{10000, true}, {9999, true}, {10001, true}, {9990, false}, {5000, false}, {20000, false}}
	for _, tt := range tests {
		if got := stampedNow(tt.stamp, ticks); got != tt.want {
			t.Errorf("stamp %d: %v, want %v", tt.stamp, got, tt.want)
		}
	}
}
