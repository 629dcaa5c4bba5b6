package agr

import (
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/datapath"
	"ifagr/agr/dist"
	"ifagr/agr/lacp"
)

// collectorDelayUnit is the unit of a LACPDU's CollectorMaxDelay (IEEE
// 802.1AX-2014 6.4.2.3).
const collectorDelayUnit = 10 * time.Microsecond

// program tells the datapath what the protocol has decided, and agrN's carrier
// follows: it is on when a port distributes (design D9).
func (a *aggregate) program() {
	st := a.lacp.Status()
	prog := datapath.Program{
		Hash:       a.hash,
		RoundRobin: a.flags&ctl.Link0 != 0,
		Idle:       minIdle,
	}
	var shares []dist.Share
	for _, p := range a.ports {
		ps, ok := portStatus(st, p.number)
		if !ok {
			continue
		}
		prog.Ports = append(prog.Ports, datapath.PortState{
			Number: p.number, Collecting: ps.Collecting, Distributing: ps.Distributing,
			Dead: !p.link().Up,
		})
		if ps.Distributing {
			shares = append(shares, dist.Share{Port: p.number, Weight: p.speed})
			prog.Idle = max(prog.Idle, p.maxDelay)
		}
	}
	a.table = dist.Rebalance(a.table, shares)
	prog.Table = a.table
	if err := a.dev.Program(prog); err != nil {
		a.log.Error("datapath not programmed", "agr", a.name, "err", err)
	}
	a.setCarrier(len(shares) > 0)
}

func (a *aggregate) setCarrier(on bool) {
	if on == a.link {
		return
	}
	if err := a.dev.SetCarrier(on); err != nil {
		a.log.Error("carrier not set", "agr", a.name, "err", err)
		return
	}
	a.link = on
	if on {
		a.transition("", "link", "down", "up", "a port distributes")
		return
	}
	a.transition("", "link", "up", "down", "no port distributes")
}

func portStatus(st lacp.Status, number uint16) (lacp.PortStatus, bool) {
	for _, ps := range st.Ports {
		if ps.Number == number {
			return ps, true
		}
	}
	return lacp.PortStatus{}, false
}
