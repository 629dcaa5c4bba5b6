package ifcfg

import (
	"ifagr/agr/ctl"
)

// mediaFeature brings the words of ifmedia(4), and prints the medium and the
// state of the link.
func mediaFeature() feature {
	return feature{
		usage:  []string{"[ media type ] [ mediaopt opts ] [ -mediaopt opts ] [ instance minst ]"},
		words:  mediaWords,
		status: map[section]func(*printer) error{secMedia: printMedia},
	}
}

const (
	factMedia    fact = "media"
	factMediaOpt fact = "mediaopt"
	factNoOpt    fact = "-mediaopt"
	factInstance fact = "instance"
	factMode     fact = "mode"

	maxMediaText = 128
	maxInstance  = 15
)

func mediaWords(v *vocabulary) {
	text := func(emit func(m *MediaChange, text string)) node {
		return &texts{Max: maxMediaText, Next: v.items, Emit: func(a args) step {
			return func(s *sentence) { s.add(&MediaWord{}); emit(pending[MediaChange](s), a.String(0)) }
		}}
	}
	v.arg("media", rule{Before: []fact{factMedia, factMediaOpt, factNoOpt, factInstance, factMode}, Sets: factMedia},
		text(func(m *MediaChange, t string) { m.Subtype = t }))
	v.arg("mediaopt", rule{Before: []fact{factMediaOpt}, Sets: factMediaOpt},
		text(func(m *MediaChange, t string) { m.SetOptions = t }))
	v.arg("-mediaopt", rule{Before: []fact{factNoOpt, factMedia}, Sets: factNoOpt},
		text(func(m *MediaChange, t string) { m.ClearOptions = t }))
	v.arg("mode", rule{Sets: factMode}, text(func(m *MediaChange, t string) { m.Mode = t }))
	for _, w := range []string{"instance", "inst"} {
		v.arg(w, rule{After: factMedia, Before: []fact{factInstance}, Sets: factInstance},
			&ints{Max: maxInstance, Next: v.items, Emit: func(a args) step {
				return func(s *sentence) { s.add(&MediaWord{}); pending[MediaChange](s).Instance = int(a.Int(0)) }
			}})
	}
}

// MediaWord looks, in the turn of a media word, whether the interface has
// media at all.
type MediaWord struct{}

// Stage implements Op.
func (*MediaWord) Stage() Stage { return StageNow }

func (*MediaWord) apply(c *change) error {
	l, err := c.on()
	if err != nil {
		return failed("SIOCGIFMEDIA", err)
	}
	m, err := c.media(l)
	if err == nil && m == nil {
		err = ctl.ENOTTY
	}
	if err != nil {
		return failed("SIOCGIFMEDIA", err)
	}
	return nil
}

// MediaChange is the one change of the medium that a line asks for. Texts are
// as typed.
type MediaChange struct {
	Subtype      string // "" = as it is
	SetOptions   string // separated by commas
	ClearOptions string
	Mode         string
	Instance     int
}

// Stage implements Op.
func (*MediaChange) Stage() Stage { return StageMedia }

func (m *MediaChange) apply(c *change) error {
	l, err := c.on()
	if err == nil {
		err = c.notPort(l)
	}
	if err == nil {
		err = c.Kernel.SetMedia(l.Index, *m)
	}
	if err != nil {
		return failed("SIOCSIFMEDIA", err)
	}
	return nil
}

// media is the medium of an interface that can have one.
func (s *Session) media(l *Link) (*Media, error) {
	if !l.HasMedia || isAgr(l.Name) {
		return nil, nil
	}
	return s.Kernel.Media(l.Index)
}

// printMedia prints the medium, when the driver knows media, and the state of
// the link. A virtual Ethernet interface has the second without the first
// (design D1).
func printMedia(p *printer) error {
	if p.link.Class != ClassEthernet || isAgr(p.link.Name) {
		return nil
	}
	m, err := p.s.media(&p.link)
	if err != nil {
		return failed("SIOCGIFMEDIA", err)
	}
	if m != nil {
		p.printf("\tmedia: %s %s", m.Type, m.Current)
		if m.Active != m.Current {
			p.printf(" (%s)", m.Active)
		}
		p.printf("\n")
	}
	if m == nil || m.Valid {
		status := "no carrier"
		if p.link.LinkUp {
			status = "active"
		}
		p.printf("\tstatus: %s\n", status)
	}
	if m != nil && p.s.Options.SupportedMedia {
		p.printf("\tsupported %s media:\n", m.Type)
		for _, line := range m.Supported {
			p.printf("\t\tmedia %s\n", line)
		}
	}
	return nil
}
