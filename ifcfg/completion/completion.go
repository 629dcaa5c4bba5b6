package completion

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ifagr/ifcfg"
	"ifagr/ifcfg/grammar"
)

// options are the letters of ifconfig(8) that are worth completing.
const options = "-a -b -C -d -h -j -L -l -m -N -s -u -v -W -w -z"

// Bash is the completion for bash(1).
func Bash() string {
	return header + machine() + `
_ifagr_ifconfig() {
	local cur=${COMP_WORDS[COMP_CWORD]} at
	COMPREPLY=()
	_ifagr_ifconfig_walk "${COMP_WORDS[@]:1:COMP_CWORD-1}"
	if [[ $cur == -* && $at == 0 ]]; then
		mapfile -t COMPREPLY < <(compgen -W '` + options + `' -- "$cur")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$(_ifagr_ifconfig_offer "$at" "${COMP_WORDS[0]}")" -- "$cur")
}
complete -F _ifagr_ifconfig ifconfig
`
}

// Zsh is the completion for zsh(1).
func Zsh() string {
	return "#compdef ifconfig\n" + header + machine() + `
_ifagr_ifconfig() {
	local at
	_ifagr_ifconfig_walk "${(@)words[2,CURRENT-1]}"
	if [[ $PREFIX == -* && $at == 0 ]]; then
		compadd -- ` + options + `
		return
	fi
	compadd -- ${=$(_ifagr_ifconfig_offer "$at" "$words[1]")}
}
_ifagr_ifconfig "$@"
`
}

const header = `# shellcheck shell=bash
# Completion of ifconfig's lines, made from the grammar of its parser by the
# test of ifagr's package ifcfg/completion. Do not edit.
`

// machine is what both shells share. One function goes from place to place with
// the words before the cursor, the other one says what may stand in a place.
func machine() string {
	places := ifcfg.Places()
	base := basePlace(places)
	var b strings.Builder
	b.WriteString(`
# Leaves in "at" where in its grammar the line is: a number, or -1 when
# nothing is known about what follows.
_ifagr_ifconfig_walk() {
	local word
	at=0
	for word in "$@"; do
		case $at:$word in
		-1:*) continue ;;
		0:-w | 0:-W) at=seconds && continue ;;
		0:-*C* | 0:-*l*) at=-1 && continue ;;
		0:-*a*) at=family && continue ;;
		0:-*) continue ;;
		family:* | seconds:*) at=-1 && continue ;;
`)
	var extended []string
	for i, p := range places {
		if i != base && extends(p, places[base]) {
			writeSteps(&b, i, extra(p, places[base]), " && continue")
			extended = append(extended, fmt.Sprint(i))
		}
	}
	fmt.Fprintf(&b, "\t\tesac\n\t\tcase $at in %s) at=%d ;; esac\n\t\tcase $at:$word in\n", strings.Join(extended, " | "), base)
	for i, p := range places {
		if i == base || !extends(p, places[base]) {
			writeSteps(&b, i, p, "")
		}
	}
	fmt.Fprintf(&b, `		*) at=-1 ;;
		esac
	done
}

# Prints what may stand in the place $1; $2 is the command.
_ifagr_ifconfig_offer() {
	case $1 in %s | %d) echo '%s' ;; esac
	case $1 in
	family) echo 'atalk inet inet6 link' ;;
`, strings.Join(extended, " | "), base, wordsOf(places[base]))
	writeOffers(&b, places, base)
	b.WriteString("\tesac\n}\n")
	return b.String()
}

// basePlace is the place of the items of a line, which most of the others
// extend.
func basePlace(places []ifcfg.Place) int {
	best, most := 0, 0
	for i, p := range places {
		n := 0
		for _, q := range places {
			if extends(q, p) {
				n++
			}
		}
		if len(p.Words) > 0 && n > most {
			best, most = i, n
		}
	}
	return best
}

// extends reports whether p takes what base takes, and goes on as base does
// unless a keyword comes that is its own or means something else there.
func extends(p, base ifcfg.Place) bool {
	if p.Leads != base.Leads || p.Other != base.Other || p.To != base.To {
		return false
	}
	for text := range base.Words {
		if _, ok := p.Words[text]; !ok {
			return false
		}
	}
	return true
}

// extra is p without what leads where it does from base.
func extra(p, base ifcfg.Place) ifcfg.Place {
	own := maps.Clone(p.Words)
	maps.DeleteFunc(own, func(text string, to int) bool { at, ok := base.Words[text]; return ok && at == to })
	return ifcfg.Place{Words: own}
}

// extraWords are the keywords of p that base does not have.
func extraWords(p, base ifcfg.Place) ifcfg.Place {
	own := maps.Clone(p.Words)
	maps.DeleteFunc(own, func(text string, _ int) bool { _, ok := base.Words[text]; return ok })
	return ifcfg.Place{Words: own}
}

// writeSteps writes the ways out of a place, the keywords that lead to the same
// place on one line.
func writeSteps(b *strings.Builder, i int, p ifcfg.Place, then string) {
	to := map[int][]string{}
	for _, text := range slices.Sorted(maps.Keys(p.Words)) {
		to[p.Words[text]] = append(to[p.Words[text]], fmt.Sprintf("%d:%s", i, text))
	}
	for _, next := range slices.Sorted(maps.Keys(to)) {
		fmt.Fprintf(b, "\t\t%s) at=%d%s ;;\n", strings.Join(to[next], " | "), next, then)
	}
	if p.Leads {
		fmt.Fprintf(b, "\t\t%d:*) at=%d%s ;;\n", i, p.To, then)
	}
}

// writeOffers writes what may stand in each place beside what base offers:
// keywords, or the names of interfaces.
func writeOffers(b *strings.Builder, places []ifcfg.Place, base int) {
	var names []string
	for i, p := range places {
		if p.Leads && p.Other == grammar.KindIface {
			names = append(names, fmt.Sprint(i))
			continue
		}
		if extends(p, places[base]) {
			p = extraWords(p, places[base])
		}
		if len(p.Words) > 0 {
			fmt.Fprintf(b, "\t%d) echo '%s' ;;\n", i, wordsOf(p))
		}
	}
	fmt.Fprintf(b, "\t%s) \"$2\" -l 2>/dev/null ;;\n", strings.Join(names, " | "))
}

func wordsOf(p ifcfg.Place) string { return strings.Join(slices.Sorted(maps.Keys(p.Words)), " ") }
