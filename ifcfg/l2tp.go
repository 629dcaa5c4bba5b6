package ifcfg

import (
	"math"

	"ifagr/agr/ctl"
)

// l2tpFeature brings the words of NetBSD's l2tp(4), whose interfaces Linux has
// not.
func l2tpFeature() feature {
	return feature{
		module: modL2TP,
		usage: []string{
			"[ session local-session-id remote-session-id ]",
			"[ cookie local-cookie-length local-cookie remote-cookie-length remote-cookie ]",
		},
		words: l2tpWords,
	}
}

func l2tpWords(v *vocabulary) {
	refused := Refusal{Errno: ctl.ENOTTY}
	v.arg("session", rule{}, &ints{
		Max: math.MaxUint32, Next: v.between(0, math.MaxUint32, refusing(refused)),
	})
	cookie := func(then node) node {
		return &ints{Max: math.MaxUint16, Next: then}
	}
	v.arg("cookie", rule{}, cookie(&ints{
		Min: math.MinInt64, Max: math.MaxInt64, Next: cookie(v.number(false, refusing(refused))),
	}))
	v.refuse(refused, "deletesession", "deletecookie")
}
