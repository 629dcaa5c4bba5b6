package agr

import (
	"errors"
	"fmt"

	"ifagr/agr/datapath/kernel"
	"ifagr/agr/datapath/user"
	"ifagr/netutil/rtnl"
)

// There names the agr interfaces that the calling thread's network namespace has, of
// either datapath, whether or not anybody controls them. Users are those whose daemon
// may have made one with the user datapath.
func There(users ...uint32) ([]string, error) {
	conn, err := rtnl.Open()
	if err != nil {
		return nil, fmt.Errorf("agr: %w", err)
	}
	links, err := conn.Links()
	if err := errors.Join(err, conn.Close()); err != nil {
		return nil, fmt.Errorf("agr: %w", err)
	}
	return among(links, users), nil
}

// among names those among all links.
func among(links []rtnl.Link, users []uint32) (names []string) {
	for _, l := range links {
		if name, ok := kernel.AggregateOf(l); ok {
			names = append(names, name)
			continue
		}
		if _, err := parseUnit(l.Name); err == nil && user.IsOurs(l, users...) {
			names = append(names, l.Name)
		}
	}
	return names
}
