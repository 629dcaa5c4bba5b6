package lacptest

import (
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
}

// nodePort is a port of a node and the end of a link that is plugged into it.
type nodePort struct {
	number uint16
	link   *Link
	end    int
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
	if d.system == nil {
		return
	}
	d.system.Step(d.net.now, e)
	d.collect()
}

// Configure changes the node's configuration.
func (d *Node) Configure(change func(*lacp.Config)) {
	change(&d.cfg)
	d.Step(lacp.Configure{Config: d.cfg})
}

// Remove takes a port out of the node's aggregate; the cable stays.
func (d *Node) Remove(number uint16, farewell bool) {
	d.Step(lacp.RemovePort{Number: number, Farewell: farewell})
	d.watch.Forget(number)
	for i, p := range d.ports {
		if p.number == number {
			d.ports = append(d.ports[:i:i], d.ports[i+1:]...)
		}
	}
}

// Stop ends the node's system without a word. Its links keep their carrier.
func (d *Node) Stop() { d.system = nil }

// Start starts a stopped system that has forgotten everything.
func (d *Node) Start() {
	d.system = lacp.New(d.cfg)
	d.watch = Watch{}
	for _, p := range d.ports {
		d.addToSystem(p)
	}
}

// plug gives the node a port with the end of a link in it.
func (d *Node) plug(number uint16, l *Link, end int) {
	p := &nodePort{number: number, link: l, end: end}
	d.ports = append(d.ports, p)
	d.addToSystem(p)
}

func (d *Node) addToSystem(p *nodePort) {
	d.Step(lacp.AddPort{
		Number: p.number, Priority: 0x8000, Name: d.portName(p.number), Link: p.link.state(p.end),
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

// receive is what a port does with a frame.
func (d *Node) receive(number uint16, frame []byte) {
	if sub, ok := slow.Subtype(frame); !ok || sub != slow.SubtypeLACP {
		d.net.fail(d, "port %d: not a LACPDU", number)
		return
	}
	pdu, err := slow.ParseLACPDU(frame)
	if err != nil {
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
	if err := d.watch.Observe(d.net.now, r, d.system.Status()); err != nil {
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
