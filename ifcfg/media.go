package ifcfg

import (
	"fmt"
	"strings"

	"ifagr/agr/ctl"
)

// mediaFeature brings the words of ifmedia(4), and prints the medium and the
// state of the link.
func mediaFeature() feature {
	return feature{
		module: modMedia,
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
	text := func(word string, emit func(m *MediaChange, text string)) node {
		return &texts{Max: maxMediaText, Next: v.items, Emit: func(a args) step {
			return func(s *sentence) {
				s.add(&MediaWord{Word: word, Text: a.String(0)})
				emit(pending[MediaChange](s), a.String(0))
			}
		}}
	}
	v.arg("media", rule{Before: []fact{factMedia, factMediaOpt, factNoOpt, factInstance, factMode}, Sets: factMedia},
		text("media", func(m *MediaChange, t string) { m.Subtype = t }))
	v.arg("mediaopt", rule{Before: []fact{factMediaOpt}, Sets: factMediaOpt},
		text("mediaopt", func(m *MediaChange, t string) { m.SetOptions = t }))
	v.arg("-mediaopt", rule{Before: []fact{factNoOpt, factMedia}, Sets: factNoOpt},
		text("-mediaopt", func(m *MediaChange, t string) { m.ClearOptions = t }))
	v.arg("mode", rule{Sets: factMode}, text("mode", func(m *MediaChange, t string) { m.Mode = t }))
	for _, w := range []string{"instance", "inst"} {
		v.arg(w, rule{After: factMedia, Before: []fact{factInstance}, Sets: factInstance},
			&ints{Max: maxInstance, Next: v.items, Emit: func(a args) step {
				return func(s *sentence) {
					s.add(&MediaWord{Word: "instance"})
					pending[MediaChange](s).Instance = int(a.Int(0))
				}
			}})
	}
}

// MediaWord looks, in the turn of a media word, whether the interface has
// media at all and knows the word's argument.
type MediaWord struct {
	Word string // "media", "mediaopt", "-mediaopt", "mode" or "instance"
	Text string // its argument, unless that is a number
}

// Stage implements Op.
func (*MediaWord) Stage() Stage { return StageNow }

func (w *MediaWord) apply(c *change) error {
	m, err := c.medium()
	if err != nil {
		return err
	}
	unknown := func(what, text string) error {
		return complaint(fmt.Sprintf("unknown %s media %s: %s", m.Type, what, text))
	}
	switch w.Word {
	case "media":
		if _, ok := mediaSubtype(w.Text); !ok {
			return unknown("subtype", w.Text)
		}
	case "mediaopt", "-mediaopt":
		if _, bad, ok := mediaOptions(w.Text); !ok {
			return unknown("option", bad)
		}
	case "mode":
		if !anyMode(w.Text) {
			return unknown("mode", w.Text)
		}
	}
	return nil
}

// anyMode reports the one mode of Ethernet; the others are 802.11's.
func anyMode(text string) bool {
	return strings.EqualFold(text, "autoselect") || strings.EqualFold(text, "auto")
}

// medium is the medium of the line's interface, which must have one.
func (c *change) medium() (*Media, error) {
	l, err := c.on()
	if err != nil {
		return nil, failed("SIOCGIFMEDIA", err)
	}
	m, err := c.media(l)
	if err == nil && m == nil {
		err = ctl.ENOTTY
	}
	if err != nil {
		return nil, failed("SIOCGIFMEDIA", err)
	}
	return m, nil
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
	now, err := c.medium()
	if err != nil {
		return err
	}
	l, err := c.on()
	if err == nil {
		err = c.notPort(l)
	}
	if err == nil {
		err = c.Kernel.SetMedia(l.Index, m.request(now.Current))
	}
	if err != nil {
		return failed("SIOCSIFMEDIA", err)
	}
	return nil
}

// request makes the change to the medium of now. The words have been looked at
// in their turn. A new subtype comes without the options of the old one.
func (m *MediaChange) request(now Medium) MediaRequest {
	r := MediaRequest{Medium: now}
	if m.Subtype != "" {
		r.Medium, _ = mediaSubtype(m.Subtype)
		r.Instance = m.Instance
	}
	set, _, _ := mediaOptions(m.SetOptions)
	r.Cleared, _, _ = mediaOptions(m.ClearOptions)
	r.Options = r.Options&^r.Cleared | set
	return r
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
	if status := p.linkStatus(); status != "" && (m == nil || m.Valid) {
		p.printf("\tstatus: %s\n", status)
	}
	if m != nil && p.s.Options.SupportedMedia {
		p.printf("\tsupported %s media:\n", m.Type)
		for _, s := range m.Supported {
			p.printf("\t\tmedia %s\n", s.words(" mediaopt "))
		}
	}
	return nil
}
