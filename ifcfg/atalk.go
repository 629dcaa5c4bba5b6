package ifcfg

// atalkFeature brings the words of the family atalk. On lines of other families
// they say nothing, and a line of that family fails because no kernel of ours
// has it.
func atalkFeature() feature {
	return feature{words: func(v *vocabulary) {
		nothing := func(args) step { return func(s *sentence) { s.add(&Nothing{}) } }
		v.arg("phase", rule{}, v.between(1, 2, nothing))
		v.arg("range", rule{}, v.text(false, nothing))
	}}
}

// Nothing is a word without effect, which makes its line a command all the
// same.
type Nothing struct{}

// Stage implements Op.
func (*Nothing) Stage() Stage { return StageNow }

func (*Nothing) apply(*change) error { return nil }
