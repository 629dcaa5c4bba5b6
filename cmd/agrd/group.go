package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// noGroup is what Linux shows for a group that the own user namespace does not
// know, unless overflowPath says otherwise.
const (
	noGroup      = 65534
	overflowPath = "/proc/sys/kernel/overflowgid" // user_namespaces(7)
)

// groupID finds a group by its name or number; no name is no group, -1. The one
// that stands for all that are not known here would let strangers in.
func groupID(name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	id, err := strconv.Atoi(name)
	if err != nil || id < 0 {
		g, err := user.LookupGroup(name)
		if err != nil {
			return -1, fmt.Errorf("-group: %w", err)
		}
		if id, err = strconv.Atoi(g.Gid); err != nil {
			return -1, fmt.Errorf("-group %s: %w", name, err)
		}
	}
	if id == overflowGroup() {
		return -1, fmt.Errorf("-group %s: it stands for every group that this user namespace does not know", name)
	}
	return id, nil
}

func overflowGroup() int {
	b, err := os.ReadFile(overflowPath)
	if err != nil {
		return noGroup
	}
	id, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return noGroup
	}
	return id
}
