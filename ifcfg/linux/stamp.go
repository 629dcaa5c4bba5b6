package linux

import (
	"time"

	"golang.org/x/sys/unix"

	"ifagr/netutil/rtnl"
)

// stampTick is the unit of an address's stamp of creation.
const stampTick = time.Second / 100

// hertz are the tick rates that Linux can be built with.
var hertz = [...]uint64{100, 250, 300, 1000}

// awaitNextStamp waits until an address that is added now is stamped later than
// those that are there: with equal stamps the kernel forgets which came first
// (NetBSD does not). That takes a tick at most, and only just after another
// address was added.
func awaitNextStamp(addrs []rtnl.Addr) {
	var newest uint32
	for _, a := range addrs {
		newest = max(newest, a.Created)
	}
	if newest != 0 && stampedNow(newest, kernelTicks()) {
		time.Sleep(stampTick)
	}
}

// kernelTicks is the kernel's own clock in hundredths of a second, times(2),
// which is what addresses are stamped with. Other clocks drift away from it.
func kernelTicks() uint64 {
	var t unix.Tms
	n, err := unix.Times(&t)
	if err != nil {
		return 0
	}
	return uint64(n)
}

// stampedNow reports whether a stamp is the one that the kernel would give at
// the time ticks. Stamps count from the boot, ticks from five minutes before the
// kernel's 32-bit counter overflows, at a rate that is not told.
func stampedNow(stamp uint32, ticks uint64) bool {
	for _, hz := range hertz {
		origin := (1<<32 - 300*hz) * 100 / hz
		if now := uint32(ticks - origin); now == stamp || now == stamp+1 || now+1 == stamp {
			return true
		}
	}
	return false
}
