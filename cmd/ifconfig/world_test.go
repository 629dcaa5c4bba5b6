package main

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strconv"

	"ifagr/ifcfg"
	"ifagr/ifcfg/kerneltest"
	"ifagr/netutil/ether"
)

// world is an ifconfig with everything around it in memory.
type world struct {
	*kerneltest.Kernel
	aggr *kerneltest.Aggr
	env  env
}

// newWorld is a machine like the one on which the transcripts were recorded:
// lo0, and cloners for everything that they create.
func newWorld() *world {
	k := &kerneltest.Kernel{AsNetBSD: true, AutoLocal: true}
	lo := k.Add(kerneltest.Loopback("lo0"))
	lo.Flags |= ifcfg.FlagUp
	lo.Addrs = []ifcfg.Addr{
		addr("127.0.0.1/8"), addr("::1/128"), addr("fe80::1/64"),
	}
	k.Make = map[string]func(string) kerneltest.Iface{
		"virt":   virt,
		"lo":     func(string) kerneltest.Iface { return kerneltest.Loopback("") },
		"bridge": func(string) kerneltest.Iface { return plain(ifcfg.ClassBridge, 0, 1500) },
		"vlan":   func(string) kerneltest.Iface { return plain(ifcfg.ClassVLAN, kerneltest.EtherFlags, 0) },
		"gif": func(string) kerneltest.Iface {
			return plain(ifcfg.ClassOther, ifcfg.FlagPointToPt|ifcfg.FlagMulticast, 1280)
		},
		"tap":   func(string) kerneltest.Iface { return plain(ifcfg.ClassOther, kerneltest.EtherFlags, 1500) },
		"shmif": func(string) kerneltest.Iface { return plain(ifcfg.ClassOther, kerneltest.EtherFlags, 1500) },
		"carp":  func(string) kerneltest.Iface { return plain(ifcfg.ClassOther, kerneltest.EtherFlags, 1500) },
	}
	w := &world{Kernel: k, aggr: &kerneltest.Aggr{Kernel: k}}
	w.env = env{
		kernel: func() (ifcfg.Kernel, error) { return k, nil },
		aggr:   func() ifcfg.Aggr { return w.aggr },
		names:  hosts{},
	}
	return w
}

func addr(s string) ifcfg.Addr {
	p := netip.MustParsePrefix(s)
	return ifcfg.Addr{
		IP: p.Addr(), Mask: ifcfg.MaskOf(p.Bits(), p.Addr().BitLen()),
		Preferred: ifcfg.Infinite, Valid: ifcfg.Infinite,
	}
}

// virt is the transcripts' NIC.
func virt(unit string) kerneltest.Iface {
	const full = ifcfg.MediaFullDuplex
	n, _ := strconv.Atoi(unit)
	i := kerneltest.NIC("", ether.Addr{0xb2, 0x0a, 0x01, 0x0b, 0x0e, byte(n)})
	i.Media = &ifcfg.Media{
		Type: "Ethernet", Valid: true,
		Current: ifcfg.Medium{Subtype: "autoselect"}, Active: ifcfg.Medium{Subtype: "1000baseT", Options: full},
		Supported: []ifcfg.Medium{
			{Subtype: "10baseT"},
			{Subtype: "10baseT", Options: full},
			{Subtype: "100baseTX"},
			{Subtype: "100baseTX", Options: full},
			{Subtype: "1000baseT", Options: full},
			{Subtype: "autoselect"},
		},
	}
	return i
}

func plain(c ifcfg.Class, f ifcfg.Flags, mtu int) kerneltest.Iface {
	return kerneltest.Iface{Link: ifcfg.Link{Class: c, Flags: f, MTU: mtu, LinkUp: true}}
}

// hosts is a resolver with a hosts file of one line.
type hosts struct{}

func (hosts) LookupHost(name string, f ifcfg.Family) ([]netip.Addr, error) {
	all := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}
	if name != "localhost" {
		return nil, errors.New("no such host")
	}
	return slices.DeleteFunc(all, func(a netip.Addr) bool {
		return f == ifcfg.Inet && !a.Is4() || f == ifcfg.Inet6 && a.Is4()
	}), nil
}

func (hosts) LookupAddr(a netip.Addr) (string, error) {
	if a.IsLoopback() {
		return "localhost", nil
	}
	return "", errors.New("no such address")
}

// result is what a run left behind.
type result struct {
	Stdout, Stderr string
	Status         int
}

// run runs one line.
func (w *world) run(args ...string) result {
	var out, errs bytes.Buffer
	status := run(args, w.env, &out, &errs)
	return result{out.String(), errs.String(), status}
}
