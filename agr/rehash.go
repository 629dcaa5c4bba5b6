package agr

import (
	"slices"
	"time"

	"ifagr/agr/datapath"
	"ifagr/agr/dist"
	"ifagr/agr/lacp"
)

// With another agrhash each flow may belong to another conversation, and so to
// another port. No frame is overtaken by that, because at the moment of the change
// all of them leave by one port:
//
//	gather: the other ports hand their conversations over to one, in order (flush.go)
//	turn:   the hash is another one; everything is held, and that port flushed
//	spread: everything goes on, by the ports that it belongs to now
//
// The ports go on to collect, and LACP sees nothing of it.

const (
	// rehashLook is how often it is looked whether frames are still held.
	rehashLook = time.Millisecond
	// rehashPatience is how long the gathering may take. It is more than a Flush
	// takes; frames that come faster than they can be sent end it.
	rehashPatience = 2 * time.Second
)

// rehash is a change of the hash that is under way.
type rehash struct {
	port   uint16 // the one by which everything leaves
	turned bool   // the hash is the new one
	calm   bool   // nothing was held when it was last looked
	at     lacp.Instant
	end    lacp.Instant
}

// changeHash begins to make the hash what the options say, if it is not.
func (a *aggregate) changeHash() {
	if a.rehash == nil && a.hash.Mode != hashMode(a.opts.Hash) {
		now := a.now()
		a.rehash = &rehash{at: now, end: now.Add(rehashPatience)}
	}
}

// gather makes a program of one that concerns all ports: during a rehash everything
// leaves by one of them. Where there is no order to keep, the hash changes at once.
func (a *aggregate) gather(prog *datapath.Program, shares []dist.Share) []dist.Share {
	if a.rehash != nil && a.rehash.turned && a.turning() == nil {
		a.rehash = nil
		a.changeHash() // it may have been changed again meanwhile
	}
	r := a.rehash
	if r == nil {
		return shares
	}
	i := slices.IndexFunc(shares, func(s dist.Share) bool { return s.Port == r.port })
	switch {
	case len(shares) == 0 || prog.RoundRobin:
		a.rehash = nil
		a.hash.Mode = hashMode(a.opts.Hash)
		prog.Hash = a.hash
		return shares
	case i < 0:
		i = a.roomiest(shares)
		r.port, r.turned = shares[i].Port, false
	}
	for j := range prog.Ports {
		s := &prog.Ports[j]
		s.Distributing = s.Distributing && s.Number == r.port
	}
	return shares[i : i+1]
}

// roomiest is the place of the port that bears most: one without a queue that could
// fill up, then the fastest.
func (a *aggregate) roomiest(shares []dist.Share) (best int) {
	queues := func(i int) bool {
		p := a.port(shares[i].Port)
		return p != nil && p.queues
	}
	for i := range shares {
		switch {
		case queues(i) != queues(best):
			if queues(best) {
				best = i
			}
		case shares[i].Weight > shares[best].Weight:
			best = i
		}
	}
	return best
}

// turning is the port that is flushed because the hash has turned, or nil.
func (a *aggregate) turning() *port {
	if a.rehash == nil || !a.rehash.turned {
		return nil
	}
	if p := a.port(a.rehash.port); p != nil && p.flush != nil {
		return p
	}
	return nil
}

// advanceRehash turns the hash when everything leaves by one port and nothing is
// held any more.
func (a *aggregate) advanceRehash() {
	r := a.rehash
	switch {
	case r == nil:
		return
	case r.turned:
		if a.turning() == nil { // frames cannot be held
			a.program()
		}
		return
	case a.now() < r.at:
		return
	}
	r.at = a.now().Add(rehashLook)
	calm := a.dev.Stats().Held == 0 && !slices.ContainsFunc(a.ports, func(p *port) bool { return p.flush != nil })
	late := a.now() >= r.end
	if !late && !(calm && r.calm) {
		r.calm = calm // twice: a frame may just be on its way to be held
		return
	}
	if late {
		a.log.Warn("frames may be reordered by the change of the hash", "agr", a.name)
	}
	r.turned = true
	a.hash.Mode = hashMode(a.opts.Hash)
	if p := a.port(r.port); p != nil && p.flush == nil {
		p.flush = a.newFlush(p)
	}
	a.program()
}

// everything is the set of all conversations.
func everything() (s dist.Set) {
	for c := range dist.Conversations {
		s.Add(uint8(c))
	}
	return s
}
