package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"ifagr/agr/ctl"
)

const (
	counterValue = prometheus.CounterValue
	gaugeValue   = prometheus.GaugeValue
)

// portCounters all begin with the port's agrport.
var portCounters = []family[ctl.PortStatus]{
	ofPort.counter("lacpdus_received_total", "LACPDUs received.",
		func(p *ctl.PortStatus) uint64 { return p.Counters.LACPRx }),
	ofPort.counter("lacpdus_sent_total", "LACPDUs sent.",
		func(p *ctl.PortStatus) uint64 { return p.Counters.LACPTx }),
	ofPort.counter("lacpdu_transmit_errors_total", "LACPDUs that could not be sent at first.",
		func(p *ctl.PortStatus) uint64 { return p.Counters.LACPTxErrors }),
	ofPort.reasons("lacpdus_bad_total", "LACPDUs refused, by what was wrong with them.", "reason", []string{"short", "length"},
		func(p *ctl.PortStatus) []uint64 {
			return []uint64{p.Counters.LACPBad.Short, p.Counters.LACPBad.Length}
		}),
	ofPort.counter("markers_received_total", "Markers and Marker Responses received.",
		func(p *ctl.PortStatus) uint64 { return p.Counters.MarkerRx }),
	ofPort.counter("markers_sent_total", "Markers and Marker Responses sent.",
		func(p *ctl.PortStatus) uint64 { return p.Counters.MarkerTx }),
	ofPort.reasons("markers_bad_total", "Marker PDUs refused, by what was wrong with them.", "reason", []string{"short", "type"},
		func(p *ctl.PortStatus) []uint64 {
			return []uint64{p.Counters.MarkerBad.Short, p.Counters.MarkerBad.Type}
		}),
	ofPort.counter("unknown_slow_frames_received_total", "Frames of slow protocols other than LACP and Marker.",
		func(p *ctl.PortStatus) uint64 { return p.Counters.UnknownRx }),
	ofPort.counter("slow_frames_dropped_total", "Slow-protocol frames beyond what a port may bring in a second.",
		func(p *ctl.PortStatus) uint64 { return p.Counters.SlowDropped }),
	ofPort.counter("receive_frames_total", "Frames handed to the agr interface.",
		func(p *ctl.PortStatus) uint64 { return p.Counters.RxFrames }),
	ofPort.counter("receive_bytes_total", "Octets of them.",
		func(p *ctl.PortStatus) uint64 { return p.Counters.RxBytes }),
	ofPort.counter("receive_dropped_total", "Frames dropped because the port does not collect.",
		func(p *ctl.PortStatus) uint64 { return p.Counters.RxDropped }),
	ofPort.counter("transmit_frames_total", "Frames sent on the port.",
		func(p *ctl.PortStatus) uint64 { return p.Counters.TxFrames }),
	ofPort.counter("transmit_bytes_total", "Octets of them.",
		func(p *ctl.PortStatus) uint64 { return p.Counters.TxBytes }),
	ofPort.counter("transmit_errors_total", "Frames that the port did not take.",
		func(p *ctl.PortStatus) uint64 { return p.Counters.TxErrors }),
	ofPort.counter("flaps_total", "Losses of the link.",
		func(p *ctl.PortStatus) uint64 { return p.Counters.Flaps }),
	ofPort.counter("mux_changes_total", "Changes of the mux machine's state.",
		func(p *ctl.PortStatus) uint64 { return p.Counters.StateChanges }),
	ofPort.reasons("churns_total", "How often an end was out of sync for a minute.", "end", []string{"actor", "partner"},
		func(p *ctl.PortStatus) []uint64 { return []uint64{p.ActorChurns, p.PartnerChurns} }),
}
