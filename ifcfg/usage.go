package ifcfg

import "strings"

// Usage is the text that answers a line that does not parse: byte for byte
// that of NetBSD 7's ifconfig(8).
func Usage() string {
	var b strings.Builder
	b.WriteString("usage: ifconfig [-h] [-m] [-v] [-z] [-L] interface\n")
	for _, f := range features() {
		for _, line := range f.usage {
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
