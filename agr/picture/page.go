package picture

import (
	"crypto/sha256"
	_ "embed" // the parts of the page
	"encoding/base64"
	"fmt"
	"html"
	"html/template"
	"io"
	"strings"
	"time"
)

var (
	//go:embed shell.html
	shell string
	//go:embed fragments.html
	fragments string
	//go:embed style.css
	style string
	//go:embed live.js
	program string
)

// named is a rate with its name, for the template.
type named struct {
	Name string
	Rate Rate
}

var parts = template.Must(template.New("").Funcs(template.FuncMap{
	"named": func(name string, r Rate) named { return named{name, r} },
}).Parse(fragments))

// fragment is what a template makes of data. It fails only if the template is
// wrong, which the tests would have seen.
func fragment(name string, data any) string {
	var b strings.Builder
	if err := parts.ExecuteTemplate(&b, name, data); err != nil {
		return html.EscapeString(err.Error())
	}
	return strings.TrimSpace(b.String())
}

// HTML is the aggregate as a part of the page.
func (a *Agr) HTML() string { return fragment("agr", a) }

// HTML is the event as a line of the list.
func (e *Event) HTML() string { return fragment("event", e) }

// Overview is the list of aggregates as a part of the page.
func Overview(all []Agr) string { return fragment("overview", all) }

// Daemon is what is known of the daemon.
type Daemon struct {
	Gone bool
	Text string
}

// HTML is the daemon's state as a part of the page.
func (d Daemon) HTML() string {
	class, mark := "here", "●"
	if d.Gone {
		class, mark = "gone", "✕"
	}
	return fragment("daemon", map[string]string{"Class": class, "Mark": mark, "Text": d.Text})
}

// Title is what a browser calls the page: the worst first.
func Title(all []Agr) string {
	var down, attention []string
	for _, a := range all {
		switch a.Class {
		case "down":
			down = append(down, a.Name)
		case "attention":
			attention = append(attention, a.Name)
		}
	}
	switch {
	case len(down) > 0:
		return "✕ " + list(down) + " down"
	case len(attention) > 0:
		return "▲ " + list(attention)
	case len(all) == 0:
		return "agr"
	}
	return "● " + plural(len(all), "aggregate")
}

// list names the first of many.
func list(names []string) string {
	const first = 3
	if len(names) > first {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:first], ", "), len(names)-first)
	}
	return strings.Join(names, ", ")
}

// Page is everything that is shown.
type Page struct {
	Host    string // whose aggregates they are
	Made    time.Time
	Program string // that made it
	Daemon  Daemon
	Agrs    []Agr
	Events  []Event // newest first
	Last    string  // of a live page: the newest event's ID
}

// Static writes a page that stays as it is.
func (p *Page) Static(w io.Writer) error { return p.write(w, staticPolicy, "") }

// Live writes a page that a server of Policy keeps up to date.
func (p *Page) Live(w io.Writer) error { return p.write(w, Policy, "<script>"+program+"</script>") }

func (p *Page) write(w io.Writer, policy, script string) error {
	var agrs, events strings.Builder
	for i := range p.Agrs {
		agrs.WriteString(p.Agrs[i].HTML())
	}
	for i := range p.Events {
		events.WriteString(p.Events[i].HTML())
	}
	esc := html.EscapeString
	_, err := strings.NewReplacer(
		"@POLICY@", policy, "@STYLE@", style, "@SCRIPT@", script,
		"@TITLE@", esc(Title(p.Agrs)+" – "+p.Host), "@HOST@", esc(p.Host), "@EVENT@", esc(p.Last),
		"@DAEMON@", p.Daemon.HTML(), "@OVERVIEW@", Overview(p.Agrs), "@AGRS@", agrs.String(), "@EVENTS@", events.String(),
		"@FOOTER@", esc(fmt.Sprintf("%s, %s. Bars and marks are logarithmic. Conversations are drawn by their number, 0 to 255.",
			p.Program, p.Made.Format("2006-01-02 15:04:05 MST"))),
	).WriteString(w, shell)
	return err
}

// The policies of the pages (Content-Security-Policy): what is in the page may
// be used, nothing else, and a live page may ask its own server.
var (
	Policy       = policy + "; script-src " + hash(program) + "; connect-src 'self'"
	staticPolicy = policy
)

var policy = "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src " + hash(style)

// hash names a text that is allowed in the page.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
