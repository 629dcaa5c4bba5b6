package picture

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ifagr/agr/ctl"
)

// Sample is the status of an aggregate at a time.
type Sample struct {
	At     time.Time
	Status *ctl.Status
}

// Agr is an aggregate as it is shown.
type Agr struct {
	Name    string
	Up      bool   // it has carrier
	Class   string // fine, attention, down: for its look
	Mark    string // a sign for the same
	Verdict string // in one sentence
	Facts   []Fact
	Out, In Rate // of all ports
	Ports   []Port
	Busy    []Busy // the conversations that carry most
	Rated   bool   // there was an earlier sample, so that loads are known
}

// Fact is something about a thing, by its name.
type Fact struct {
	Name, Value string
	Bad         bool // somebody should look at it
}

// Port is a port as it is shown.
type Port struct {
	Name    string
	Class   string // carries, receives, standby, idle: for its look
	Mark    string // a sign for the same
	Word    string // and in words
	Reason  string // why it does not distribute
	Link    string
	Steps   []Step
	Out, In Rate
	Strip   Strip
	Partner []Fact
	Facts   []Fact
	Warning string // what somebody should look at
}

// Step is a state of the mux machine on the way to distributing.
type Step struct {
	Name string
	Mark string // done, now, ahead
}

// Look describes an aggregate by its status now and, if there was one, a moment
// ago.
func Look(now, last Sample) Agr {
	st := now.Status
	l := newLoad(now, last)
	a := Agr{Name: st.Name, Up: st.Carrier, Verdict: verdict(st), Facts: agrFacts(st), Rated: l.known}
	for i := range st.Ports {
		p := lookPort(&st.Ports[i], l, now.At)
		a.Out, a.In = a.Out.plus(p.Out), a.In.plus(p.In)
		a.Ports = append(a.Ports, p)
	}
	scale(&a, st)
	a.Busy = l.busiest(st)
	a.judge()
	return a
}

// judge says whether somebody should look at an aggregate.
func (a *Agr) judge() {
	trouble := func(p Port) bool { return p.Class == "idle" || p.Class == "receives" || p.Warning != "" }
	switch {
	case !a.Up:
		a.Class, a.Mark = "down", "✕"
	case slices.ContainsFunc(a.Ports, trouble):
		a.Class, a.Mark = "attention", "▲"
	default:
		a.Class, a.Mark = "fine", "●"
	}
}

// verdict says how an aggregate is, the most important thing first.
func verdict(st *ctl.Status) string {
	carrying := 0
	for _, p := range st.Ports {
		if p.Flags&ctl.PortDistributing != 0 {
			carrying++
		}
	}
	switch n := len(st.Ports); {
	case n == 0:
		return "has no ports"
	case carrying == 0 && st.Links > 0 && st.Links < int(st.Options.MinLinks):
		return fmt.Sprintf("carries nothing: %d of at least %d links", st.Links, st.Options.MinLinks)
	case carrying == 0:
		return fmt.Sprintf("carries nothing: none of %s distributes", plural(n, "port"))
	case carrying == n && n == 1:
		return "carries frames through its only port"
	case carrying == n:
		return fmt.Sprintf("carries frames through all %d ports", n)
	default:
		return fmt.Sprintf("carries frames through %d of %d ports", carrying, n)
	}
}

func agrFacts(st *ctl.Status) []Fact {
	facts := []Fact{
		{Name: "speed", Value: speed(st.Speed)},
		{Name: "links", Value: links(st), Bad: st.Links < int(st.Options.MinLinks) && !st.Fallback},
		{Name: "address", Value: st.MAC.String()},
		{Name: "datapath", Value: st.Datapath},
		{Name: "shared by", Value: sharing(st)},
		{Name: "LACP", Value: lacpWords(st)},
	}
	if st.Fallback {
		facts = append(facts, Fact{Name: "fallback", Value: "its ports have no LACP partner"})
	}
	if st.Held > 0 {
		facts = append(facts, Fact{Name: "waiting", Value: plural(int(st.Held), "frame")})
	}
	if st.Drops > 0 {
		facts = append(facts, Fact{Name: "dropped", Value: plural(int(st.Drops), "frame"), Bad: true})
	}
	return facts
}

