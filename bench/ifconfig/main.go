package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
)

// config is what the command line says.
type config struct {
	interfaces int
	rounds     int
	ours       string
	netTools   string
}

func main() {
	var c config
	flag.IntVar(&c.interfaces, "n", 4000, "how many interfaces")
	flag.IntVar(&c.rounds, "rounds", 11, "how often everything is measured")
	flag.StringVar(&c.ours, "ours", "bin/ifconfig", "our ifconfig")
	flag.StringVar(&c.netTools, "net-tools", "/sbin/ifconfig", "that of net-tools")
	flag.Parse()
	if err := run(c); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run builds the two namespaces, measures and prints. They end with the
// process, as nothing keeps them but it.
func run(c config) error {
	if err := c.check(); err != nil {
		return err
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	few, err := newSpace(2)
	if err != nil {
		return err
	}
	fmt.Printf("making %d interfaces\n", c.interfaces)
	many, err := newSpace(c.interfaces)
	if err != nil {
		return err
	}
	if err := many.setDown(7); err != nil {
		return err
	}
	all := commands(c, few, many)
	for round := range c.rounds {
		for i := range all {
			select {
			case <-interrupted:
				return fmt.Errorf("interrupted")
			default:
			}
			if err := all[(round+i)%len(all)].time(); err != nil {
				return err
			}
		}
	}
	for _, cmd := range all {
		if err := cmd.weigh(); err != nil {
			return err
		}
	}
	return report(c, all)
}

// check says what is missing before the long part begins.
func (c *config) check() error {
	if c.interfaces < 10 || c.rounds < 1 {
		return fmt.Errorf("want 10 interfaces and a round at least")
	}
	for _, p := range []string{c.ours, c.netTools, "ip"} {
		if _, err := exec.LookPath(p); err != nil {
			return err
		}
	}
	out, _ := exec.Command(c.netTools, "--version").CombinedOutput()
	if !strings.Contains(string(out), "net-tools") {
		return fmt.Errorf("%s is not that of net-tools", c.netTools)
	}
	return nil
}

// commands are what is measured. A change is undone after it, unmeasured.
func commands(c config, few, many *space) []*command {
	const one, alias = "virt5", "198.51.100.7/32"
	add := func(words string) []string { return append([]string{c.ours}, strings.Fields(words)...) }
	return []*command{
		{name: "all", who: ours, in: many, argv: add("-a")},
		{name: "all", who: ip, in: many, argv: words("ip addr")},
		{name: "all", who: netTools, in: many, argv: []string{c.netTools, "-a"}, once: true},
		{name: "names", who: ours, in: many, argv: add("-l")},
		{name: "names", who: ip, in: many, argv: words("ip -br link")},
		{name: "one", who: ours, in: many, argv: add(one)},
		{name: "one", who: ip, in: many, argv: words("ip addr show dev " + one)},
		{name: "one", who: netTools, in: many, argv: []string{c.netTools, one}},
		{name: "one, down", who: ours, in: many, argv: add("virt7")},
		{name: "one, down", who: ip, in: many, argv: words("ip addr show dev virt7")},
		{
			name: "change", who: ours, in: many, argv: add(one + " inet " + alias + " alias"),
			undo: words("ip addr del " + alias + " dev " + one),
		},
		{
			name: "change", who: ip, in: many, argv: words("ip addr add " + alias + " dev " + one),
			undo: words("ip addr del " + alias + " dev " + one),
		},
		{name: "one of few", who: ours, in: few, argv: add("virt1")},
		{name: "one of few", who: ip, in: few, argv: words("ip addr show dev virt1")},
		{name: "start-up", who: ours, in: few, argv: add("-C")},
	}
}

// The programs.
const (
	ours     = "ours"
	ip       = "ip"
	netTools = "net-tools"
)

func words(s string) []string { return strings.Fields(s) }
