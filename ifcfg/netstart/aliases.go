package netstart

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	aliasFile = "ifaliases"
	plainMask = "-" // stands for the mask that follows from the address
)

// aliases adds the additional inet addresses: first those of the variables of
// the interfaces that were configured, then those of the file. With names only
// theirs.
func (r *run) aliases(configured []*script, names []string) {
	for _, s := range configured {
		if v, ok := r.vars["ifaliases_"+s.iface]; ok {
			r.aliasVariable(s.iface, v)
		}
	}
	text, _, err := r.read(aliasFile)
	if err != nil {
		r.fail(aliasFile, err)
		return
	}
	for _, l := range splitLines(text) {
		place := at(aliasFile, l.number)
		words, err := splitWords(l.text)
		if err == nil && (len(words) < 2 || len(words) > 3) {
			err = fmt.Errorf("want address, interface and netmask: %s", l.text)
		}
		if err != nil {
			r.fail(place, err)
			continue
		}
		if len(names) == 0 || slices.Contains(names, words[1]) {
			r.alias(place, words[1], words[0], words[2:])
		}
	}
}

// aliasVariable takes pairs of an address and a netmask.
func (r *run) aliasVariable(iface string, v variable) {
	place := at(rcFile, v.number)
	words := strings.Fields(v.value)
	err := v.err
	if err == nil && len(words)%2 != 0 {
		err = errors.New("want pairs of an address and a netmask in ifaliases_" + iface)
	}
	if err != nil {
		r.fail(place, err)
		return
	}
	for pair := range slices.Chunk(words, 2) {
		r.alias(place, iface, pair[0], pair[1:])
	}
}

func (r *run) alias(place, iface, address string, mask []string) {
	words := []string{"inet", "alias", address}
	if len(mask) > 0 && mask[0] != plainMask {
		words = append(words, "netmask", mask[0])
	}
	r.configure(place, iface, words)
}
