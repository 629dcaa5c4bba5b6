package linux

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

// Resolver is the system's: the hosts file and DNS. It needs no Kernel.
type Resolver struct{}

var _ ifcfg.Resolver = Resolver{}

// LookupHost implements ifcfg.Resolver.
func (Resolver) LookupHost(name string, f ifcfg.Family) ([]netip.Addr, error) {
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
func (Resolver) LookupAddr(a netip.Addr) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	found, err := net.DefaultResolver.LookupAddr(ctx, a.String())
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(found[0], "."), nil
}
