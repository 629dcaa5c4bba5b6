package ifcfg

// linkStateFeature prints the state of the link with -v, in the styles that
// have such a section.
func linkStateFeature() feature {
	return feature{status: map[section]func(*printer) error{secLinkState: printLinkState}}
}

func printLinkState(p *printer) error {
	if !p.s.Options.Verbose {
		return nil
	}
	state := "down"
	if p.link.LinkUp {
		state = "up"
	}
	p.printf("\tlinkstate: %s\n", state)
	return nil
}

// linkStatus is the state of the link as the status line of an interface
// without media has it, "" when there is no such line. Style netbsd7 has one
// for Ethernet interfaces only, which are those that a NIC of NetBSD, having
// media, could be (design D1).
func (p *printer) linkStatus() string {
	known := p.s.Style.linkState || p.link.Class == ClassEthernet && !isAgr(p.link.Name)
	switch {
	case !known:
		return ""
	case p.link.LinkUp:
		return "active"
	case hasLinkAddr(&p.link):
		return "no carrier"
	}
	return "down"
}
