package lacp_test

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"testing"

	"ifagr/agr/lacp"
	"ifagr/agr/lacp/lacptest"
	"ifagr/agr/slow"
)

// model is two systems with cables between them whose whole state space is walked:
// each timer that runs may fire at any time, and each LACPDU arrive late or never.
// Of two LACPDUs on their way in one direction of a cable the older one is lost.
type model struct {
	name   string
	cfg    [2]lacp.Config
	cables int
	flaps  bool         // cables lose their carrier and get it back
	duplex bool         // the first port of the first system becomes half duplex, and full
	other  *lacp.Config // the first system is configured so, and back
	kept   bool         // no LACPDU is lost
	churn  bool         // the churn machines run
	calm   bool         // nobody loses patience
	urgent bool         // no timer fires while a LACPDU is on its way
	wanted int          // cables that are used where all is well; 0 = all
	large  bool
	most   int // states, more of which fail the test
}

// letter is a LACPDU on its way. What does not change of its sender is not in it.
type letter struct {
	full    bool
	state   slow.State
	partner slow.PortInfo
}

// world is a state of a model.
type world struct {
	systems [2]lacp.Abstract
	letters [2][2]letter // by sender and cable
	up      [2]bool
	other   bool // the configuration
}

var modelSystems = []slow.System{ownSystem, farSystem}

// walker walks breadth-first.
type walker struct {
	t     *testing.T
	model model
	first world
	seed  maphash.Seed

	seen  map[uint64]uint32
	queue [][]byte // the packed states that are not walked from yet
	from  []uint32 // where each state was found from, and how
	how   []uint16
	depth []uint16
	edges [][2]uint32
	good  []bool // converged states
	rows  map[string]int
}

// actions: 0 to 3 deliver, 4 to 7 lose a letter, 8 and 9 turn a cable on or off, the
// rest are timers.
const (
	deliver   = 0
	lose      = 4
	carrier   = 8
	duplex    = 10
	configure = 11
	fire      = 12
)

func (m *model) start(t *testing.T) *walker {
	w := &walker{t: t, model: *m, seed: maphash.MakeSeed(), seen: map[uint64]uint32{}, rows: map[string]int{}}
	for i := range w.first.systems {
		cfg := m.config(i, false)
		a := lacp.Abstract{System: lacp.New(cfg), Churn: m.churn, Calm: m.calm}
		w.first.systems[i] = a
		for c := range m.cables {
			w.first.up[c] = true
			w.after(&w.first, i, a.Take(lacp.AddPort{Number: uint16(c + 1), Priority: 1, Name: fmt.Sprint("p", c+1), Link: gigabit}))
		}
	}
	return w
}

// config is the configuration of a system.
func (m *model) config(i int, other bool) lacp.Config {
	cfg := m.cfg[i]
	if other && i == 0 {
		cfg = *m.other
	}
	cfg.System = modelSystems[i]
	return cfg
}

// after puts what a system sends on its way, and notes what it has done.
func (w *walker) after(s *world, i int, r lacp.Ready) {
	for _, t := range r.Transitions {
		if strings.HasSuffix(t.Machine, "churn") {
			continue // noteChurn has them all
		}
		w.rows[t.Machine+": "+t.From+" -> "+t.To+" ("+t.Reason+")"]++
	}
	for _, t := range r.Send {
		c := t.Port - 1
		if s.up[c] {
			l := letter{full: true, state: t.PDU.Actor.State &^ (slow.Distributing | slow.Defaulted | slow.Expired), partner: t.PDU.Partner}
			l.partner.State &= slow.Activity | slow.Timeout | slow.Aggregation | slow.Synchronization // nobody looks at the rest
			s.letters[i][c] = l
		}
	}
}

// pack writes a state down.
func (w *walker) pack(s *world) []byte {
	b := append(make([]byte, 0, 160), bit(s.other))
	for i := range s.systems {
		b = s.systems[i].Pack(b, modelSystems)
	}
	for i := range 2 {
		for c := range w.model.cables {
			b = s.letters[i][c].pack(b)
			b = append(b, bit(s.up[c]))
		}
	}
	return b
}

func bit(on bool) byte {
	if on {
		return 1
	}
	return 0
}

func (l *letter) pack(b []byte) []byte {
	if !l.full {
		return append(b, 0)
	}
	return append(b, 1, byte(l.state), byte(l.partner.System.Priority>>8), l.partner.System.Addr[1],
		byte(l.partner.Key>>8), byte(l.partner.Key), byte(l.partner.Priority>>8), byte(l.partner.Priority), byte(l.partner.Port), byte(l.partner.State))
}

