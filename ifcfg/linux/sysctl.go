package linux

import (
	"os"
	"path/filepath"

	"ifagr/ifcfg"
)

// procNet is where the settings of the reader's network namespace are.
const procNet = "/proc/sys/net"

// sysctl sets a setting of an interface. That it cannot be set (no /proc, not
// root, no such family) shows in what follows, if it matters at all.
func (k *Kernel) sysctl(index int, family, key, value string) {
	l, err := k.at(index)
	if err != nil {
		return
	}
	_ = os.WriteFile(filepath.Join(procNet, family, "conf", l.Name, key), []byte(value), 0o644)
}

// keepSecondaries makes the other addresses of a subnet stay when the first
// one goes.
func (k *Kernel) keepSecondaries(index int) { k.sysctl(index, "ipv4", "promote_secondaries", "1") }

// HasFamily implements ifcfg.Addrs.
func (k *Kernel) HasFamily(f ifcfg.Family) bool {
	if f != ifcfg.Inet6 {
		return true
	}
	_, err := os.Stat(procNet + "/ipv6")
	return err == nil
}
