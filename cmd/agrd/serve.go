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
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"ifagr/agr"
	"ifagr/agr/ctl"
	"ifagr/agr/state"
	"ifagr/netutil/rtnl"
)

// lockWait is how long a start waits for a predecessor that is ending.
const lockWait = 5 * time.Second

// dyingWait is how long it waits for one that does not answer any more: a killed
// process keeps its locks until the kernel has done what it was doing for it, which
// may have to wait for others.
const dyingWait = time.Minute

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
	check       bool
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
	fs.BoolVar(&c.check, "check", false, "")
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

// place is the network namespace that a daemon serves, and its files.
type place struct {
	cookie    uint64
	bootID    string
	statePath string
	socket    string
}

// here is the place of the calling thread.
func here() (place, error) {
	cookie, err := ctl.NetnsCookie()
	if err != nil {
		return place{}, err
	}
	boot, err := state.BootID()
	if err != nil {
		return place{}, err
	}
	dir := ctl.RunDirectory()
	p := place{cookie: cookie, bootID: boot, statePath: state.Path(dir, cookie), socket: os.Getenv(ctl.SocketEnv)}
	if p.socket == "" {
		p.socket = ctl.SocketPath(dir, cookie)
	}
	return p, nil
}

// readable is an error when there is a state that this program cannot read, but
// another one could, and which therefore must not be touched.
func (p place) readable() error {
	_, err := state.Load(p.statePath, p.bootID, p.cookie)
	if err == nil || errors.Is(err, state.ErrForeign) || errors.Is(err, state.ErrCorrupt) {
		return nil
	}
	return fmt.Errorf("nothing is touched: %w", err)
}

// serve runs the daemon until a signal, or until it is idle.
func serve(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	cfg, err := parseServe(args, stderr)
	if err != nil {
		return err
	}
	left := takeHeritage()
	handedOver, err := takeSockets(left)
	if err != nil {
		return err
	}
	handler, err := newLogHandler(cfg.log, cfg.debug, stderr)
	if err != nil {
		return err
	}
	at, err := here()
	if err != nil {
		return err
	}
	if cfg.check {
		return check(stdout, at)
	}
	queue, handler := newLogQueue(handler)
	defer queue.close()
	log := slog.New(handler)
	// A log that nobody reads is no reason to end, nor is an upgrade that is asked for
	// too early.
	signal.Ignore(unix.SIGPIPE, upgradeSignal)
	can, err := look()
	if err != nil {
		return err
	}
	if err := can.check(cfg.datapath, log); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(at.statePath), 0o755); err != nil {
		return err
	}
	d := &daemon{cfg: cfg, queue: queue, log: log, place: at, self: ownPath(os.Args[0]), handedOver: handedOver}
	if err := d.take(ctx, left); err != nil {
		return err
	}
	defer d.end()
	if err := at.readable(); err != nil {
		return err
	}
	return d.run(ctx)
}

// daemon is one that serves: there is one for each network namespace.
type daemon struct {
	cfg   serveConfig
	queue *logQueue
	log   *slog.Logger
	self  string // the program's file
	place

	lock *ctl.Locked
	left agr.Heritage // by a predecessor in this process, or for a successor
	door *os.File     // the listening socket, while it is there
	// handedOver are sockets at which a service manager listens for this process.
	handedOver []*os.File
	// confined says that no other program can take this one's place any more.
	confined atomic.Bool
}

// take makes this the daemon of the namespace, unless a predecessor in this process
// was already.
func (d *daemon) take(ctx context.Context, left agr.Heritage) error {
	d.left = left
	path := d.statePath + ".lock"
	d.door = file(left, listenName)
	handedOver := left.Part(handedOverName)
	for name := range handedOver {
		d.handedOver = append(d.handedOver, file(handedOver, name))
	}
	if f := file(left, lockName); f != nil {
		d.lock = ctl.Inherit(path, f)
		return nil
	}
	var err error
	for deadline := time.Now().Add(dyingWait); d.lock == nil; {
		if d.lock, err = lockFor(ctx, path); err == nil || !errors.Is(err, ctl.ErrLocked) {
			return err
		}
		if ctx.Err() != nil || d.isServed(ctx) || time.Now().After(deadline) {
			return fmt.Errorf("another agrd serves this network namespace: %w", err)
		}
	}
	return nil
}

// lockFor waits for the lock of a predecessor that is ending.
func lockFor(ctx context.Context, path string) (*ctl.Locked, error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	return ctl.Lock(ctx, path)
}

// isServed reports whether a daemon answers here.
func (d *daemon) isServed(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	c, err := ctl.DialPath(ctx, d.socket, 0)
	if err != nil {
		return false
	}
	_, err = c.List()
	return errors.Join(err, c.Close()) == nil
}

// run serves, and goes on as another program when it is told to.
func (d *daemon) run(ctx context.Context) error {
	for {
		err := d.serve(ctx)
		if !errors.Is(err, agr.ErrReplaced) || ctx.Err() != nil {
			return err
		}
		d.queue.flush()
		err = d.exec()
		d.log.Error("not replaced; this program goes on", "err", err)
	}
}

// serve is one life of the daemon, until the context ends, or with agr.ErrReplaced.
func (d *daemon) serve(ctx context.Context) error {
	system, closeSystem, err := agr.Linux(d.log, d.left, predecessors(filepath.Dir(d.statePath))...)
	if err != nil {
		return err
	}
	defer closeSystem()
	m := agr.New(agr.Config{
		StatePath:   d.statePath,
		Datapath:    d.cfg.datapath,
		CarrierPoll: d.cfg.carrierPoll,
		Keepalive:   d.cfg.keepalive,
		Netns:       d.cookie, BootID: d.bootID,
	}, system, d.log)

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
		if d.cfg.metrics == nil {
			return nil
		}
		return d.serveMetrics(ctx, m, open)
	})
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, upgradeSignal) // before anybody can know that this program serves
	ready := make(chan struct{})
	clients := newClients(ctx)
	group.Go(func() error { return m.Run(ctx, watcher.C, func() { close(ready) }) })
	group.Go(func() error {
		defer close(clients.gone)
		<-ready
		<-opened
		if d.cfg.log == "syslog" {
			detach(d.log)
		}
		err := d.listen(clients.ctx, m)
		if ctx.Err() != nil { // else a successor goes on to listen
			d.stopListening()
		}
		return err
	})
	group.Go(func() error { return d.awaitUpgrade(ctx, asked, ready, clients) })
	if d.cfg.idle {
		group.Go(func() error { endWhenIdle(ctx, m, cancel); return nil })
	}
	err = group.Wait()
	d.left = m.Heritage()
	return err
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
