package ifcfg

import "ifagr/agr/ctl"

// Refusal is a word that NetBSD's ifconfig(8) knows and no driver of Linux
// does: it ends as on NetBSD with an interface whose driver does not know it.
type Refusal struct {
	Warning string // a request that complains before, or ""
	Request string // the request that fails; "" = the word itself
	Errno   Errno
}

// Stage implements Op.
func (*Refusal) Stage() Stage { return StageNow }

func (r *Refusal) apply(c *change) error {
	_, err := c.on()
	if err == nil {
		err = r.Errno
	}
	if r.Warning != "" {
		c.Warn(failed(r.Warning, err))
	}
	if r.Request == "" {
		return err
	}
	return failed(r.Request, err)
}

// unknownTo is the refusal of a driver that does not know the request.
func unknownTo(request string) Refusal { return Refusal{Request: request, Errno: ctl.ENOTTY} }

// refusing makes the operation of a word that is refused.
func refusing(r Refusal) func(args) step {
	return func(args) step { return func(s *sentence) { s.add(&r) } }
}

// refuse adds keywords without argument that are refused.
func (v *vocabulary) refuse(r Refusal, words ...string) {
	for _, text := range words {
		v.word(text, rule{}, refusing(r))
	}
}

// text is a node for a word of any kind that ends an item.
func (v *vocabulary) text(hexadecimal bool, emit func(args) step) node {
	return &texts{Max: maxString, Hex: hexadecimal, Emit: emit, Next: v.items}
}
