package ifcfg

// feature is one file's contribution to the program. Every field may be
// missing.
type feature struct {
	usage  []string // its lines of the usage text
	words  func(*vocabulary)
	status map[section]func(*printer) error
}

// features lists them all. The order is that of the usage text, which is the
// reverse of NetBSD's module order; nothing else depends on it.
func features() []feature {
	return []feature{
		addressFeature(),
		paramFeature(),
		pfsyncUsage(),
		vlanUsage(),
		tunnelUsage(),
		mediaFeature(),
		ieee80211Usage(),
		agrFeature(),
		inet6Feature(),
		carpUsage(),
		arpFeature(),
		preferenceFeature(),
		linkFlagsFeature(),
		inetFeature(),
		lladdrFeature(),
		ethernetFeature(),
		countersFeature(),
	}
}

// The usage text names these words; they are not words of ours, so that a line
// with one of them gets the usage text.

func pfsyncUsage() feature {
	return feature{usage: []string{"[ maxupd n ] [ syncdev iface ] [syncpeer peer_addr]"}}
}

func vlanUsage() feature { return feature{usage: []string{"[ vlan n vlanif i ] [ -vlanif i ]"}} }

func tunnelUsage() feature {
	return feature{usage: []string{"[ [ af ] tunnel src_addr dest_addr ] [ deletetunnel ]"}}
}

func ieee80211Usage() feature {
	return feature{usage: []string{
		"[ nwid network_id ] [ nwkey network_key | -nwkey ]",
		"[ list scan ]",
		"[ powersave | -powersave ] [ powersavesleep duration ]",
		"[ hidessid | -hidessid ] [ apbridge | -apbridge ]",
	}}
}

func carpUsage() feature {
	return feature{usage: []string{"[ advbase n ] [ advskew n ] [ carpdev iface ] [ pass passphrase ] [ state state ] [ vhid n ]"}}
}
