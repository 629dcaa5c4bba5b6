package ifcfg

import (
	"fmt"
	"strconv"
	"strings"
)

// countersFeature prints the traffic counters of -v and -z.
func countersFeature() feature {
	return feature{status: map[section]func(*printer) error{secCounters: printCounters}}
}

func printCounters(p *printer) error {
	if !p.s.Options.Verbose && !p.s.Options.Zero {
		return nil
	}
	if p.zeroErr != nil {
		return failed("SIOCZIFDATA", p.zeroErr)
	}
	c := &p.link.Counters
	p.printf("\tinput: %s, %s%s\n", count(c.InPackets, "packet"), p.bytes(c.InBytes), optional(
		counted{c.InMulticasts, "multicast"}, counted{c.InErrors, "error"}, counted{c.InDrops, "queue drop"},
		counted{c.InUnknown, ""}))
	p.printf("\toutput: %s, %s%s\n", count(c.OutPackets, "packet"), p.bytes(c.OutBytes), optional(
		counted{c.OutMulticasts, "multicast"}, counted{c.OutErrors, "error"}, counted{c.Collisions, "collision"}))
	return nil
}

// zero makes the counters of interfaces begin again after their last values
// were read. That this failed shows where they are printed.
func (s *Session) zero(links ...Link) error {
	if !s.Options.Zero {
		return nil
	}
	var indexes []int
	for _, l := range links {
		indexes = append(indexes, l.Index)
	}
	return s.Kernel.ZeroCounters(indexes...)
}

type counted struct {
	n    uint64
	what string
}

// optional are the counters that are shown only when they have counted.
func optional(all ...counted) string {
	var b strings.Builder
	for _, c := range all {
		switch {
		case c.n == 0:
		case c.what == "":
			fmt.Fprintf(&b, ", %d unknown protocol", c.n)
		default:
			b.WriteString(", " + count(c.n, c.what))
		}
	}
	return b.String()
}

func count(n uint64, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.FormatUint(n, 10) + " " + what
}

func (p *printer) bytes(n uint64) string {
	if p.s.Options.Human {
		return humanBytes(n)
	}
	return count(n, "byte")
}

// humanBytes is a byte count as humanize_number(3) writes it into four
// columns: three digits, or two with a decimal below 9.95, and a unit of 1024.
// The noun is singular when the number that is shown is one.
func humanBytes(n uint64) string {
	const units = "\x00KMGTPE"
	unit := 0
	hundredths := n
	if n > ^uint64(0)/100 {
		hundredths, unit = n/1024, 1
	}
	hundredths *= 100
	for ; hundredths >= 100*1000-50; unit++ {
		hundredths /= 1024
	}
	number := strconv.FormatUint((hundredths+50)/100, 10)
	if unit > 0 && hundredths < 995 {
		tenths := (hundredths + 5) / 10
		number = fmt.Sprintf("%d.%d", tenths/10, tenths%10)
	}
	noun := " bytes"
	if number == "1" || number == "1.0" {
		noun = " byte"
	}
	if unit > 0 {
		number += units[unit : unit+1]
	}
	return number + noun
}