func links(st *ctl.Status) string {
	if st.Options.MinLinks > 1 {
		return fmt.Sprintf("%d, at least %d", st.Links, st.Options.MinLinks)
	}
	return fmt.Sprint(st.Links)
}

func sharing(st *ctl.Status) string {
	if st.RoundRobin {
		return "round robin"
	}
	return "hash " + st.Options.Hash
}

func lacpWords(st *ctl.Status) string {
	if st.Static {
		return "off (link1)"
	}
	return st.Options.Mode + ", " + st.Options.Timeout
}

func lookPort(p *ctl.PortStatus, l *load, now time.Time) Port {
	v := Port{
		Name: p.Name, Reason: reason(p, now), Link: link(p), Steps: steps(p.Mux),
		Out: l.out(p), In: l.in(p), Strip: l.strip(p.Number),
		Partner: partnerFacts(p, now), Facts: portFacts(p), Warning: warning(p),
	}
	switch {
	case p.Flags&ctl.PortDistributing != 0:
		v.Class, v.Mark, v.Word = "carries", "●", "carries frames"
	case p.Flags&ctl.PortCollecting != 0:
		v.Class, v.Mark, v.Word = "receives", "◐", "receives only"
	case p.Selected == "STANDBY" && p.Up && p.Carrier:
		v.Class, v.Mark, v.Word = "standby", "◇", "stands by"
	default:
		v.Class, v.Mark, v.Word = "idle", "✕", "carries nothing"
	}
	return v
}

// reason is why a port does not distribute, and for how long if that is known.
func reason(p *ctl.PortStatus, now time.Time) string {
	if left := p.Until.Sub(now); p.Reason != "" && left > 0 {
		return fmt.Sprintf("%s, for %s more", p.Reason, short(left))
	}
	return p.Reason
}

func link(p *ctl.PortStatus) string {
	switch {
	case !p.Up:
		return "switched off"
	case !p.Carrier:
		return "no link"
	case p.HalfDuplex:
		return speed(p.Speed) + ", half duplex"
	}
	return speed(p.Speed)
}

// The ways through the mux machine (IEEE 802.1AX-2014 figures 6-21 and 6-22).
var (
	independent = [...]string{"DETACHED", "WAITING", "ATTACHED", "COLLECTING", "DISTRIBUTING"}
	coupled     = [...]string{"DETACHED", "WAITING", "ATTACHED", "COLLECTING_DISTRIBUTING"}
)

// steps is the way through the mux machine, with where a port is on it.
func steps(mux string) []Step {
	way := independent[:]
	if mux == coupled[len(coupled)-1] {
		way = coupled[:]
	}
	at := slices.Index(way, mux)
	all := make([]Step, len(way))
	for i, name := range way {
		all[i] = Step{strings.ReplaceAll(name, "_", " "), "ahead"}
		switch {
		case i < at:
			all[i].Mark = "done"
		case i == at:
			all[i].Mark = "now"
		}
	}
	return all
}

// warning is what somebody should look at although nothing may have failed.
func warning(p *ctl.PortStatus) string {
	var all []string
	if p.Conflict != "" {
		all = append(all, "another tool keeps changing its "+p.Conflict)
	}
	if len(p.ForeignAddrs) > 0 {
		all = append(all, "another tool gave it "+strings.Join(p.ForeignAddrs, ", "))
	}
	if p.ActorChurn == "CHURN" || p.PartnerChurn == "CHURN" {
		all = append(all, "churn: the two ends have not agreed for a minute")
	}
	return strings.Join(all, "; ")
}
