package netstart

import "strings"

// line is one line of a file after joining. Its number is that of its first
// part, from 1.
type line struct {
	number int
	text   string // without blanks around it; not empty
}

// splitLines gives the lines of a file. A backslash at the end joins a line
// with the next one; empty lines and comments are left out.
func splitLines(file string) []line {
	var out []line
	number, text, n := 1, "", 0
	add := func(last int) {
		if text = strings.TrimSpace(text); text != "" && text[0] != '#' {
			out = append(out, line{number, text})
		}
		number, text = last+1, ""
	}
	for part := range strings.Lines(file) {
		n++
		part = strings.TrimSuffix(part, "\n")
		if continues(part) {
			text += part[:len(part)-1]
			continue
		}
		text += part
		add(n)
	}
	add(n)
	return out
}

// continues reports a line that ends with a backslash that is not itself behind
// one.
func continues(part string) bool {
	slashes := len(part) - len(strings.TrimRight(part, `\`))
	return slashes%2 == 1
}
