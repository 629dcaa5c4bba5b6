package sim

import (
	"fmt"
	"strings"
	"time"
)

// Stats counts what has happened.
type Stats struct {
	Seeds     int
	Simulated time.Duration
	Faults    [Kinds]uint64

	LACPDUs, LACPDUsLost, Transitions, Markers uint64
	// Data frames: offered by hosts, sent through a port, held before that, handed
	// over to hosts, received on ports that do not collect, come back to their host.
	Frames, FramesSent, FramesHeld, FramesDelivered, FramesIgnored, FramesReturned uint64
}

// Add adds another run.
func (s *Stats) Add(t *Stats) {
	s.Seeds += t.Seeds
	s.Simulated += t.Simulated
	for k := range s.Faults {
		s.Faults[k] += t.Faults[k]
	}
	s.LACPDUs += t.LACPDUs
	s.LACPDUsLost += t.LACPDUsLost
	s.Transitions += t.Transitions
	s.Markers += t.Markers
	s.Frames += t.Frames
	s.FramesSent += t.FramesSent
	s.FramesHeld += t.FramesHeld
	s.FramesDelivered += t.FramesDelivered
	s.FramesIgnored += t.FramesIgnored
	s.FramesReturned += t.FramesReturned
}

// AllFaults is how many faults there were.
func (s *Stats) AllFaults() uint64 {
	var n uint64
	for _, k := range s.Faults {
		n += k
	}
	return n
}

// String lists the counters, with the faults by their kinds.
func (s *Stats) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "simulated    %.1f hours, %d seeds\n", s.Simulated.Hours(), s.Seeds)
	fmt.Fprintf(&b, "faults       %d\n", s.AllFaults())
	for k, n := range s.Faults {
		fmt.Fprintf(&b, "  %-18s %d\n", Kind(k), n)
	}
	fmt.Fprintf(&b, "LACPDUs      %d, %d lost; %d transitions; %d Markers\n",
		s.LACPDUs, s.LACPDUsLost, s.Transitions, s.Markers)
	fmt.Fprintf(&b, "data frames  %d offered, %d sent, %d held before that, %d delivered, %d ignored, %d came back\n",
		s.Frames, s.FramesSent, s.FramesHeld, s.FramesDelivered, s.FramesIgnored, s.FramesReturned)
	return b.String()
}
