package netstart

import (
	"regexp"
	"strings"
)

// variable is an assignment of rc.conf.
type variable struct {
	number int    // of its line
	value  string // as a shell would have it
	err    error  // why there is no value
}

// assignment is the beginning of one that is for us; whatever else the file
// has is for a shell.
const assignment = `(?m)^[ \t]*((?:ifconfig|ifaliases)_[A-Za-z0-9_]+)=`

// variables reads ifconfig_xxN and ifaliases_xxN out of an rc.conf. The last
// assignment counts.
func variables(file string) map[string]variable {
	out := map[string]variable{}
	for _, at := range regexp.MustCompile(assignment).FindAllStringSubmatchIndex(file, -1) {
		r := reader{file[at[1]:]}
		value, err := r.word()
		out[file[at[2]:at[3]]] = variable{1 + strings.Count(file[:at[2]], "\n"), value, err}
	}
	return out
}

// lines are those of a variable. Where it has only one, semicolons part it too.
func (v *variable) lines() []line {
	value := v.value
	if !strings.Contains(value, "\n") {
		value = strings.ReplaceAll(value, ";", "\n")
		out := splitLines(value)
		for i := range out {
			out[i].number = v.number
		}
		return out
	}
	out := splitLines(value)
	for i := range out {
		out[i].number += v.number - 1
	}
	return out
}
