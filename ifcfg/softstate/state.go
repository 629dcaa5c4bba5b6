package softstate

import (
	"slices"

	"ifagr/ifcfg"
)

// State is what is remembered about the interfaces of a network namespace.
type State struct {
	Interfaces []Interface `json:"interfaces,omitempty"`
	Pseudos    []Pseudo    `json:"pseudos,omitempty"`
}

// Key tells an interface from every other one, also from one that has taken its
// place: an index and a name can come again, with another identity.
type Key struct {
	Index    int    `json:"index"`
	Name     string `json:"name"`
	Identity string `json:"identity"`
}

// Interface is what is remembered about an interface of the kernel.
type Interface struct {
	Key
	Metric   int32           `json:"metric,omitempty"`
	Baseline *ifcfg.Counters `json:"baseline,omitempty"` // its counters when they were last zeroed
}

// Pseudo is an interface that NetBSD has as soon as it is created and Linux only
// when it is complete: a vlan with its parent, a tunnel with its ends. While it
// is attached, the kernel knows the rest.
type Pseudo struct {
	Name     string `json:"name"`
	Index    int    `json:"index"`
	Attached bool   `json:"attached,omitempty"` // it is a device
	Parent   int    `json:"parent,omitempty"`   // index of an attached vlan's parent

	Flags       ifcfg.Flags  `json:"flags,omitempty"` // UP, DEBUG and NOARP
	MTU         int          `json:"mtu,omitempty"`
	Metric      int32        `json:"metric,omitempty"` // counts while it is attached as well
	Description string       `json:"description,omitempty"`
	Addrs       []ifcfg.Addr `json:"addrs,omitempty"`
	// Ports of a tunnel's ends, which nothing uses and the status shows.
	Ports [2]uint16 `json:"ports,omitzero"`
}

// Interface finds what is remembered about an interface, nil when nothing is.
func (s *State) Interface(k Key) *Interface {
	for i := range s.Interfaces {
		if s.Interfaces[i].Key == k {
			return &s.Interfaces[i]
		}
	}
	return nil
}

// Remember is Interface for a change: it makes a new entry when there is none,
// and drops what is left of an interface that had this one's index.
func (s *State) Remember(k Key) *Interface {
	if i := s.Interface(k); i != nil {
		return i
	}
	s.Forget(k.Index)
	s.Interfaces = append(s.Interfaces, Interface{Key: k})
	return &s.Interfaces[len(s.Interfaces)-1]
}

// Forget drops what is remembered about the interface with an index.
func (s *State) Forget(index int) {
	s.Interfaces = slices.DeleteFunc(s.Interfaces, func(i Interface) bool { return i.Index == index })
}

// Pseudo finds a pseudo interface by its name, nil when there is none.
func (s *State) Pseudo(name string) *Pseudo {
	for i := range s.Pseudos {
		if s.Pseudos[i].Name == name {
			return &s.Pseudos[i]
		}
	}
	return nil
}

// PseudoAt finds a pseudo interface by its index, nil when there is none.
func (s *State) PseudoAt(index int) *Pseudo {
	for i := range s.Pseudos {
		if s.Pseudos[i].Index == index {
			return &s.Pseudos[i]
		}
	}
	return nil
}

// Put replaces the pseudo interface with that name, or adds it.
func (s *State) Put(p Pseudo) {
	if old := s.Pseudo(p.Name); old != nil {
		*old = p
		return
	}
	s.Pseudos = append(s.Pseudos, p)
}

// Drop forgets the pseudo interface with a name.
func (s *State) Drop(name string) {
	s.Pseudos = slices.DeleteFunc(s.Pseudos, func(p Pseudo) bool { return p.Name == name })
}

// tidy drops entries that say nothing.
func (s *State) tidy() {
	s.Interfaces = slices.DeleteFunc(s.Interfaces, func(i Interface) bool {
		return i.Metric == 0 && i.Baseline == nil
	})
}

func (s *State) empty() bool { return len(s.Interfaces) == 0 && len(s.Pseudos) == 0 }
