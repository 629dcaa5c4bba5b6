package ifcfg

// descriptionFeature brings the administrator's text about an interface
// (ifconfig(8), description). NetBSD 7 has none, so style netbsd7 takes the
// words and does not print the line.
func descriptionFeature() feature {
	return feature{
		module: modDescription,
		usage:  []string{"[ description str | descr str | -description | -descr ]"},
		words:  descriptionWords,
		status: map[section]func(*printer) error{secDescription: printDescription},
	}
}

const (
	maxDescription = 63 // NetBSD's IFDESCRSIZE without the final zero
	maxString      = 128

	// NetBSD prints whatever errno happens to be behind it.
	errLongDescription complaint = "description too long: Undefined error: 0"
)

func descriptionWords(v *vocabulary) {
	for _, w := range []string{"description", "descr"} {
		v.arg(w, rule{}, &texts{Max: maxString, Next: v.items, Emit: func(a args) step {
			return func(s *sentence) { s.add(&SetDescription{Text: a.String(0)}) }
		}})
		v.word("-"+w, rule{}, func(args) step {
			return func(s *sentence) { s.add(&SetDescription{}) }
		})
	}
}

// SetDescription sets the text about the interface, or removes it.
type SetDescription struct {
	Text string // at most 63 bytes; "" removes it
}

// Stage implements Op.
func (*SetDescription) Stage() Stage { return StageNow }

func (d *SetDescription) apply(c *change) error {
	if len(d.Text) > maxDescription {
		return errLongDescription
	}
	l, err := c.on()
	if err == nil {
		err = c.Kernel.SetDescription(l.Index, d.Text)
	}
	if err != nil {
		return failed("SIOCSIFDESCR", err)
	}
	return nil
}

func printDescription(p *printer) error {
	if p.link.Description != "" {
		p.printf("\tdescription: \"%s\"\n", p.link.Description)
	}
	return nil
}
