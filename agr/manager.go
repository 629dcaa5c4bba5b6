package agr

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ifagr/agr/ctl"
	"ifagr/agr/dist"
	"ifagr/agr/lacp"
	"ifagr/agr/state"
	"ifagr/netutil/ether"
	"ifagr/netutil/rtnl"
)

// prefix is what every agr interface's name begins with.
const prefix = "agr"

// maxUnit is the first unit that NetBSD refuses (2^31 - 1).
const maxUnit = 1<<31 - 1

// Config is what an administrator decides about a daemon.
type Config struct {
	// StatePath is the state file.
	StatePath string
	// Datapath is what agr interfaces are made with from now on; empty is Auto.
	// Those that a predecessor left keep theirs.
	Datapath Datapath
	// CarrierPoll is how often the ports' carriers are read; 0 relies on the
	// kernel's notifications alone, which may be a second late (design D12).
	CarrierPoll time.Duration
	// Keepalive is for how long after its last sign of life the kernel datapath
	// speaks for a daemon that is late or dead; 0: not at all.
	Keepalive time.Duration
	// Netns and BootID say where and when the state is valid.
	Netns  uint64
	BootID string
}

// Manager holds the aggregates of one network namespace and answers control
// requests. Its methods may be called from many goroutines.
type Manager struct {
	cfg    Config
	os     OS
	log    *slog.Logger
	hub    *hub
	ledger *ledger
	health health

	ops    turns // one change at a time
	ending bool  // guarded by ops

	mu      sync.Mutex
	aggs    map[string]*aggregate
	stopped bool
	ctx     context.Context // of Run; aggregates live in it
	wg      sync.WaitGroup
	swept   bool          // guarded by ops
	idle    chan struct{} // capacity 1: the last agr interface was destroyed
	pulses  chan struct{} // Pulse asks whether watch takes its turns
	left    Heritage      // what ended aggregates leave to a successor
}

var _ ctl.Handler = (*Manager)(nil)

// ErrReplaced is the cause (context.Cause) of an end after which a successor goes on
// at once: no partner is told of it.
var ErrReplaced = errors.New("agr: replaced by a successor")

// New makes a Manager with what the state file knows. A state file that is damaged
// is set aside; that is logged and no error. One of another version, or that cannot be
// read, must not be handed to it.
func New(cfg Config, os OS, log *slog.Logger) *Manager {
	m := &Manager{
		cfg: cfg, os: os, log: log, hub: newHub(log),
		aggs: make(map[string]*aggregate),
		idle: make(chan struct{}, 1), pulses: make(chan struct{}), ops: newTurns(),
		left: make(Heritage),
	}
	m.health.started = time.Now()
	file, err := state.Load(cfg.StatePath, cfg.BootID, cfg.Netns)
	switch {
	case errors.Is(err, state.ErrForeign):
		log.Warn("state ignored", "err", err)
	case errors.Is(err, state.ErrCorrupt):
		log.Error("state not read", "err", err)
		if bad, err := state.SetAside(cfg.StatePath); err == nil {
			log.Error("state set aside", "file", bad)
		}
	case err != nil:
		log.Error("state not read", "err", err)
	}
	if err := state.Tidy(cfg.StatePath, file); err != nil {
		log.Warn("files left", "err", err)
	}
	m.ledger = &ledger{path: cfg.StatePath, file: file, log: log}
	return m
}

// Idle has a value after the last agr interface was destroyed.
func (m *Manager) Idle() <-chan struct{} { return m.idle }

// EndIfIdle reports whether there is no agr interface, and none of a predecessor's that
// is still to be resumed; from then on none can be made either (EAGAIN), so that the
// daemon can end.
func (m *Manager) EndIfIdle() bool {
	m.ops.Lock()
	defer m.ops.Unlock()
	m.ending = len(m.all()) == 0 && len(m.ledger.agrs()) == 0
	return m.ending
}

