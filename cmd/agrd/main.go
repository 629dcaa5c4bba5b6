package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

const usage = `usage: agrd [-carrier-poll interval] [-check] [-confine auto|no]
            [-datapath auto|kernel|user] [-group name] [-idle] [-keepalive time]
            [-log text|json|syslog] [-metrics address] [-v]
       agrd monitor [-j] [-r] [interface]
       agrd status [-html] [interface]
       agrd web [-l address]
       agrd netstart [-d directory] [interface ...]
       agrd teardown [-fn] [interface ...]
       agrd demo
`

// errUsage ends the program with the usage text.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program: 0 is success, 1 a failure, 2 wrong usage.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := serve
	if len(args) > 0 {
		switch args[0] {
		case "monitor":
			cmd, args = monitor, args[1:]
		case "status":
			cmd, args = runStatus, args[1:]
		case "web":
			cmd, args = runWeb, args[1:]
		case "netstart":
			cmd, args = runNetstart, args[1:]
		case "teardown":
			cmd, args = teardown, args[1:]
		case "demo":
			cmd, args = runDemo, args[1:]
		}
	}
	err := cmd(ctx, args, stdout, stderr)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprint(stderr, usage)
		return 2
	default:
		fmt.Fprintf(stderr, "agrd: %v\n", err)
		return 1
	}
}
