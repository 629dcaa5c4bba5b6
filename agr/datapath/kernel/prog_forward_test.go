package kernel

import "testing"

// Slots of the links p1 to p3, and of lo, where frames come in.
const (
	slot1  = 1
	slot2  = 2
	slot3  = 3
	slotLo = 4
)

// works are the flags of a port that is in use.
const works = agrPortFlagsPORT_ATTACHED | agrPortFlagsPORT_COLLECT | agrPortFlagsPORT_DISTRIBUTE

// loadForwarding loads programs of an aggregate with the ports p1 to p3, which
// work, and lo. Every conversation is planned for p1, to move when it was idle for an
// hour, and hold takes what is held.
func loadForwarding(t testing.TB) *progs {
	t.Helper()
	p := loadProgs(t)
	p.put(p.AgrConfig, 0, agrConfig{
		Version: layoutVersion, Inner: p.index("far-hold"), Hold: p.index("hold"),
		HoldFrames: 1000, HoldBytes: 1 << 20, Idle: hour,
	})
	for slot, name := range map[uint32]string{slot1: "p1", slot2: "p2", slot3: "p3"} {
		p.put(p.AgrPorts, slot, agrPort{Ifindex: p.index(name), Number: uint16(slot), Flags: works})
	}
	p.put(p.AgrPorts, slotLo, agrPort{Ifindex: lo, Number: slotLo, Flags: works})
	for c := range uint32(256) {
		p.put(p.AgrPlan, c, agrPlan{Wish: wish{want: slot1}.pack()})
	}
	return p
}

const hour = 3600e9

// change changes the configuration.
func (p *progs) change(f func(*agrConfig)) {
	p.t.Helper()
	var cfg agrConfig
	p.get(p.AgrConfig, 0, &cfg)
	f(&cfg)
	p.put(p.AgrConfig, 0, cfg)
}

// setFlags sets what the port in a slot may do.
func (p *progs) setFlags(slot uint32, flags agrPortFlags) {
	p.t.Helper()
	p.setPort(slot, func(port *agrPort) { port.Flags = flags })
}

func (p *progs) setPort(slot uint32, f func(*agrPort)) {
	p.t.Helper()
	var port agrPort
	p.get(p.AgrPorts, slot, &port)
	f(&port)
	p.put(p.AgrPorts, slot, port)
}

// setPlan plans every conversation alike.
func (p *progs) setPlan(plan agrPlan) {
	p.t.Helper()
	for c := range uint32(256) {
		p.put(p.AgrPlan, c, plan)
	}
}