// Run resumes what a predecessor left and serves until the context ends; then
// every partner has been told that has to be, and every aggregate is closed. Ports
// stay ports, for the next start (design D11).
func (m *Manager) Run(ctx context.Context, events <-chan rtnl.Event, ready func()) error {
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	m.mu.Lock()
	m.ctx = inner
	m.mu.Unlock()
	m.resume()
	ready()
	err := m.watch(ctx, events)
	cancel(context.Cause(ctx)) // the watch may have ended before inner has
	m.mu.Lock()
	m.stopped = true // no aggregate starts from now on
	m.mu.Unlock()
	m.wg.Wait()
	return err
}

// Heritage is what is left, after a Run that has ended with ErrReplaced as the cause,
// for the successor.
func (m *Manager) Heritage() Heritage { return m.left }

// Create makes an agr interface: EINVAL for a name that is not "agr" and a unit,
// EEXIST for one that exists. agr01 is agr1, as on NetBSD.
func (m *Manager) Create(name string) error {
	unit, err := parseUnit(name)
	if err != nil {
		return err
	}
	name = prefix + strconv.Itoa(unit)
	m.ops.Lock()
	defer m.ops.Unlock()
	if m.ending {
		return refusal(ctl.EAGAIN, "this agrd is ending")
	}
	if m.ledger.has(name) {
		return refusal(ctl.EEXIST, "%s", name)
	}
	if _, err := m.os.LinkByName(name); !isGone(err) {
		if err == nil {
			err = refusal(ctl.EEXIST, "%s", name)
		}
		return asErrno(err)
	}
	var seed [4]byte
	rand.Read(seed[:])
	return asErrno(m.choose(state.Agr{Name: name, Seed: binary.NativeEndian.Uint32(seed[:]), Options: state.DefaultOptions()}))
}

// parseUnit reads the unit of an agr interface's name.
func parseUnit(name string) (int, error) {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, refusal(ctl.EINVAL, "%q is not agr and a number", name)
	}
	unit, err := strconv.Atoi(digits)
	if err != nil || unit >= maxUnit {
		return 0, refusal(ctl.EINVAL, "unit of %q", name)
	}
	return unit, nil
}

// start makes an aggregate, or adopts the interface that a predecessor left, and
// starts its owner.
func (m *Manager) start(rec state.Agr) (*aggregate, error) {
	unit, err := parseUnit(rec.Name)
	if err != nil {
		return nil, err
	}
	mac := rec.System
	if rec.Options.MACPolicy == macFixed {
		mac = rec.Options.FixedMAC
	}
	if mac.IsZero() {
		mac = randomAddr()
	}
	kind := m.recorded(rec)
	dev, err := m.os.Device(rec.Name, mac, kind)
	if err != nil {
		return nil, err
	}
	link, err := m.os.LinkByIndex(dev.Index())
	if err != nil {
		return nil, errors.Join(err, dev.Close(len(rec.Ports) == 0))
	}
	a := &aggregate{
		name: rec.Name, unit: unit, os: m.os, hub: m.hub, ledger: m.ledger, log: m.log,
		epoch: time.Now().Add(-m.os.Monotonic()), memory: m.memory(rec.Name),
		requests: make(chan func()), frames: make(chan received, 64),
		views: make(chan *view, 1), carriers: make(chan struct{}, 1), done: make(chan struct{}),
		dev: dev, kind: kind, why: rec.Why, hash: dist.Hash{Mode: hashMode(rec.Options.Hash), Seed: rec.Seed},
		flags: ctl.LinkFlags(rec.LinkFlags), opts: rec.Options, mac: link.Addr, mtu: link.MTU, system: rec.System,
		grace: m.cfg.Keepalive,
	}
	a.lacp = lacp.New(a.config())
	a.table = dev.Placed() // a predecessor's, if it left one
	a.untried = slices.Clone(rec.Ports)
	a.resuming = len(rec.Ports) > 0
	a.program()
	if !m.launch(a) {
		return nil, errors.Join(refusal(ctl.EAGAIN, "this agrd is ending"), dev.Close(len(rec.Ports) == 0))
	}
	return a, nil
}

