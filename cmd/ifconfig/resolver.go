package main

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"

	"ifagr/ifcfg"
)

// lookupTimeout bounds one question to the resolver: every unknown word of a
// line costs one.
const lookupTimeout = 5 * time.Second

// resolver is the system's: the hosts file and DNS.
type resolver struct{}

var _ ifcfg.Resolver = resolver{}

// LookupHost implements ifcfg.Resolver.
func (resolver) LookupHost(name string, f ifcfg.Family) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	network := "ip"
	switch f {
	case ifcfg.Inet:
		network = "ip4"
	case ifcfg.Inet6:
		network = "ip6"
	case ifcfg.FamilyNone, ifcfg.LinkLayer, ifcfg.AppleTalk:
	}
	return net.DefaultResolver.LookupNetIP(ctx, network, name)
}

// LookupAddr implements ifcfg.Resolver.
func (resolver) LookupAddr(a netip.Addr) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	found, err := net.DefaultResolver.LookupAddr(ctx, a.String())
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(found[0], "."), nil
}
