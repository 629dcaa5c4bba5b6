package netstart

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"ifagr/ifcfg"
)

const (
	rcFile = "rc.conf"
	prefix = "ifconfig." // of the files of interfaces
	lo0    = "lo0"
)

// script is what is to be done with one interface.
type script struct {
	iface   string
	file    string
	lines   []line
	trusted bool // only root can have written it
}

// validName reports a name that a variable could have, which is what NetBSD
// asks of interfaces.
func validName(name string) bool {
	const others = "0123456789_"
	return name != "" && strings.Trim(name, others+"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// plan gives the scripts of the named interfaces, in that order, or without
// names those of all.
func (r *run) plan(names []string) []*script {
	found := r.found(names)
	var scripts []*script
	for _, name := range found {
		switch s, err := r.script(name); {
		case err != nil:
			r.fail(prefix+name, err)
		case s != nil:
			scripts = append(scripts, s)
		case len(names) > 0:
			r.fail(prefix+name, errors.New("no such file, and rc.conf does not set ifconfig_"+name))
		}
	}
	if len(names) > 0 {
		return scripts
	}
	return inOrder(scripts)
}

// found are the named interfaces, or those that exist and those that a file is
// there for and that can be created. lo0 is first, whatever Linux calls it.
func (r *run) found(names []string) []string {
	if len(names) > 0 {
		return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			bad := !validName(name)
			if bad {
				r.fail(name, errName)
			}
			return bad
		})
	}
	all := []string{lo0}
	for _, name := range r.existing() {
		switch {
		case validName(name):
			all = append(all, name)
		case r.exists(prefix + name):
			r.fail(prefix+name, errName)
		}
	}
	for _, cloner := range r.names((*ifcfg.Session).Cloners) {
		files, _ := fs.Glob(r.Files, prefix+cloner+"[0-9]*")
		for _, file := range files {
			if name := strings.TrimPrefix(file, prefix); validName(name) {
				all = append(all, name)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b string) int { return rank(a) - rank(b) })
	return unique(all)
}

var errName = errors.New("the name of an interface may have letters, digits and _ only")

// unique leaves repetitions out.
func unique(names []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(names, func(name string) bool {
		again := seen[name]
		seen[name] = true
		return again
	})
}

// rank puts what is built upon before what is built: NICs before agr, agr
// before vlan, and tunnels, which need an address, last.
func rank(name string) int {
	switch strings.TrimRight(name, "0123456789") {
	case "agr":
		return 2
	case "vlan":
		return 3
	case "gif", "gre", "wg":
		return 4
	}
	if name == lo0 {
		return 0
	}
	return 1
}

// inOrder puts an interface that a script names as its port or its parent before
// that script's; otherwise the order stays.
func inOrder(scripts []*script) []*script {
	byName := map[string]*script{}
	for _, s := range scripts {
		byName[s.iface] = s
	}
	var out []*script
	visited := map[*script]bool{nil: true}
	var visit func(*script)
	visit = func(s *script) {
		if visited[s] {
			return
		}
		visited[s] = true
		for _, name := range s.below() {
			visit(byName[name])
		}
		out = append(out, s)
	}
	for _, s := range scripts {
		visit(s)
	}
	return out
}

// below are the interfaces that a script builds upon.
func (s *script) below() []string {
	var names []string
	for _, l := range s.lines {
		words, err := splitWords(l.text)
		for i := 0; err == nil && i+1 < len(words); i++ {
			if words[i] == "agrport" || words[i] == "vlanif" {
				names = append(names, words[i+1])
			}
		}
	}
	return names
}

// script reads what there is for an interface: the variable, or else the file;
// nil when there is neither.
func (r *run) script(name string) (*script, error) {
	if v, ok := r.vars["ifconfig_"+name]; ok && (v.value != "" || v.err != nil) {
		if v.err != nil {
			return nil, fmt.Errorf("%s: ifconfig_%s: %w", at(rcFile, v.number), name, v.err)
		}
		return &script{name, rcFile, v.lines(), r.varsTrusted}, nil
	}
	if !r.exists(prefix + name) {
		return nil, nil
	}
	text, trusted, err := r.read(prefix + name)
	if err != nil {
		return nil, err
	}
	return &script{name, prefix + name, splitLines(text), trusted}, nil
}

// existing are the interfaces of ifconfig -l.
func (r *run) existing() []string {
	return r.names(func(s *ifcfg.Session) error { return s.List(ifcfg.Filter{}) })
}

// names are the words that a session prints.
func (r *run) names(print func(*ifcfg.Session) error) []string {
	var out bytes.Buffer
	s := *r.Session
	s.Out = &out
	if err := print(&s); err != nil {
		r.fail("ifconfig", err)
	}
	return strings.Fields(out.String())
}
