package agr

import (
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/datapath"
	"ifagr/agr/dist"
	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// status describes the aggregate for people and programs.
func (a *aggregate) status() *ctl.Status {
	stats := a.dev.Stats()
	out := a.outline(&stats)
	out.Conversations = a.conversations(&stats)
	for i := range out.Ports {
		p := &out.Ports[i]
		p.History = append(p.History, a.port(p.Number).history...)
		for _, c := range out.Conversations {
			if c.Held && c.Port == p.Number {
				p.Holding++
			}
		}
	}
	return out
}

// outline is a status without what is long: conversations and histories.
func (a *aggregate) outline(stats *datapath.Stats) *ctl.Status {
	a.advance() // the times in reasons count from now
	st := a.lacp.Status()
	out := &ctl.Status{
		Version: ctl.StatusVersion, Name: a.name, Index: a.dev.Index(), MAC: a.mac,
		Datapath: string(a.kind), DatapathWhy: a.why, Shield: a.dev.Info().Shield,
		RoundRobin: a.flags&ctl.Link0 != 0, Static: a.flags&ctl.Link1 != 0, LinkFlags: a.flags,
		Options: ctl.Options(a.opts), Carrier: a.link, Conflict: a.conflict,
		Active: st.Active, Fallback: st.Fallback, Links: st.Links, Drops: stats.Drops, Held: stats.Held,
		Aggregators: []ctl.Aggregator{}, Ports: []ctl.PortStatus{}, Conversations: []ctl.Conversation{},
	}
	for _, g := range st.Aggregators {
		out.Aggregators = append(out.Aggregators, aggregatorStatus(g))
	}
	for _, p := range a.ports {
		ps, ok := portStatus(st, p.number)
		if !ok {
			continue
		}
		s := a.portStatus(p, ps, stats.Ports[p.number])
		s.KeepaliveWhy = a.uncovered(p, ps)
		s.Keepalive = s.KeepaliveWhy == ""
		s.Counters.LACPAnswered = a.dev.Kept(p.number).Answered
		if ps.Distributing {
			out.Speed += p.speed
		}
		out.Ports = append(out.Ports, s)
	}
	return out
}

// conversations says where each conversation is, and where it should be.
func (a *aggregate) conversations(stats *datapath.Stats) []ctl.Conversation {
	all := make([]ctl.Conversation, dist.Conversations)
	placed := a.dev.Placed()
	for i := range all {
		c := ctl.Conversation{
			Port: placed[i], Held: a.held.Has(uint8(i)),
			Frames: stats.Conversations[i].Frames, Bytes: stats.Conversations[i].Bytes,
		}
		switch want := a.table[i]; {
		case c.Port == 0: // nothing was sent yet
			c.Port = want
		case want != c.Port:
			c.Next = want
		}
		all[i] = c
	}
	return all
}

func aggregatorStatus(g lacp.AggregatorStatus) ctl.Aggregator {
	return ctl.Aggregator{
		ID: g.ID, Active: g.Active, Individual: g.Individual, Speed: g.Speed,
		Actor: lagEnd(g.Actor), Partner: lagEnd(g.Partner),
	}
}

func lagEnd(e lacp.LAGEnd) ctl.LAGEnd {
	return ctl.LAGEnd{SystemPriority: e.System.Priority, System: e.System.Addr, Key: e.Key}
}

func lacpEnd(i slow.PortInfo) ctl.LACPEnd {
	return ctl.LACPEnd{
		SystemPriority: i.System.Priority, System: i.System.Addr, Key: i.Key,
		PortPriority: i.Priority, Port: i.Port, State: uint8(i.State),
	}
}

func (a *aggregate) portStatus(p *port, ps lacp.PortStatus, stats datapath.PortStats) ctl.PortStatus {
	count := p.count
	count.RxFrames, count.RxBytes, count.RxDropped = stats.RxFrames, stats.RxBytes, stats.RxDropped
	count.TxFrames, count.TxBytes, count.TxErrors = stats.TxFrames, stats.TxBytes, stats.TxErrors
	count.StateChanges, count.SlowDropped, count.Flaps = ps.StateChanges, p.flooded.Load(), ps.Flaps
	until := a.wallTime(ps.Until)
	held := until
	if !ps.Held {
		held = time.Time{}
	}
	return ctl.PortStatus{
		Name: p.name, Index: p.index, Number: p.number, Flags: portFlags(ps), OwnMAC: p.undo.MAC,
		Up: p.up, Carrier: p.carrier, Speed: p.speed, HalfDuplex: p.half,
		Aggregator: ps.Aggregator, Selected: ps.Selected, Receive: ps.Receive, Mux: ps.Mux, Periodic: ps.Periodic,
		Loopback: ps.Loopback, Actor: lacpEnd(ps.Actor), Partner: lacpEnd(ps.Partner), Reason: ps.Reason, Until: until, HeldUntil: held, LastPartner: p.heard,
		ActorChurn: ps.ActorChurn, PartnerChurn: ps.PartnerChurn, ActorChurns: ps.ActorChurns, PartnerChurns: ps.PartnerChurns,
		History: []ctl.Change{}, ForeignAddrs: p.foreign, Conflict: p.conflict, LastChange: p.lastChange,
		Conversation: a.table.Count(p.number), Counters: count,
	}
}

// wallTime is when the owner's clock shows an instant; that of 0 is no time.
func (a *aggregate) wallTime(at lacp.Instant) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return a.epoch.Add(time.Duration(at)).Round(0)
}

func portFlags(ps lacp.PortStatus) ctl.PortFlags {
	var f ctl.PortFlags
	if ps.Collecting {
		f |= ctl.PortCollecting
	}
	if ps.Distributing {
		f |= ctl.PortDistributing
	}
	return f
}
