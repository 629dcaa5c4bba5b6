package slow

import "bytes"

// Less reports whether s is the better of two system identifiers: the lower
// priority, then the lower address (IEEE 802.1AX-2014 6.3.2).
func (s System) Less(o System) bool {
	if s.Priority != o.Priority {
		return s.Priority < o.Priority
	}
	return bytes.Compare(s.Addr[:], o.Addr[:]) < 0
}
