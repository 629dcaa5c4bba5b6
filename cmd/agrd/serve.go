package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"ifagr/agr"
	"ifagr/agr/ctl"
	"ifagr/agr/state"
	"ifagr/netutil/rtnl"
	"ifagr/netutil/sd"
)

// lockWait is how long a start waits for a predecessor that is ending.
const lockWait = 5 * time.Second

// idleGrace is how long a daemon that was started for its agr interfaces stays
// without one.
const idleGrace = 2 * time.Second

// serveConfig is what the command line of the daemon says.
type serveConfig struct {
	carrierPoll time.Duration
	datapath    agr.Datapath
	keepalive   time.Duration
	group       int
	idle        bool
	log         string
	metrics     *address // nil: not served
	debug       bool
	confine     string
}

func parseServe(args []string, stderr io.Writer) (serveConfig, error) {
	var c serveConfig
	fs := flag.NewFlagSet("agrd", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.DurationVar(&c.carrierPoll, "carrier-poll", 8*time.Millisecond, "")
	fs.DurationVar(&c.keepalive, "keepalive", 60*time.Second, "")
	fs.BoolVar(&c.idle, "idle", false, "")
	fs.StringVar(&c.confine, "confine", confineAuto, "")
	fs.StringVar(&c.log, "log", "text", "")
	fs.BoolVar(&c.debug, "v", false, "")
	datapath := fs.String("datapath", "", "")
	group := fs.String("group", "", "")
	fs.Func("metrics", "", func(s string) error {
		at, err := parseAddress(s)
		c.metrics = &at
		return err
	})
	if err := fs.Parse(args); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(stderr, "agrd: %v\n", err)
		}
		return c, errUsage
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(stderr, "agrd: %s: not a subcommand\n", fs.Arg(0))
		return c, errUsage
	}
	if c.carrierPoll < 0 {
		return c, fmt.Errorf("-carrier-poll %v: negative", c.carrierPoll)
	}
	if c.keepalive < 0 {
		return c, fmt.Errorf("-keepalive %v: negative", c.keepalive)
	}
	if err := checkConfine(c.confine); err != nil {
		return c, err
	}
	var err error
	if c.datapath, err = datapathWish(*datapath, os.Getenv(datapathEnv)); err != nil {
		return c, err
	}
	c.group, err = groupID(*group)
	return c, err
}

// datapathEnv names the environment variable that says what -datapath says, to
// a daemon that ifconfig starts as well.
const datapathEnv = "AGRD_DATAPATH"

// datapathWish is what the option says, else what the environment says, else
// the best that can be had.
func datapathWish(option, env string) (agr.Datapath, error) {
	what, value := "-datapath", option
	if option == "" {
		what, value = datapathEnv, env
	}
	if value == "" {
		return agr.Auto, nil
	}
	d, err := agr.ParseDatapath(value)
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	return d, nil
}

// serve runs the daemon until a signal, or until it is idle.
func serve(ctx context.Context, args []string, _, stderr io.Writer) error {
	cfg, err := parseServe(args, stderr)
	if err != nil {
		return err
	}
	handler, err := newLogHandler(cfg.log, cfg.debug, stderr)
	if err != nil {
		return err
	}
	queue, handler := newLogQueue(handler)
	defer queue.close()
	log := slog.New(handler)
	signal.Ignore(unix.SIGPIPE) // a log that nobody reads is no reason to end
	can, err := look()
	if err != nil {
		return err
	}
	if err := can.check(cfg.datapath, log); err != nil {
		return err
	}
	cookie, err := ctl.NetnsCookie()
	if err != nil {
		return err
	}
	dir := ctl.RunDirectory()
	socket := os.Getenv(ctl.SocketEnv)
	if socket == "" {
		socket = ctl.SocketPath(dir, cookie)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	statePath := state.Path(dir, cookie)
	wait, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	unlock, err := ctl.Lock(wait, statePath+".lock")
	if errors.Is(err, ctl.ErrLocked) {
		return fmt.Errorf("another agrd serves this network namespace: %w", err)
	}
	if err != nil {
		return err
	}
	defer unlock()
	return serveLocked(ctx, cfg, log, cookie, statePath, socket)
}

func serveLocked(ctx context.Context, cfg serveConfig, log *slog.Logger, cookie uint64, statePath, socket string) error {
	bootID, err := state.BootID()
	if err != nil {
		return err
	}
	system, closeSystem, err := agr.Linux(log, predecessors(filepath.Dir(statePath))...)
	if err != nil {
		return err
	}
	defer closeSystem()
	m := agr.New(agr.Config{
		StatePath:   statePath,
		Datapath:    cfg.datapath,
		CarrierPoll: cfg.carrierPoll,
		Keepalive:   cfg.keepalive,
		Netns:       cookie, BootID: bootID,
	}, system, log)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	watcher, err := rtnl.Watch(ctx)
	if err != nil {
		return err
	}
	opened := make(chan struct{})
	group.Go(func() error {
		open := sync.OnceFunc(func() { close(opened) })
		defer open()
		if cfg.metrics == nil {
			return nil
		}
		return serveMetrics(ctx, m, *cfg.metrics, open, log)
	})
	ready := make(chan struct{})
	group.Go(func() error { return m.Run(ctx, watcher.C, func() { close(ready) }) })
	group.Go(func() error {
		<-ready
		<-opened
		if cfg.log == "syslog" {
			detach(log)
		}
		return listen(ctx, cfg, m, cookie, socket, log)
	})
	if cfg.idle {
		group.Go(func() error { endWhenIdle(ctx, m, cancel); return nil })
	}
	return group.Wait()
}

// detach lets go of the stderr of whoever started the daemon, which has heard
// what kept it from starting.
func detach(log *slog.Logger) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err == nil {
		err = unix.Dup3(int(null.Fd()), 2, 0)
		null.Close()
	}
	if err != nil {
		log.Warn("stderr kept", "err", err)
	}
}

// listen answers on the sockets, once the daemon has given up what it does not
// need any more.
func listen(ctx context.Context, cfg serveConfig, m *agr.Manager, cookie uint64, socket string, log *slog.Logger) error {
	manager, err := newService(log)
	if err != nil {
		return err
	}
	l, err := ctl.Listen(socket)
	if err != nil {
		return err
	}
	confine(cfg.confine, filepath.Dir(socket), log)
	log.Info("serving", "socket", socket, "netns", cookie, "handed over", len(manager.sockets))
	manager.ready(len(m.List()))
	s := &ctl.Server{Handler: m, Netns: cookie, Group: cfg.group, Log: log}
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range append(manager.sockets, l) {
		group.Go(func() error { return s.Serve(ctx, l) })
	}
	group.Go(func() error { manager.watchdog(ctx, m.Pulse); return nil })
	group.Go(func() error { <-ctx.Done(); manager.tell(sd.Stopping); return nil })
	return group.Wait()
}

// endWhenIdle ends a daemon that has no agr interface (any more).
func endWhenIdle(ctx context.Context, m *agr.Manager, cancel context.CancelFunc) {
	grace := time.NewTicker(idleGrace)
	defer grace.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.Idle():
		case <-grace.C:
		}
		if m.EndIfIdle() {
			cancel()
			return
		}
	}
}