func (l *letter) unpack(b []byte) []byte {
	*l = letter{}
	if b[0] == 0 {
		return b[1:]
	}
	l.full, l.state = true, slow.State(b[1])
	l.partner = slow.PortInfo{
		System: slow.System{Priority: 0xffff}, Key: uint16(b[4])<<8 | uint16(b[5]),
		Priority: uint16(b[6])<<8 | uint16(b[7]), Port: uint16(b[8]), State: slow.State(b[9]),
	}
	for _, id := range modelSystems {
		if id.Addr[1] == b[3] {
			l.partner.System = id
		}
	}
	return b[10:]
}

// unpack reads a state.
func (w *walker) unpack(b []byte) *world {
	s := &world{other: b[0] == 1}
	b = b[1:]
	for i := range s.systems {
		like := w.first.systems[i].With(w.model.config(i, s.other))
		s.systems[i], b = like.Unpack(b, modelSystems)
	}
	for i := range 2 {
		for c := range w.model.cables {
			b = s.letters[i][c].unpack(b)
			s.up[c] = b[0] == 1
			b = b[1:]
		}
	}
	return s
}

// act does one thing, if it can be done.
func (w *walker) act(s *world, action int) bool {
	if !w.model.churn {
		return w.do(s, action)
	}
	before := s.churn()
	done := w.do(s, action)
	for i, was := range before {
		if is := s.churn()[i]; is != was {
			w.rows[[]string{"actor", "partner"}[i%2]+" churn: "+was+" -> "+is]++
		}
	}
	return done
}

// churn lists the states of the churn machines.
func (s *world) churn() (states []string) {
	for i := range s.systems {
		for _, p := range s.systems[i].Status().Ports {
			states = append(states, p.ActorChurn, p.PartnerChurn)
		}
	}
	return states
}

func (w *walker) do(s *world, action int) bool {
	switch {
	case action < lose:
		i, c := action/2, action%2
		l := s.letters[i][c]
		if !l.full {
			return false
		}
		s.letters[i][c] = letter{}
		w.arrive(s, 1-i, c, w.pdu(i, c, l))
	case action < carrier:
		l := &s.letters[action/2%2][action%2]
		if !l.full || w.model.kept {
			return false
		}
		*l = letter{}
	case action < duplex:
		return w.flapCable(s, action-carrier)
	case action < fire:
		return w.change(s, action)
	default:
		i, number := (action-fire)%2, (action-fire)/2
		if !slices.Contains(s.systems[i].Running(), number) {
			return false
		}
		w.after(s, i, s.systems[i].Fire(number))
	}
	return true
}

func (w *walker) flapCable(s *world, c int) bool {
	if !w.model.flaps || c >= w.model.cables {
		return false
	}
	s.up[c] = !s.up[c]
	for i := range s.systems {
		s.letters[i][c] = letter{}
	}
	for i := range s.systems {
		link := s.systems[i].Status().Ports[c].Link
		link.Up = s.up[c]
		w.after(s, i, s.systems[i].Take(lacp.LinkChange{Number: uint16(c + 1), Link: link}))
	}
	return true
}

// change changes the duplex of a port, or the configuration.
func (w *walker) change(s *world, action int) bool {
	a := s.systems[0]
	switch {
	case action == duplex && w.model.duplex && s.up[0]:
		link := a.Status().Ports[0].Link
		link.HalfDuplex = !link.HalfDuplex
		w.after(s, 0, a.Take(lacp.LinkChange{Number: 1, Link: link}))
	case action == configure && w.model.other != nil:
		s.other = !s.other
		w.after(s, 0, a.Take(lacp.Configure{Config: w.model.config(0, s.other)}))
	default:
		return false
	}
	return true
}

// arrive is the arrival of a LACPDU. That CURRENT is entered again is a row of the
// table, though no transition.
func (w *walker) arrive(s *world, i, c int, pdu slow.LACPDU) {
	if s.systems[i].Status().Ports[c].Receive == "CURRENT" {
		w.rows["receive: CURRENT -> CURRENT (LACPDU received)"]++
	}
	w.after(s, i, s.systems[i].Take(lacp.Received{Number: uint16(c + 1), PDU: pdu}))
}

// pdu is the LACPDU of a letter.
func (w *walker) pdu(i, c int, l letter) slow.LACPDU {
	p := slow.LACPDU{Version: 1, Actor: w.first.systems[i].Status().Ports[c].Actor, Partner: l.partner}
	p.Actor.State = l.state
	return p
}

// walk walks from each state until there is no new one.
func (w *walker) walk() {
	w.depth = append(w.depth, 0)
	w.settle(&w.first, 0, 0)
	w.depth = w.depth[1:]
	for at := uint32(0); len(w.queue) > 0; at++ {
		b := w.queue[0]
		w.queue[0] = nil
		w.queue = w.queue[1:]
		s := w.unpack(b)
		actions := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
		actions = w.timers(s, actions)
		for _, action := range actions {
			if s == nil {
				s = w.unpack(b)
			}
			if w.act(s, action) {
				w.settle(s, at, action)
				s = nil
			}
		}
		if len(w.from) > w.model.most {
			w.t.Fatalf("%d states, and %d to walk from", len(w.from), len(w.queue))
		}
	}
}

