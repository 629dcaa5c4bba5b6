package ifcfg

// linkStrFeature brings the text that a few drivers of NetBSD keep for an
// interface, and none of Linux.
func linkStrFeature() feature {
	return feature{
		module: modLinkStr,
		usage:  []string{"[ linkstr str | -linkstr ]"},
		words: func(v *vocabulary) {
			v.arg("linkstr", rule{}, v.text(true, refusing(unknownTo("SIOCSLINKSTR"))))
			v.refuse(unknownTo("SIOCSLINKSTR"), "-linkstr")
		},
	}
}