// memory is where what an agr interface has in mind outlives the daemon.
func (m *Manager) memory(name string) memory {
	return memory{
		path: state.MemoryPath(m.cfg.StatePath, name), bootID: m.cfg.BootID, netns: m.cfg.Netns,
		log: m.log.With("agr", name),
	}
}

// launch starts an aggregate's owner, unless the daemon is ending.
func (m *Manager) launch(a *aggregate) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopped || m.ctx.Err() != nil {
		return false
	}
	m.aggs[a.name] = a
	ctx := m.ctx
	m.wg.Go(func() {
		defer close(a.done)
		a.run(ctx)
		m.ended(a)
	})
	return true
}

// ended forgets an aggregate whose owner has returned.
func (m *Manager) ended(a *aggregate) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.aggs[a.name] == a {
		delete(m.aggs, a.name)
	}
	m.left.Add(a.name, a.heritage)
	if len(m.aggs) == 0 && m.ctx.Err() == nil {
		select {
		case m.idle <- struct{}{}:
		default:
		}
	}
}

// randomAddr is a locally administered address for an agr without ports.
func randomAddr() ether.Addr {
	var a ether.Addr
	rand.Read(a[:])
	a[0] = a[0]&^1 | 2
	return a
}

// Destroy removes an agr interface: EBUSY while it has ports.
func (m *Manager) Destroy(name string) error {
	if _, err := parseUnit(name); err != nil {
		return err
	}
	m.ops.Lock()
	defer m.ops.Unlock()
	a, err := m.find(name)
	if err != nil {
		return err
	}
	if err := a.do(a.mayEnd); err != nil {
		return err
	}
	return m.remove(a)
}

// mayEnd reports whether the aggregate may be destroyed.
func (a *aggregate) mayEnd() error {
	if len(a.ports) > 0 {
		return refusal(ctl.EBUSY, "%s has %d ports", a.name, len(a.ports))
	}
	return nil
}

// remove ends an aggregate and deletes its interface.
func (m *Manager) remove(a *aggregate) error {
	err := a.do(func() error { a.ending, a.destroy = true, true; return nil })
	<-a.done
	return err
}

// find is the aggregate of that name, or ENXIO.
func (m *Manager) find(name string) (*aggregate, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.aggs[name]
	if !ok {
		return nil, refusal(ctl.ENXIO, "no agr interface %q", name)
	}
	return a, nil
}

// all lists the aggregates by name.
func (m *Manager) all() []*aggregate {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]*aggregate, 0, len(m.aggs))
	for _, a := range m.aggs {
		all = append(all, a)
	}
	slices.SortFunc(all, func(x, y *aggregate) int { return x.unit - y.unit })
	return all
}

// SetPort adds or removes a port, with agr(4)'s checks in agr(4)'s order. It
// returns when the port has joined or left; one that leaves in order keeps no
// other request waiting.
func (m *Manager) SetPort(name, portName string, cmd ctl.Command) error {
	m.ops.Lock()
	a, left, err := m.setPort(name, portName, cmd)
	m.ops.Unlock()
	if err != nil || left == nil {
		return err
	}
	return a.await(left)
}

// setPort does all of it, but for what remains of a departure: the channel gets
// its result.
func (m *Manager) setPort(name, portName string, cmd ctl.Command) (*aggregate, <-chan error, error) {
	a, err := m.find(name)
	if err != nil {
		return nil, nil, err
	}
	link, err := m.os.LinkByName(portName)
	if portName == "" || isGone(err) {
		return nil, nil, refusal(ctl.ENOENT, "no interface %q", portName)
	}
	if err != nil {
		return nil, nil, asErrno(err)
	}
	switch cmd {
	case ctl.AddPort:
		return a, nil, m.addPort(a, link)
	case ctl.RemovePort:
		left, err := m.removePort(a, link)
		return a, left, err
	}
	return nil, nil, refusal(ctl.EINVAL, "agrreq command %d", cmd)
}

