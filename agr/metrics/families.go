package metrics

import (
	"strconv"
	"time"

	"ifagr/agr/ctl"
)

// daemon is what the metrics without labels are read from.
type daemon struct {
	Daemon
	version, goVersion string
	scrape             time.Duration
}

// bytesPerMegabit turns Mb/s into octets a second.
const bytesPerMegabit = 1e6 / 8

var inDaemon = kit[daemon]{prefix: "ifagr_"}

var daemonFamilies = []family[daemon]{
	inDaemon.info("build_info", "The program.", []string{"version", "goversion"},
		func(d *daemon) []string { return []string{d.version, d.goVersion} }),
	inDaemon.gauge("uptime_seconds", "Time since the daemon started.",
		func(d *daemon) float64 { return d.Uptime.Seconds() }),
	inDaemon.counter("carrier_polls_total", "Looks at the carriers of all ports.",
		func(d *daemon) uint64 { return d.Polls }),
	inDaemon.counter("carrier_polls_late_total", "Looks that came later than they were due by more than their interval.",
		func(d *daemon) uint64 { return d.LatePolls }),
	inDaemon.make(counterValue, "carrier_poll_delay_seconds_total", "By how much all looks together came late.", nil,
		func(d *daemon, add func(float64, ...string)) { add(d.PollDelay.Seconds()) }),
	inDaemon.gauge("scrape_duration_seconds", "How long it took to ask all agr interfaces for these metrics.",
		func(d *daemon) float64 { return d.scrape.Seconds() }),
}

// The labels that say which interface, and which of its ports.
var (
	agrLabels  = []string{"agr"}
	portLabels = []string{"agr", "port"}
)

var ofAgr = kit[look]{prefix: "ifagr_agr_", labels: agrLabels}

// agrFamilies are the metrics of an agr interface. The first is the only one
// that an interface has that has not answered.
var agrFamilies = []family[look]{
	ofAgr.flag("answered", "Whether the interface's owner answered in time; without, its other metrics are missing.",
		func(l *look) bool { return l.status != nil }),
	ofAgr.info("info", "What moves the frames, and how they are shared out.", []string{"datapath", "hash", "mac"},
		func(l *look) []string {
			return []string{l.status.Datapath, l.status.Options.Hash, l.status.MAC.String()}
		}),
	ofAgr.flag("active", "Whether an aggregator is in use.", func(l *look) bool { return l.status.Active != 0 }),
	ofAgr.flag("carrier", "Whether a port distributes.", func(l *look) bool { return l.status.Carrier }),
	ofAgr.flag("fallback", "Whether the ports in use have no LACP partner.", func(l *look) bool { return l.status.Fallback }),
	ofAgr.gauge("ports", "Ports that the interface has.", func(l *look) float64 { return float64(len(l.status.Ports)) }),
	ofAgr.gauge("links", "Ports that count for min-links: attached, and their partner in sync.",
		func(l *look) float64 { return float64(l.status.Links) }),
	ofAgr.gauge("min_links", "Links that it takes to begin.", func(l *look) float64 { return float64(l.status.Options.MinLinks) }),
	ofAgr.gauge("speed_bytes_per_second", "What the ports that distribute can carry together.",
		func(l *look) float64 { return float64(l.status.Speed) * bytesPerMegabit }),
	ofAgr.counter("frames_dropped_total", "Frames to send for which there was no port, or no room while they waited.",
		func(l *look) uint64 { return l.status.Drops }),
	ofAgr.gauge("held_frames", "Frames that wait now until their conversation has moved.",
		func(l *look) float64 { return float64(l.status.Held) }),
}

// muxStates are the states of the mux machine (IEEE 802.1AX-2014 6.4.15), the
// last that of coupled control.
// They are in the order of the output, which is cheaper than to sort them.
var muxStates = []string{"ATTACHED", "COLLECTING", "COLLECTING_DISTRIBUTING", "DETACHED", "DISTRIBUTING", "WAITING"}

var ofPort = kit[ctl.PortStatus]{prefix: "ifagr_port_", labels: portLabels}

// portFamilies are the metrics of a port.
var portFamilies = append(portStates, portCounters...)

var portStates = []family[ctl.PortStatus]{
	ofPort.info("info", "The port's LACP number and key.", []string{"number", "key"},
		func(p *ctl.PortStatus) []string {
			return []string{decimal(p.Number), decimal(p.Actor.Key)}
		}),
	ofPort.info("partner_info", "Who spoke LACP last on this port; missing if nobody has.",
		[]string{"partner_system", "partner_system_priority", "partner_key", "partner_port"}, partnerLabels),
	ofPort.flag("up", "Whether the port is up and has a link.", func(p *ctl.PortStatus) bool { return p.Up && p.Carrier }),
	ofPort.flag("collecting", "Whether frames that arrive on the port are taken.",
		func(p *ctl.PortStatus) bool { return p.Flags&ctl.PortCollecting != 0 }),
	ofPort.flag("distributing", "Whether frames are sent on the port.",
		func(p *ctl.PortStatus) bool { return p.Flags&ctl.PortDistributing != 0 }),
	ofPort.flag("standby", "Whether the port waits on purpose, until another one fails.",
		func(p *ctl.PortStatus) bool { return p.Selected == "STANDBY" }),
	ofPort.flag("loopback", "Whether the far end is this very system.", func(p *ctl.PortStatus) bool { return p.Loopback }),
	ofPort.states("mux_state", "State of the mux machine, 1 for the one that it is in.", muxStates,
		func(p *ctl.PortStatus) string { return p.Mux }),
	ofPort.gauge("speed_bytes_per_second", "Speed of the link, 0 if it is not known.",
		func(p *ctl.PortStatus) float64 { return float64(p.Speed) * bytesPerMegabit }),
	ofPort.gauge("conversations", "How many of the 256 conversations belong to the port.",
		func(p *ctl.PortStatus) float64 { return float64(p.Conversation) }),
	ofPort.gauge("held_conversations", "How many conversations wait to move away from the port.",
		func(p *ctl.PortStatus) float64 { return float64(p.Holding) }),
	ofPort.make(gaugeValue, "churn", "Whether an end has been out of sync for a minute.", []string{"end"},
		func(p *ctl.PortStatus, add func(float64, ...string)) {
			add(number(p.ActorChurn == "CHURN"), "actor")
			add(number(p.PartnerChurn == "CHURN"), "partner")
		}),
	ofPort.make(gaugeValue, "last_lacpdu_timestamp_seconds", "When the last LACPDU was received; missing if none was.", nil,
		func(p *ctl.PortStatus, add func(float64, ...string)) {
			if p.LastPartner != nil {
				add(float64(p.LastPartner.Time.UnixMilli()) / 1e3)
			}
		}),
	ofPort.gauge("partner_timeout_seconds", "After how long a silence the partner is given up, by what it was asked for.",
		func(p *ctl.PortStatus) float64 { return timeout(p.Actor.State) }),
}

// timeout is the time that the receive machine waits (IEEE 802.1AX-2014 6.4.4):
// bit 1 of an actor's state asks for the short one.
func timeout(state uint8) float64 {
	if state&2 != 0 {
		return 3
	}
	return 90
}

func partnerLabels(p *ctl.PortStatus) []string {
	h := p.LastPartner
	if h == nil {
		return nil
	}
	return []string{h.System.String(), decimal(h.SystemPriority), decimal(h.Key), decimal(h.LACPEnd.Port)}
}

func decimal(n uint16) string { return strconv.Itoa(int(n)) }
