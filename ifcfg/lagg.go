package ifcfg

import (
	"math"

	"ifagr/agr/ctl"
	"ifagr/ifcfg/grammar"
)

// laggFeature brings the words of lagg(4) of NetBSD 10, all of which are
// refused (design D1): agr(4) is what aggregates here.
func laggFeature() feature {
	return feature{
		module: modLagg,
		usage: []string{
			"[ laggproto p ]",
			"[ laggport i [ pri n ] ] [ -laggport i ]",
			"[ laggportpri i [ pri n]]",
			"[ lagglacp [ dumpdu | -dumpdu ] [ stopdu | -stopdu ]",
			"\t[ maxports n | -maxports ] [ optimistic | -optimistic ] ]",
			"[ laggfailover] [ rx-all | -rx-all ]",
		},
		words: laggWords,
	}
}

func laggWords(v *vocabulary) {
	name := func(emit func(args) step, then node) node { return &iface{Max: maxIfaceName, Emit: emit, Next: then} }
	v.arg("laggproto", rule{}, v.text(false, refuseLagg))
	// What follows -laggproto is not even looked at, as in NetBSD.
	v.keywords = append(v.keywords, word{Text: "-laggproto", Emit: refuseLagg, Rest: true})
	priority := v.between(0, math.MaxUint16, refuseLagg)
	port := &grammar.Branch[step]{}
	port.Add(grammar.NewKeywords(word{Text: "pri", Next: priority}), v.items)
	v.arg("laggport", rule{}, name(refuseLagg, port))
	v.arg("-laggport", rule{}, name(refuseLagg, v.items))
	v.arg("laggportpri", rule{}, name(nil, priority))
	v.arg("laggfailover", rule{}, v.laggOptions("rx-all", "-rx-all"))
	v.arg("lagglacp", rule{}, v.laggOptions(
		"dumpdu", "-dumpdu", "stopdu", "-stopdu", "optimistic", "-optimistic", "multi-linkspeed", "-multi-linkspeed",
		"-maxports", "maxports"))
}

// laggOptions takes one or more options, behind which other items may follow.
// The last of maxports's two words is a number.
func (v *vocabulary) laggOptions(texts ...string) node {
	more := &grammar.Branch[step]{}
	var words []word
	for _, text := range texts {
		w := word{Text: text, Emit: refuseLagg, Next: more}
		if text == "maxports" {
			w.Emit, w.Next = nil, &ints{Min: 1, Max: math.MaxUint32, Emit: refuseLagg, Next: more}
		}
		words = append(words, w)
	}
	options := grammar.NewKeywords(words...)
	more.Add(options, v.items)
	return options
}

func refuseLagg(args) step { return func(s *sentence) { s.add(&NoLagg{}) } }

// NoLagg is the refusal of a word of lagg(4), whatever the interface is.
type NoLagg struct{}

// Stage implements Op.
func (*NoLagg) Stage() Stage { return StageNow }

func (*NoLagg) apply(*change) error { return ctl.EOPNOTSUPP }
