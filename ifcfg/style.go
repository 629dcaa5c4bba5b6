package ifcfg

// section is a part of the status of an interface.
type section uint8

const (
	secHeader section = iota
	secCapabilities
	secVLAN
	secTunnel
	secEthernet
	secAgr
	secDescription
	secAddress
	secLinkState
	secMedia
	secCounters
	secInet
	secInet6
	secLink
)

// module is the place of a feature's lines in the usage text.
type module uint8

const (
	modNone module = iota // the feature has no line there
	modAddress
	modParam
	modPFSync
	modVLAN
	modTunnel
	modMedia
	modIEEE80211
	modAgr
	modInet6
	modCarp
	modL2TP
	modLagg
	modARP
	modPreference
	modLinkFlags
	modLinkStr
	modUnnumbered
	modDescription
)

// Style is how a release of NetBSD prints. The zero value prints nothing;
// styles come from StyleNamed.
type Style struct {
	name      string
	usage     []module  // in the order of the release
	sections  []section // in the order of the release
	bits      func(v uint64, names []bitName) string
	wrapBits  func(v uint64, names []bitName, maxColumns int) []string
	inetLine  func(p *printer, a Addr, nth int) string
	inet6Line func(p *printer, a Addr, nth int) string

	flags        []bitName // names of an interface's flags
	etherCaps    []bitName // names of an Ethernet interface's capabilities
	linkState    bool      // an interface without media has a state of its link too
	localFirst   bool      // link-local inet6 addresses come before the others
	scanWarns    bool      // list scan names the request that failed
	filledFormat string    // of the complaint about the low half of an eui64 address
}

// StyleNamed finds a style. The empty name is the default one, netbsd7.
func StyleNamed(name string) (Style, bool) {
	switch name {
	case "", "netbsd7":
		return netbsd7(), true
	case "netbsd10":
		return netbsd10(), true
	}
	return Style{}, false
}

// String is the name of the style.
func (s Style) String() string { return s.name }

// netbsd7 is the style of NetBSD 7.
func netbsd7() Style {
	return Style{
		name: "netbsd7",
		usage: []module{
			modAddress, modParam, modPFSync, modVLAN, modTunnel, modMedia, modIEEE80211, modAgr, modInet6, modCarp,
			modARP, modPreference, modLinkFlags,
		},
		sections: []section{
			secHeader, secCapabilities, secVLAN, secTunnel, secEthernet, secAgr, secAddress, secMedia, secCounters,
			secInet, secInet6, secLink,
		},
		bits:         bits7,
		wrapBits:     wrapBits7,
		inetLine:     inetLine7,
		inet6Line:    inet6Line7,
		flags:        iffNames("NOTRAILERS"),
		etherCaps:    eccapNames()[:eccaps7],
		scanWarns:    true,
		filledFormat: "interface index is already filled,  | %s%%S",
	}
}
