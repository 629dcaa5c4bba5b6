package ifcfg

import "fmt"

// trailersFeature brings two words that stopped meaning anything long ago.
func trailersFeature() feature {
	return feature{words: func(v *vocabulary) {
		note := func(args) step { return func(s *sentence) { s.add(&Trailers{}) } }
		v.word("trailers", rule{}, note)
		v.word("-trailers", rule{}, note)
	}}
}

// Trailers says so.
type Trailers struct{}

// Stage implements Op.
func (*Trailers) Stage() Stage { return StageNow }

func (*Trailers) apply(c *change) error {
	fmt.Fprintln(c.Out, "Note: trailers are no longer sent, but always received")
	return nil
}
