package ifcfg

import (
	"math"
	"testing"
)

// humanize_number(3) with a buffer of five.
func TestHumanBytes(t *testing.T) {
	tests := []struct {
		n    uint64
		want string
	}{
		{0, "0 bytes"},
		{1, "1 byte"},
		{999, "999 bytes"},
		{1000, "1.0K byte"},
		{1024, "1.0K byte"},
		{9999, "9.8K bytes"},
		{12345, "12K bytes"},
		{99999, "98K bytes"},
		{1048576, "1.0M byte"},
		{5542880, "5.3M bytes"},
		{1234567890, "1.1G bytes"},
		{math.MaxUint64, "16E bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			if got := humanBytes(tt.n); got != tt.want {
				t.Errorf("humanBytes(%d) = %q, want %q", tt.n, got, tt.want)
			}
		})
	}
}
