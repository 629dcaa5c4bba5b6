package lacptest

import (
	"time"

	"ifagr/agr/lacp"
	"ifagr/agr/slow"
	"ifagr/netutil/ether"
)

// Node is one system of a Network.
type Node struct {
	Name string

	net    *Network
	cfg    lacp.Config
	system *lacp.System // nil while it is stopped
	ports  []*nodePort
	watch  Watch

	skew    time.Duration // its clock is ahead by
	paused  bool
	pauses  int          // so far
	backlog []lacp.Event // what has happened while it was paused
}

// defaultPriority is that of a port until PortPriority changes it.
const defaultPriority = 0x8000

// nodePort is a port of a node and the end of a link that is plugged into it.
type nodePort struct {
	number   uint16
	priority uint16
	link     *Link
	end      int
}

// AddNode starts a system.
func (n *Network) AddNode(name string, cfg lacp.Config) *Node {
	d := &Node{Name: name, net: n, cfg: cfg, system: lacp.New(cfg)}
	n.nodes = append(n.nodes, d)
	return d
}

// Status is the status of the node's system.
func (d *Node) Status() lacp.Status {
	if d.system == nil {
		return lacp.Status{}
	}
	return d.system.Status()
}

// Port is the status of one of the node's ports; the zero value if there is none.
func (d *Node) Port(number uint16) lacp.PortStatus {
	for _, p := range d.Status().Ports {
		if p.Number == number {
			return p
		}
	}
	return lacp.PortStatus{}
}

// Distributing is how many of the node's ports distribute.
func (d *Node) Distributing() int {
	count := 0
	for _, p := range d.Status().Ports {
		if p.Distributing {
			count++
		}
	}
	return count
}

// Step gives the node's system an event.
func (d *Node) Step(e lacp.Event) {
	switch {
	case d.system == nil:
	case d.paused:
		d.backlog = append(d.backlog, e)
	default:
		d.system.Step(d.now(), e)
		d.collect()
	}
}

// now is the time by the node's clock.
func (d *Node) now() lacp.Instant { return d.net.now.Add(d.skew) }

// Pause keeps the node from doing anything for a time, as a busy machine does. What
// happens meanwhile it learns afterwards, in order and before its timers fire.
func (d *Node) Pause(length time.Duration) {
	d.paused = true
	d.pauses++
	this := d.pauses
	d.net.At(length, func() {
		if d.pauses == this {
			d.resume()
		}
	})
}

func (d *Node) resume() {
	late := d.backlog
	d.paused, d.backlog = false, nil
	for _, e := range late {
		d.Step(e)
	}
}

// Jump sets the node's clock ahead, as when a machine was suspended. Monotonic
// clocks do not go back.
func (d *Node) Jump(ahead time.Duration) { d.skew += ahead }

// PortPriority changes the priority of one of the node's ports.
func (d *Node) PortPriority(number, priority uint16) {
	if p := d.port(number); p != nil {
		p.priority = priority
	}
	d.Step(lacp.PortPriority{Number: number, Priority: priority})
}

// Configure changes the node's configuration.
func (d *Node) Configure(change func(*lacp.Config)) {
	change(&d.cfg)
	d.Step(lacp.Configure{Config: d.cfg})
}

// Remove takes a port out of the node's aggregate; the cable stays.
func (d *Node) Remove(number uint16, farewell bool) {
	d.resume()
	d.Step(lacp.RemovePort{Number: number, Farewell: farewell})
	d.watch.Forget(number)
	for i, p := range d.ports {
		if p.number == number {
			d.ports = append(d.ports[:i:i], d.ports[i+1:]...)
		}
	}
}

// Stop ends the node's system without a word. Its links keep their carrier.
func (d *Node) Stop() { d.system, d.paused, d.backlog = nil, false, nil }

// Start starts a system, stopped or not, that has forgotten everything.
func (d *Node) Start() {
	d.Stop()
	d.system = lacp.New(d.cfg)
	d.watch = Watch{}
	for _, p := range d.ports {
		d.addToSystem(p)
	}
}

// plug gives the node a port with the end of a link in it.
func (d *Node) plug(number uint16, l *Link, end int) {
	p := &nodePort{number: number, priority: defaultPriority, link: l, end: end}
	d.ports = append(d.ports, p)
	d.addToSystem(p)
}

func (d *Node) addToSystem(p *nodePort) {
	d.Step(lacp.AddPort{
		Number: p.number, Priority: p.priority, Name: d.portName(p.number), Link: p.link.state(p.end),
	})
}

func (d *Node) port(number uint16) *nodePort {
	for _, p := range d.ports {
		if p.number == number {
			return p
		}
	}
	return nil
}

// mac is the address of a port: the system's with the port number in it.
func (d *Node) mac(number uint16) ether.Addr {
	a := d.cfg.System.Addr
	a[3], a[4] = byte(number>>8), byte(number)
	return a
}

// receive is what a port does with a frame. Only a damaged one may be something
// else than a LACPDU.
func (d *Node) receive(number uint16, frame []byte, damaged bool) {
	pdu, err := slow.ParseLACPDU(frame)
	switch {
	case err != nil && damaged:
		return
	case err != nil:
		d.net.fail(d, "port %d: %w", number, err)
		return
	}
	d.Step(lacp.Received{Number: number, PDU: pdu})
}

// collect takes what the system wants done, does it, and checks what must hold.
func (d *Node) collect() {
	r := d.system.Ready()
	for _, t := range r.Transitions {
		c := Change{At: d.net.now, Node: d.Name, Transition: t}
		d.net.Changes = append(d.net.Changes, c)
		d.net.traceChange(c)
	}
	for _, t := range r.Send {
		d.send(t)
	}
	if err := d.watch.Observe(d.now(), r, d.system.Status()); err != nil {
		d.net.fail(d, "%w", err)
	}
}

func (d *Node) send(t lacp.Transmit) {
	f := Frame{At: d.net.now, Node: d.Name, Port: t.Port, PDU: t.PDU, Farewell: t.Farewell}
	p := d.port(t.Port)
	if p == nil {
		d.net.fail(d, "LACPDU on port %d, which is not there", t.Port)
		return
	}
	f.Lost = !p.link.carry(p.end, slow.AppendLACPDU(nil, d.mac(t.Port), t.PDU))
	d.net.Frames = append(d.net.Frames, f)
	d.net.traceFrame(f)
}