// timers adds the timers that may fire to the actions that there are.
func (w *walker) timers(s *world, actions []int) []int {
	if w.model.urgent && s.underWay() {
		return w.firstLetter(s)
	}
	for i := range s.systems {
		for _, number := range s.systems[i].Running() {
			action := fire + 2*number + i
			if w.model.urgent && lacp.TimerName(number) == "grace" {
				return []int{action}
			}
			actions = append(actions, action)
		}
	}
	return actions
}

// settle adds the states that an action leads to. In an urgent model these are the
// ones in which nothing is on its way any more, whatever of it was lost.
func (w *walker) settle(s *world, at uint32, action int) {
	if !w.model.urgent || !s.underWay() {
		w.add(s, at, action, w.depth[at]+1)
		return
	}
	b := w.pack(s)
	for _, next := range w.firstLetter(s) {
		if s == nil {
			s = w.unpack(b)
		}
		w.act(s, next)
		w.settle(s, at, action)
		s = nil
	}
}

// firstLetter is what can happen to the first LACPDU that is on its way.
func (w *walker) firstLetter(s *world) []int {
	for n := range lose {
		if s.letters[n/2][n%2].full {
			if w.model.kept {
				return []int{deliver + n}
			}
			return []int{deliver + n, lose + n}
		}
	}
	return nil
}

// underWay reports whether a LACPDU is on its way.
func (s *world) underWay() bool {
	return slices.ContainsFunc(s.letters[:], func(l [2]letter) bool { return l[0].full || l[1].full })
}

// add adds a state if it is a new one.
func (w *walker) add(s *world, from uint32, action int, depth uint16) {
	b := w.pack(s)
	h := maphash.Bytes(w.seed, b)
	n, ok := w.seen[h]
	if !ok {
		n = uint32(len(w.from))
		w.seen[h] = n
		w.from, w.how, w.depth = append(w.from, from), append(w.how, uint16(action)), append(w.depth, depth)
		w.good = append(w.good, s.converged(cmp.Or(w.model.wanted, w.model.cables)))
		w.queue = append(w.queue, b)
		w.check(s, n)
	}
	w.edges = append(w.edges, [2]uint32{from, n})
}

// check fails if a system is in a state that may not be.
func (w *walker) check(s *world, n uint32) {
	for i := range s.systems {
		if err := lacptest.Check(s.systems[i].Status()); err != nil {
			w.t.Fatalf("system %d: %v\n%s", i, err, w.path(n))
		}
	}
}

// converged reports whether both systems use so many cables, and the same ones.
func (s *world) converged(cables int) bool {
	used, other := s.systems[0].Status().Ports, s.systems[1].Status().Ports
	count := 0
	for c := range used {
		if used[c].Distributing != other[c].Distributing {
			return false
		}
		if used[c].Distributing {
			count++
		}
	}
	return count == cables
}

// path says how a state was reached.
func (w *walker) path(n uint32) string {
	text := ""
	for n != 0 {
		text = w.name(int(w.how[n])) + "\n" + text
		n = w.from[n]
	}
	return text
}

func (w *walker) name(action int) string {
	switch {
	case action < lose:
		return fmt.Sprintf("cable %d: LACPDU of %d arrives", action%2+1, action/2)
	case action < carrier:
		return fmt.Sprintf("cable %d: LACPDU of %d is lost", action%2+1, action/2%2)
	case action < duplex:
		return fmt.Sprintf("cable %d: carrier", action-carrier+1)
	case action == duplex:
		return "system 0: duplex"
	case action == configure:
		return "system 0: configuration"
	default:
		number := (action - fire) / 2
		return fmt.Sprintf("system %d: %s of port %d", (action-fire)%2, lacp.TimerName(number), (number-1)/len(lacp.TimerNames)+1)
	}
}

// hopeless counts the states from which no way leads to one in which all ports
// distribute, and gives one of them.
func (w *walker) hopeless() (count int, one uint32) {
	back := make([][]uint32, len(w.from))
	for _, e := range w.edges {
		back[e[1]] = append(back[e[1]], e[0])
	}
	hope := slices.Clone(w.good)
	var queue []uint32
	for n, good := range hope {
		if good {
			queue = append(queue, uint32(n))
		}
	}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		for _, m := range back[n] {
			if !hope[m] {
				hope[m] = true
				queue = append(queue, m)
			}
		}
	}
	for n, ok := range hope {
		if !ok {
			count++
			one = uint32(n)
		}
	}
	return count, one
}