func (m *Manager) addPort(a *aggregate, l rtnl.Link) error {
	if owner := m.ledger.owner(l.Index); owner != "" {
		return refusal(ctl.EBUSY, "%s is a port of %s", l.Name, owner)
	}
	if m.own(l.Name) {
		return refusal(ctl.EINVAL, "%s is an agr interface itself", l.Name)
	}
	return a.do(func() error { return a.attach(l) })
}

func (m *Manager) removePort(a *aggregate, l rtnl.Link) (left <-chan error, err error) {
	switch owner := m.ledger.owner(l.Index); owner {
	case a.name:
	case "":
		return nil, refusal(ctl.ENOENT, "%s is no port", l.Name)
	default:
		return nil, refusal(ctl.EINVAL, "%s is a port of %s", l.Name, owner)
	}
	err = a.do(func() error {
		switch p := a.portByIndex(l.Index); {
		case p != nil && p.departure != nil:
			return refusal(ctl.EBUSY, "%s is leaving already", l.Name)
		case p != nil:
			left = a.leave(p)
			return nil
		}
		if found, err := a.forgive(l.Index); found {
			return err
		}
		return refusal(ctl.ENOENT, "%s is no port", l.Name)
	})
	return left, err
}

// SetFlags sets and clears link0 to link2; other bits are EINVAL.
func (m *Manager) SetFlags(name string, set, clear ctl.LinkFlags) error {
	if (set|clear)&^(ctl.Link0|ctl.Link1|ctl.Link2) != 0 {
		return refusal(ctl.EINVAL, "flags %#x", set|clear)
	}
	return m.change(name, func(a *aggregate) error { return a.setFlags(set, clear) })
}

// SetMTU sets the MTU of an agr interface and of its ports.
func (m *Manager) SetMTU(name string, mtu int32) error {
	return m.change(name, func(a *aggregate) error { return a.setMTU(int(mtu)) })
}

// SetAddr sets the link-layer address of an agr interface that has a port.
func (m *Manager) SetAddr(name string, addr ether.Addr) error {
	return m.change(name, func(a *aggregate) error { return a.setAddr(addr) })
}

func (m *Manager) change(name string, f func(*aggregate) error) error {
	m.ops.Lock()
	defer m.ops.Unlock()
	a, err := m.find(name)
	if err != nil {
		return err
	}
	return a.do(func() error { return f(a) })
}

// List names all agr interfaces in the order of their units.
func (m *Manager) List() []string {
	var names []string
	for _, a := range m.all() {
		names = append(names, a.name)
	}
	return names
}

// Exists is nil, or ENXIO when there is no such agr interface.
func (m *Manager) Exists(name string) error {
	_, err := m.find(name)
	return err
}

// Status describes one agr interface.
func (m *Manager) Status(name string) (*ctl.Status, error) {
	a, err := m.find(name)
	if err != nil {
		return nil, err
	}
	var st *ctl.Status
	err = a.do(func() error { st = a.status(); return nil })
	return st, err
}

// Owner names the agr interface that ifname is a port of, "" if none.
func (m *Manager) Owner(ifname string) string {
	l, err := m.os.LinkByName(ifname)
	if err != nil {
		return ""
	}
	return m.ledger.owner(l.Index)
}

// Subscribe calls f for the present state of one agr interface, or of all, and
// then for each transition.
func (m *Manager) Subscribe(ctx context.Context, name string, f func(ctl.Transition) error) error {
	if name != "" {
		if err := m.Exists(name); err != nil {
			return err
		}
	}
	return m.hub.subscribe(ctx, name, func() []ctl.Transition { return m.snapshot(name) }, f)
}

// snapshot is the present state of one agr interface, or of all. One that has gone
// has none.
func (m *Manager) snapshot(name string) (all []ctl.Transition) {
	for _, a := range m.all() {
		if name != "" && name != a.name {
			continue
		}
		a.do(func() error { all = append(all, a.snapshot()...); return nil })
	}
	return all
}
