package picture

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Text writes the page's most important facts for a terminal.
func (p *Page) Text(w io.Writer) error {
	var b strings.Builder
	for i := range p.Agrs {
		a := &p.Agrs[i]
		state := "up"
		if !a.Up {
			state = "no carrier"
		}
		fmt.Fprintf(&b, "%s: %s, %s\n", a.Name, state, a.Verdict)
		lines := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, q := range a.Ports {
			fmt.Fprintf(lines, "\t%s\t%s\t%s\tout %s\tin %s\t%d/256\t%s\n", q.Name, q.Word, q.Link, q.Out, q.In, q.Strip.Count, joined(q.Reason, q.Warning))
		}
		lines.Flush()
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func joined(parts ...string) string {
	var some []string
	for _, p := range parts {
		if p != "" {
			some = append(some, p)
		}
	}
	return strings.Join(some, "; ")
}
