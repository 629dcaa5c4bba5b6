package ifcfg

import "ifagr/agr/ctl"

// SetFlags sets and clears interface flags.
type SetFlags struct {
	Set, Clear Flags
}

// Stage implements Op.
func (*SetFlags) Stage() Stage { return StageNow }

func (f *SetFlags) apply(c *change) error {
	l, err := c.on()
	if err != nil {
		return err
	}
	if !isAgr(l.Name) {
		return c.Kernel.SetFlags(l.Index, f.Set, f.Clear)
	}
	if set, clear := f.Set&flagsLink, f.Clear&flagsLink; set|clear != 0 {
		if err := c.Aggr.SetFlags(l.Name, ctl.LinkFlags(set), ctl.LinkFlags(clear)); err != nil {
			return err
		}
	}
	if set, clear := f.Set&^flagsLink, f.Clear&^flagsLink; set|clear != 0 {
		return c.Kernel.SetFlags(l.Index, set, clear)
	}
	return nil
}

// flag adds a keyword and its negation.
func (v *vocabulary) flag(on, off string, set, clear Flags) {
	v.word(on, rule{}, func(args) step {
		return func(s *sentence) { s.add(&SetFlags{Set: set, Clear: clear}) }
	})
	v.word(off, rule{}, func(args) step {
		return func(s *sentence) { s.add(&SetFlags{Set: clear, Clear: set}) }
	})
}

// arpFeature brings arp and debug.
func arpFeature() feature {
	return feature{
		module: modARP,
		usage:  []string{"[ arp | -arp ]"},
		words: func(v *vocabulary) {
			v.flag("-arp", "arp", FlagNoARP, 0)
			v.flag("debug", "-debug", FlagDebug, 0)
		},
	}
}

// linkFlagsFeature brings the flags whose meaning is the driver's. For agr(4)
// link0 is round robin and link1 is static aggregation.
func linkFlagsFeature() feature {
	return feature{
		module: modLinkFlags,
		usage:  []string{"[ link0 | -link0 ] [ link1 | -link1 ] [ link2 | -link2 ]"},
		words: func(v *vocabulary) {
			v.flag("link0", "-link0", FlagLink0, 0)
			v.flag("link1", "-link1", FlagLink1, 0)
			v.flag("link2", "-link2", FlagLink2, 0)
		},
	}
}

// unnumberedFeature brings a flag that no driver of Linux has: it cannot be
// set, and clearing it changes nothing.
func unnumberedFeature() feature {
	return feature{
		module: modUnnumbered,
		usage:  []string{"[ unnumbered | -unnumbered ]"},
		words: func(v *vocabulary) {
			v.refuse(Refusal{Errno: ctl.EOPNOTSUPP}, "unnumbered")
			v.word("-unnumbered", rule{}, func(args) step {
				return func(s *sentence) { s.add(&SetFlags{}) }
			})
		},
	}
}
