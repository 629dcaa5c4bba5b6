package ifcfg

// ethernetFeature prints what the interface can do as an Ethernet one.
func ethernetFeature() feature {
	return feature{status: map[section]func(*printer) error{secEthernet: printEthernet}}
}

// Capabilities of an Ethernet interface (ethercap of NetBSD's if_ether.h).
const (
	ecVLANMTU  = 0x1
	ecJumboMTU = 0x4

	ecColumns = 55
)

// printEthernet prints what can be known without asking the driver: every
// Ethernet interface of Linux takes a VLAN tag's four bytes more.
func printEthernet(p *printer) error {
	if p.link.Class != ClassEthernet || isAgr(p.link.Name) {
		return nil
	}
	able, enabled := uint64(ecVLANMTU), uint64(0)
	if p.link.MaxMTU >= maxMTUForJumbo {
		able |= ecJumboMTU
		if p.link.MTU > plainMTU {
			enabled |= ecJumboMTU
		}
	}
	p.wrapped("ec_capabilities", able, eccapNames(), ecColumns)
	p.wrapped("ec_enabled", enabled, eccapNames(), ecColumns)
	return nil
}

// wrapped prints a bit field on as many lines as the style makes of it.
func (p *printer) wrapped(label string, v uint64, names []bitName, maxColumns int) {
	for _, line := range p.s.Style.wrapBits(v, names, maxColumns) {
		p.printf("\t%s=%s\n", label, line)
	}
}
