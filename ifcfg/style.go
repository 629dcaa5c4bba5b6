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
	secAddress
	secMedia
	secCounters
	secInet
	secInet6
	secLink
)

// Style is how a release of NetBSD prints. The zero value prints nothing;
// styles come from StyleNamed.
type Style struct {
	name      string
	sections  []section // in the order of the release
	bits      func(v uint64, names []bitName) string
	wrapBits  func(v uint64, names []bitName, maxColumns int) []string
	inetLine  func(p *printer, a Addr, nth int) string
	inet6Line func(p *printer, a Addr, nth int) string
}

// StyleNamed finds a style. The empty name is the default one, netbsd7.
func StyleNamed(name string) (Style, bool) {
	switch name {
	case "", "netbsd7":
		return Style{
			name: "netbsd7",
			sections: []section{
				secHeader, secCapabilities, secVLAN, secTunnel, secEthernet, secAgr, secAddress, secMedia, secCounters,
				secInet, secInet6, secLink,
			},
			bits:      bits7,
			wrapBits:  wrapBits7,
			inetLine:  inetLine7,
			inet6Line: inet6Line7,
		}, true
	}
	return Style{}, false
}

// String is the name of the style.
func (s Style) String() string { return s.name }
