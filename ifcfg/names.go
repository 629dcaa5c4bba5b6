package ifcfg

import "strings"

// agrName reports whether a name belongs to agr(4) as far as its words look at
// it: the prefix and one digit.
func agrName(name string) bool {
	return len(name) > len("agr") && strings.HasPrefix(name, "agr") && isDigit(name[len("agr")])
}

// isAgr reports whether an interface of that name is agrd's: the prefix and
// digits only.
func isAgr(name string) bool {
	prefix, unit, ok := splitUnit(name)
	return ok && prefix == "agr" && unit != ""
}

// splitUnit cuts a cloner's name and the digits of its unit apart. Digits in
// any other place make it no clone's name.
func splitUnit(name string) (prefix, unit string, ok bool) {
	i := strings.IndexFunc(name, func(r rune) bool { return r >= '0' && r <= '9' })
	if i <= 0 {
		return name, "", false
	}
	for _, c := range []byte(name[i:]) {
		if !isDigit(c) {
			return name, "", false
		}
	}
	return name[:i], name[i:], true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
