package picture

import (
	"fmt"
	"strings"
	"time"

	"ifagr/agr/ctl"
)

// stateBits are the words for an actor's state (IEEE 802.1AX-2014 6.4.2.3), for a
// bit that is set and one that is not.
var stateBits = [...][2]string{
	{"active", "passive"},
	{"fast", "slow"},
	{"can aggregate", "individual"},
	{"in sync", "out of sync"},
	{"collecting", "not collecting"},
	{"distributing", "not distributing"},
	{"defaulted", ""},
	{"expired", ""},
}

func stateWords(state uint8) string {
	var words []string
	for i, w := range stateBits {
		if word := w[1-state>>i&1]; word != "" {
			words = append(words, word)
		}
	}
	return strings.Join(words, ", ")
}

func partnerFacts(p *ctl.PortStatus, now time.Time) []Fact {
	if p.LastPartner == nil {
		return []Fact{{Name: "partner", Value: "has never spoken LACP"}}
	}
	h := p.LastPartner
	facts := []Fact{
		{Name: "partner", Value: fmt.Sprintf("%s, priority %d", h.System, h.SystemPriority)},
		{Name: "its port", Value: fmt.Sprintf("%d, priority %d, key %d", h.LACPEnd.Port, h.PortPriority, h.Key)},
		{Name: "it says", Value: stateWords(h.State)},
		{Name: "last heard", Value: ago(now.Sub(h.Time)), Bad: p.Receive == "EXPIRED" || p.Receive == "DEFAULTED"},
	}
	if p.Loopback {
		facts = append(facts, Fact{Name: "loopback", Value: "the far end is this very system", Bad: true})
	}
	return facts
}

func portFacts(p *ctl.PortStatus) []Fact {
	c := &p.Counters
	facts := []Fact{
		{Name: "we say", Value: fmt.Sprintf("port %d, priority %d, key %d: %s", p.Actor.Port, p.Actor.PortPriority, p.Actor.Key, stateWords(p.Actor.State))},
		{Name: "machines", Value: fmt.Sprintf("receive %s, periodic %s, selection %s", p.Receive, p.Periodic, p.Selected)},
		{Name: "LACPDUs", Value: fmt.Sprintf("%d in, %d out", c.LACPRx, c.LACPTx)},
		{Name: "markers", Value: fmt.Sprintf("%d in, %d out", c.MarkerRx, c.MarkerTx)},
	}
	for _, f := range []struct {
		name string
		n    uint64
	}{
		{"refused PDUs", c.LACPBad.Total() + c.MarkerBad.Total()},
		{"flooded", c.SlowDropped},
		{"LACPDUs not sent", c.LACPTxErrors},
		{"frames not taken", c.TxErrors},
		{"dropped on arrival", c.RxDropped},
		{"link losses", c.Flaps},
		{"churns", p.ActorChurns + p.PartnerChurns},
	} {
		if f.n > 0 {
			facts = append(facts, Fact{Name: f.name, Value: fmt.Sprint(f.n), Bad: true})
		}
	}
	return facts
}

// speed is Mb/s in words.
func speed(mbps uint64) string {
	switch {
	case mbps == 0:
		return "speed unknown"
	case mbps%1000 == 0:
		return fmt.Sprintf("%d Gb/s", mbps/1000)
	case mbps > 1000:
		return fmt.Sprintf("%.1f Gb/s", float64(mbps)/1000)
	}
	return fmt.Sprintf("%d Mb/s", mbps)
}

// ago is how long ago something was.
func ago(d time.Duration) string {
	if d < time.Second {
		return "just now"
	}
	return short(d) + " ago"
}

// short is a duration to about one digit more than is needed.
func short(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", (d+time.Second-1)/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
