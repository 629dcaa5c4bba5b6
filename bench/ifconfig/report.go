package main

import (
	"errors"
	"fmt"
	"time"
)

// The goals.
const (
	startUpGoal = 3 * time.Millisecond // of CPU
	memoryGoal  = 40 << 10             // KB
	growthGoal  = 1.3                  // one interface of many to one of few: room for noise
)

// report prints medians and ratios to ip, and which goals are met.
func report(c config, all []*command) error {
	fmt.Printf("\n%d interfaces, medians of %d rounds (net-tools -a: one); x: ratio to ip\n\n", c.interfaces, c.rounds)
	fmt.Printf("%-11s %-10s %10s %6s %10s %6s %9s   %s\n", "what", "who", "time", "x", "CPU", "x", "memory", "command")
	for _, cmd := range all {
		base := find(all, cmd.name, ip)
		fmt.Printf("%-11s %-10s %7.2f ms %6s %7.2f ms %6s %6.1f MB   %v\n", cmd.name, cmd.who,
			ms(median(cmd.wall)), ratio(base, func() float64 { return median(cmd.wall).Seconds() / median(base.wall).Seconds() }),
			ms(median(cmd.cpu)), ratio(base, func() float64 { return median(cmd.cpu).Seconds() / median(base.cpu).Seconds() }),
			float64(cmd.memory)/1024, cmd.argv)
	}
	return goals(all)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// ratio is empty for what ip has no like of.
func ratio(base *command, f func() float64) string {
	if base == nil {
		return ""
	}
	return fmt.Sprintf("%.2f", f())
}

func find(all []*command, name, who string) *command {
	for _, c := range all {
		if c.name == name && c.who == who {
			return c
		}
	}
	return nil
}

// goals prints each, and fails when one is missed.
func goals(all []*command) error {
	fmt.Println()
	missed := 0
	goal := func(text string, met bool, format string, a ...any) {
		verdict := "met"
		if !met {
			verdict = "MISSED"
			missed++
		}
		fmt.Printf("%-58s %-6s  %s\n", text, verdict, fmt.Sprintf(format, a...))
	}
	mine, theirs := find(all, "all", ours), find(all, "all", ip)
	x := median(mine.wall).Seconds() / median(theirs.wall).Seconds()
	goal("-a is no slower than ip addr", x <= 1, "%.2f", x)
	growth := median(find(all, "one", ours).cpu).Seconds() / median(find(all, "one of few", ours).cpu).Seconds()
	goal("one interface costs the same among many (CPU, below 1.3)", growth < growthGoal, "%.2f", growth)
	start := median(find(all, "start-up", ours).cpu)
	goal("start-up takes less than 3 ms of CPU", start < startUpGoal, "%.2f ms", ms(start))
	goal("-a takes less than 40 MB", mine.memory < memoryGoal, "%.1f MB", float64(mine.memory)/1024)
	if missed > 0 {
		return errors.New("a goal was missed")
	}
	return nil
}
