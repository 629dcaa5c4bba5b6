package kernel

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"ifagr/agr/datapath"
	"ifagr/netutil/ether"
	"ifagr/netutil/rtnl"
)

// The names of an aggregate's other interfaces are its own and a letter.
const (
	innerSuffix = "p" // the inner end of its pair
	holdSuffix  = "h" // the TAP device for held frames
)

// innerMTU is the most that a veth device takes. What the outer end forwards is
// limited by its own MTU, in both directions.
const innerMTU = 65535

// pair are the two ends of a veth pair.
type pair struct{ outer, inner rtnl.Link }

// findPair finds the pair of an aggregate. It fails with datapath.ErrNotOurs when
// there is an interface of that name that is something else.
func findPair(links *rtnl.Conn, name string) (p pair, found bool, err error) {
	p.outer, err = links.LinkByName(name)
	if errors.Is(err, rtnl.ErrNotFound) {
		p.outer, err = renamedOuter(links, name)
	}
	switch {
	case errors.Is(err, rtnl.ErrNotFound):
		return pair{}, false, nil
	case err != nil:
		return pair{}, false, err
	case p.outer.Kind != "veth" || p.outer.ParentElsewhere:
		return pair{}, false, datapath.ErrNotOurs
	}
	p.inner, err = links.LinkByIndex(p.outer.Parent)
	if err == nil && p.inner.Name != name+innerSuffix && !noted(p.inner) || errors.Is(err, rtnl.ErrNotFound) {
		err = datapath.ErrNotOurs
	}
	return p, err == nil, err
}

// renamedOuter finds the outer end behind the inner one: another tool may have
// given it another name while no daemon ran.
func renamedOuter(links *rtnl.Conn, name string) (rtnl.Link, error) {
	inner, err := links.LinkByName(name + innerSuffix)
	if err == nil && (inner.Name != name+innerSuffix || !noted(inner) || inner.ParentElsewhere) {
		err = rtnl.ErrNotFound
	}
	if err != nil {
		return rtnl.Link{}, err
	}
	return links.LinkByIndex(inner.Parent)
}

// noted reports whether an interface is the inner end of a pair by its alias.
func noted(l rtnl.Link) bool { return len(parseAlias(l.Alias).ids) > 0 }

// AggregateOf names the aggregate whose pair an interface is the inner end of, and
// reports whether it is one. What another tool has done to the outer end does not matter.
func AggregateOf(inner rtnl.Link) (name string, ok bool) {
	return strings.TrimSuffix(inner.Name, innerSuffix), inner.Kind == "veth" && noted(inner)
}

// makePair makes the pair, both ends down. Its addresses are given at birth, so
// that udev's MACAddressPolicy, which only touches random ones, leaves them.
func makePair(links *rtnl.Conn, name string, mac ether.Addr) (pair, error) {
	inner := name + innerSuffix
	if len(inner) >= unix.IFNAMSIZ {
		return pair{}, fmt.Errorf("no room for the name %s: %w", inner, ErrUnsupported)
	}
	ends := rtnl.Veth{Name: name, Addr: mac, FarName: inner, FarAddr: randomAddr()}
	err := links.AddVeth(ends)
	if errors.Is(err, unix.EEXIST) && dropWidow(links, inner) {
		err = links.AddVeth(ends)
	}
	if errors.Is(err, unix.EEXIST) {
		return pair{}, fmt.Errorf("%s: %w", inner, datapath.ErrNotOurs)
	}
	if err != nil {
		return pair{}, err
	}
	p, found, err := findPair(links, name)
	if err == nil && !found {
		err = rtnl.ErrNotFound
	}
	return p, err
}

// dropWidow deletes the inner end of a pair whose outer end was moved to another
// network namespace while no daemon ran, and reports whether there was one.
func dropWidow(links *rtnl.Conn, name string) bool {
	inner, err := links.LinkByName(name)
	return err == nil && inner.Name == name && inner.ParentElsewhere && noted(inner) && links.DelLink(inner.Index) == nil
}

// setUpInner makes the inner end what it has to be before it is up: it carries
// whatever the outer end does, and has no address of its own.
func setUpInner(links *rtnl.Conn, inner rtnl.Link) error {
	var err error
	if inner.MTU != innerMTU { // from below 1280 it gives the inner end IPv6 again, with addresses
		err = links.SetMTU(inner.Index, innerMTU)
	}
	genErr := links.SetAddrGenMode(inner.Index, rtnl.AddrGenNone)
	if errors.Is(genErr, unix.EAFNOSUPPORT) { // without IPv6 there is none anyway
		genErr = nil
	}
	return errors.Join(err, genErr)
}

// randomAddr is an address of one's own choice (IEEE 802-2014 8.2.2: U/L bit).
func randomAddr() ether.Addr {
	var a ether.Addr
	_, _ = rand.Read(a[:]) // never fails
	a[0] = a[0]&^1 | 2
	return a
}
