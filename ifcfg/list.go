package ifcfg

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// List prints the names of the interfaces that the filter lets pass, in the
// order of their indexes.
func (s *Session) List(filter Filter) error {
	links, err := s.selected(filter)
	if err != nil {
		return err
	}
	var names []string
	for _, l := range links {
		names = append(names, l.Name)
	}
	fmt.Fprintln(s.Out, strings.Join(names, " "))
	return nil
}

// Cloners prints the names of what create can make.
func (s *Session) Cloners() error {
	fmt.Fprintln(s.Out, strings.Join(s.cloners(), " "))
	return nil
}

// cloners are agr and the kernel's, in the order of the alphabet.
func (s *Session) cloners() []string {
	names := append([]string{"agr"}, s.Kernel.Cloners()...)
	slices.Sort(names)
	return names
}

// selected are the interfaces to list, without what agr interfaces are made of.
func (s *Session) selected(filter Filter) ([]Link, error) {
	links, err := s.Kernel.Links()
	if err != nil {
		return nil, failed("getifaddrs", err)
	}
	links = slices.DeleteFunc(links, func(l Link) bool { return l.Inner || !s.selects(filter, &l) })
	slices.SortFunc(links, func(a, b Link) int { return cmp.Compare(a.Index, b.Index) })
	return links, nil
}

func (s *Session) selects(f Filter, l *Link) bool {
	up := l.Flags&FlagUp != 0
	return (!f.Up || up) && (!f.Down || !up) &&
		(!f.Broadcast || l.Flags&FlagBroadcast != 0) &&
		(!f.Carrier || !s.lacksCarrier(l))
}

// lacksCarrier reports an interface whose driver knows that its link is not
// there. In NetBSD 7 only one with media knows (design D1).
func (s *Session) lacksCarrier(l *Link) bool {
	known := s.Style.linkState || l.Class == ClassEthernet && !isAgr(l.Name)
	return known && !l.LinkUp
}

// Carrier is the test of -s: false when the interface has no carrier, or does
// not pass the filter.
func (s *Session) Carrier(name string) (bool, error) {
	l, err := s.Kernel.Link(name)
	if err != nil {
		return false, failed("SIOCGIFFLAGS "+name, err)
	}
	return !s.lacksCarrier(&l), nil
}

// Wait returns when no address is being checked for duplicates any more. It
// looks again at every tick, and gives up when the deadline fires. Addresses of
// an interface that is down or has no link stay unchecked for ever and do not
// count; until linkDeadline fires those of interfaces that are up do.
func (s *Session) Wait(tick, deadline, linkDeadline <-chan time.Time) error {
	waitForLinks := linkDeadline != nil
	for {
		busy, err := s.checking(waitForLinks)
		if err != nil || !busy {
			return err
		}
		select {
		case <-tick:
		case <-linkDeadline:
			waitForLinks = false
		case <-deadline:
			return errTimedOut
		}
	}
}

// checking reports whether any address is still tentative, or, when links
// count, detached on an interface that is up.
func (s *Session) checking(links bool) (bool, error) {
	all, err := s.Kernel.Links()
	if err != nil {
		return false, failed("getifaddrs", err)
	}
	addrs, err := s.Kernel.Addrs(0)
	if err != nil {
		return false, failed("getifaddrs", err)
	}
	for _, l := range all {
		if l.Flags&FlagUp == 0 || !l.LinkUp && !links {
			continue
		}
		for _, a := range addrs[l.Index] {
			if a.Flags&AddrTentative != 0 && a.Flags&AddrDuplicated == 0 || !l.LinkUp {
				return true, nil
			}
		}
	}
	return false, nil
}
