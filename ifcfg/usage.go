package ifcfg

import "strings"

// Usage is the text that answers a line that does not parse, in the default
// style.
func Usage() string { return netbsd7().Usage() }

// Usage is the text that answers a line that does not parse: byte for byte
// that of the release's ifconfig(8). It has no word that the release has not.
func (s Style) Usage() string {
	lines := map[module][]string{}
	for _, f := range features() {
		lines[f.module] = append(lines[f.module], f.usage...)
	}
	var b strings.Builder
	b.WriteString("usage: ifconfig [-h] [-m] [-v] [-z] [-L] interface\n")
	for _, m := range s.usage {
		for _, line := range lines[m] {
			b.WriteString("\t" + line + "\n")
		}
	}
	b.WriteString(`       ifconfig -a [-b] [-d] [-h] [-m] [-u] [-v] [-z] [ af ]
       ifconfig -l [-b] [-d] [-s] [-u]
       ifconfig -C
       ifconfig -w n
       ifconfig interface create
       ifconfig interface destroy
`)
	return b.String()
}
