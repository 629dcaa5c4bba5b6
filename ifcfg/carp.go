package ifcfg

import (
	"math"

	"ifagr/ifcfg/grammar"
)

// carpFeature brings the words of carp(4), which Linux has not.
func carpFeature() feature {
	return feature{
		module: modCarp,
		usage:  []string{"[ advbase n ] [ advskew n ] [ carpdev iface ] [ pass passphrase ] [ state state ] [ vhid n ]"},
		words:  carpWords,
	}
}

// maxSkew is one less than a full second in units of 1/256.
const maxSkew = 254

func carpWords(v *vocabulary) {
	refused := unknownTo("SIOCGVH")
	v.arg("advbase", rule{}, v.between(0, math.MaxUint8, refusing(refused)))
	v.arg("advskew", rule{}, v.between(0, maxSkew, refusing(refused)))
	v.arg("vhid", rule{}, v.between(0, math.MaxUint8, refusing(refused)))
	v.arg("carpdev", rule{}, &iface{Max: maxIfaceName, Emit: refusing(refused), Next: v.items})
	v.arg("pass", rule{}, v.text(true, refusing(refused)))
	v.refuse(refused, "-carpdev")
	var states []word
	for _, text := range []string{"INIT", "BACKUP", "MASTER"} {
		states = append(states, word{Text: text, Emit: refusing(refused), Next: v.items})
	}
	v.arg("state", rule{}, grammar.NewKeywords(states...))
}
