package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"ifagr/netutil/privilege"
)

// What -confine says.
const (
	confineAuto = "auto" // as far as the kernel can
	confineNo   = "no"   // not at all, for debugging
)

func checkConfine(wish string) error {
	if wish != confineAuto && wish != confineNo {
		return fmt.Errorf("-confine: %q is not %s or %s", wish, confineAuto, confineNo)
	}
	return nil
}

// usedFiles are those that the daemon opens after its start. dir has its state.
func usedFiles(dir string) privilege.Files {
	return privilege.Files{
		Read: []string{
			"/proc",          // groups of interfaces, settings
			"/sys",           // processors, types of the kernel: for eBPF
			"/etc/localtime", // times in the log
		},
		Write:   append([]string{dir, "/proc/sys/net"}, raceReports()...),
		Devices: []string{tunDevice, os.DevNull},
	}
}

// confine gives up what the daemon does not need any more, for good. What cannot
// be given up is logged, and no reason to end: the kernel forwards, and nobody
// would look after it. It reports whether anything was.
func confine(wish, dir string, log *slog.Logger) bool {
	if wish == confineNo {
		log.Warn("not confined, as asked for")
		return false
	}
	files := confined("landlock", privilege.RestrictFiles(usedFiles(dir)), log)
	calls := confined("seccomp", privilege.RestrictCalls(), log)
	log.Info("confined", "landlock", files, "seccomp", calls)
	return files || calls
}

// confined reports whether it worked.
func confined(what string, err error, log *slog.Logger) bool {
	if err != nil && !errors.Is(err, privilege.ErrNotSupported) {
		log.Error("not confined", "by", what, "err", err)
	}
	return err == nil
}
