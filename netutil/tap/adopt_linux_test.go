package tap

import "testing"

// What another user has left is taken over only from a predecessor, by root as
// well, and what is nobody's never.
func TestMayAdopt(t *testing.T) {
	const nobody = ^uint32(0)
	tests := []struct {
		owner, user  uint32
		predecessors []uint32
		want         bool
	}{
		{0, 0, nil, true},
		{1000, 1000, nil, true},
		{1000, 0, nil, false},
		{0, 1000, nil, false},
		{1000, 0, []uint32{0, 1000}, true},
		{0, 1000, []uint32{0, 1000}, true},
		{1001, 1000, []uint32{0, 1000}, false},
		{nobody, 0, []uint32{0, nobody}, false},
	}
	for _, tt := range tests {
		if got := mayAdopt(tt.owner, tt.user, tt.predecessors); got != tt.want {
			t.Errorf("mayAdopt(%d, %d, %d) = %v, want %v", tt.owner, tt.user, tt.predecessors, got, tt.want)
		}
	}
}
