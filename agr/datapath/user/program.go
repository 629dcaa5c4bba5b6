package user

import (
	"fmt"
	"time"

	"ifagr/agr/datapath"
	"ifagr/agr/dist"
)

// program is a datapath.Program with its port numbers turned into ports. It is
// never changed once the frame goroutines can see it.
type program struct {
	hash       dist.Hash
	idle       time.Duration
	roundRobin bool
	want       [dist.Conversations]*port // nil: drop
	ring       []*port                   // ports that distribute, in the order of round robin
	hold       dist.Set                  // conversations whose frames are kept
	state      map[*port]datapath.PortState
	adopted    chan struct{} // closed when the outbound works by it
}

// compile checks a program against the ports that there are. A conversation
// whose port does not distribute has none.
func compile(p datapath.Program, ports map[uint16]*port) (*program, error) {
	c := &program{
		hash:       p.Hash,
		idle:       p.Idle,
		roundRobin: p.RoundRobin,
		state:      make(map[*port]datapath.PortState, len(p.Ports)),
		adopted:    make(chan struct{}),
	}
	if !p.RoundRobin {
		c.hold = p.Hold
	}
	for _, s := range p.Ports {
		port := ports[s.Number]
		if port == nil {
			return nil, fmt.Errorf("program: port %d: %w", s.Number, datapath.ErrNoPort)
		}
		c.state[port] = s
		if c.distributes(port) {
			c.ring = append(c.ring, port)
		}
	}
	for i, number := range p.Table {
		if port := ports[number]; c.distributes(port) {
			c.want[i] = port
		}
	}
	return c, nil
}

// without is the program as it was, but for one port that it forgets.
func (c *program) without(gone *port) *program {
	n := &program{hash: c.hash, idle: c.idle, roundRobin: c.roundRobin, want: c.want, hold: c.hold}
	n.state = make(map[*port]datapath.PortState, len(c.state))
	n.adopted = make(chan struct{})
	for p, s := range c.state {
		if p != gone {
			n.state[p] = s
		}
	}
	for _, p := range c.ring {
		if p != gone {
			n.ring = append(n.ring, p)
		}
	}
	for i, p := range n.want {
		if p == gone {
			n.want[i] = nil
		}
	}
	return n
}

// collects reports whether frames that arrive at a port are for the host.
func (c *program) collects(p *port) bool { return c.state[p].Collecting }

// distributes reports whether frames may be sent to a port.
func (c *program) distributes(p *port) bool {
	s := c.state[p]
	return s.Distributing && !s.Dead
}
