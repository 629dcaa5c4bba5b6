package main

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/pprof"
	"time"

	"golang.org/x/sys/unix"

	"ifagr/agr/datapath"
	"ifagr/agr/datapath/user"
	"ifagr/agr/dist"
	"ifagr/netutil/ether"
)

// roles are what a process that run starts may be, by its first argument.
var roles = map[string]func(args []string) error{
	"daemon":     daemon,
	"tcp-source": tcpSource,
	"tcp-sink":   tcpSink,
	"udp-source": udpSource,
	"udp-sink":   udpSink,
}

// daemon runs agr0 over the two ports that args begins with.
func daemon(args []string) error {
	if len(args) > 2 {
		f, err := os.Create(args[2])
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	d, err := user.New("agr0", ether.Addr{}, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	if err := program(d, args[:2]); err != nil {
		return err
	}
	fmt.Println("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Println(cpuTime())
	}
	return d.Close(true)
}

// cpuTime is how much CPU time this process has used.
func cpuTime() time.Duration {
	var ru unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &ru) != nil {
		return 0
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// program adds the ports and lets all of them collect and distribute.
func program(d *user.Device, names []string) error {
	p := datapath.Program{Hash: dist.Hash{Mode: dist.L4, Seed: 1}, Idle: time.Millisecond}
	var shares []dist.Share
	for i, name := range names {
		ifi, err := net.InterfaceByName(name)
		if err != nil {
			return err
		}
		number := uint16(i + 1)
		if err := d.AddPort(datapath.Port{Number: number, Index: ifi.Index, Name: name}); err != nil {
			return err
		}
		p.Ports = append(p.Ports, datapath.PortState{Number: number, Collecting: true, Distributing: true})
		shares = append(shares, dist.Share{Port: number})
	}
	p.Table = dist.Rebalance(dist.Table{}, shares)
	if err := d.Program(p); err != nil {
		return err
	}
	return d.SetCarrier(true)
}
