package kernel

import (
	"testing"
	"time"
)

// What a time namespace adds to the clock is taken off again.
func TestParseOffsets(t *testing.T) {
	tests := []struct {
		text string
		want time.Duration
	}{
		{"monotonic           0         0\nboottime            0         0\n", 0},
		{"monotonic      100000 500\nboottime -3 0\n", 100000*time.Second + 500},
		{"monotonic -20 999999999\n", -20*time.Second + 999999999},
		{"boottime 7 0\n", 0},
		{"monotonic ten 0\n", 0},
		{"", 0},
	}
	for _, tt := range tests {
		if got := parseOffsets(tt.text); got != tt.want {
			t.Errorf("%q: %v, want %v", tt.text, got, tt.want)
		}
	}
}
