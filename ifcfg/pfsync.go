package ifcfg

import "math"

// pfsyncFeature brings the words of pfsync(4), which Linux has not.
func pfsyncFeature() feature {
	return feature{
		module: modPFSync,
		usage:  []string{"[ maxupd n ] [ syncdev iface ] [syncpeer peer_addr]"},
		words:  pfsyncWords,
	}
}

func pfsyncWords(v *vocabulary) {
	refused := unknownTo("SIOCGETPFSYNC")
	v.arg("maxupd", rule{}, v.between(0, math.MaxUint8, refusing(refused)))
	v.arg("syncdev", rule{}, &iface{Max: maxIfaceName, Emit: refusing(refused), Next: v.items})
	v.arg("syncpeer", rule{}, &addrs{
		Parse: parseAddrWord(v.family, v.names, false), Emit: refusing(refused), Next: v.items,
	})
	v.refuse(refused, "-syncdev", "-syncpeer")
}
