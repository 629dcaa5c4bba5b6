package ifcfg

// feature is one file's contribution to the program. Every field may be
// missing.
type feature struct {
	usage  []string // its lines of the usage text
	module module   // where they stand
	words  func(*vocabulary)
	status map[section]func(*printer) error
}

// features lists them all. Nothing depends on their order: the styles have that
// of the usage text and that of the status.
func features() []feature {
	return []feature{
		addressFeature(),
		paramFeature(),
		pfsyncFeature(),
		vlanFeature(),
		tunnelFeature(),
		mediaFeature(),
		ieee80211Feature(),
		agrFeature(),
		inet6Feature(),
		carpFeature(),
		arpFeature(),
		preferenceFeature(),
		linkFlagsFeature(),
		inetFeature(),
		lladdrFeature(),
		etherCapsFeature(),
		capabilityFeature(),
		descriptionFeature(),
		countersFeature(),
		linkStateFeature(),
		l2tpFeature(),
		laggFeature(),
		linkStrFeature(),
		unnumberedFeature(),
		trailersFeature(),
		atalkFeature(),
		netToolsFeature(),
	}
}
