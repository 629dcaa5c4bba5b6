package lacptest

import (
	"fmt"
	"strings"
	"time"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
)

// Trace is everything that happened, a line each: changes of state, and frames
// with what their sender says of itself and of its partner.
func (n *Network) Trace() string {
	if len(n.trace) == 0 {
		return ""
	}
	return strings.Join(n.trace, "\n") + "\n"
}

// Comment adds a line to the trace.
func (n *Network) Comment(text string) {
	n.trace = append(n.trace, "# "+text)
}

func (n *Network) traceChange(c Change) {
	line := fmt.Sprintf("%s %s %s: %s -> %s", stamp(c.At), c.Node, c.Machine, c.From, c.To)
	if c.Port != 0 {
		line = fmt.Sprintf("%s %s %s: %s -> %s", stamp(c.At), c.Name, c.Machine, c.From, c.To)
	}
	if c.Reason != "" {
		line += " (" + c.Reason + ")"
	}
	n.trace = append(n.trace, line)
}

func (n *Network) traceFrame(f Frame) {
	line := fmt.Sprintf("%s %s/%d sends %s | %s",
		stamp(f.At), f.Node, f.Port, endText(f.PDU.Actor), endText(f.PDU.Partner))
	if f.Farewell {
		line += " farewell"
	}
	if f.Lost {
		line += " lost"
	}
	n.trace = append(n.trace, line)
}

func (d *Node) portName(number uint16) string { return fmt.Sprintf("%s/%d", d.Name, number) }

func stamp(at lacp.Instant) string {
	return fmt.Sprintf("%8.3f", time.Duration(at).Seconds())
}

// endText is an end's address, key, port and state.
func endText(i slow.PortInfo) string {
	return fmt.Sprintf("%s key %d port %d %s", i.System.Addr, i.Key, i.Port, stateText(i.State))
}

// stateText is a state octet as eight letters, a dot for a clear bit.
func stateText(s slow.State) string {
	const letters = "ATGSCDFE"
	b := []byte("........")
	for i := range b {
		if s&(1<<i) != 0 {
			b[i] = letters[i]
		}
	}
	return string(b)
}
