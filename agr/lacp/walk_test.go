package lacp_test

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"
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
	t       *testing.T
	model   model
	first   world
	seed    maphash.Seed
	actors  [2][]slow.PortInfo // what the ports say, but for the state
	spare   []*world           // for unpack
	buf     []byte             // the state that is added
	now     uint32             // the state that is walked from
	numbers []int

	between map[uint64][]uint32 // where states with LACPDUs on their way lead to
	own     []uint32            // each number, as such a list

	seen  map[uint64]uint32
	queue [][]byte // the packed states that are not walked from yet
	from  []uint32 // where each state was found from, and how
	how   []uint16
	depth []uint16
	edges [][2]uint32
	good  []bool // converged states
	rows  map[row]bool
}

// row is a row of a state table.
type row struct{ machine, from, to, reason string }

func (r row) String() string {
	if r.reason == "" {
		return r.machine + ": " + r.from + " -> " + r.to
	}
	return r.machine + ": " + r.from + " -> " + r.to + " (" + r.reason + ")"
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
	w := &walker{t: t, model: *m, seed: maphash.MakeSeed(), seen: map[uint64]uint32{}, between: map[uint64][]uint32{}, rows: map[row]bool{}}
	for i := range w.first.systems {
		cfg := m.config(i, false)
		a := lacp.Abstract{System: lacp.New(cfg), Churn: m.churn, Calm: m.calm}
		w.first.systems[i] = a
		for c := range m.cables {
			w.first.up[c] = true
			w.after(&w.first, i, a.Take(lacp.AddPort{Number: uint16(c + 1), Priority: 1, Name: fmt.Sprint("p", c+1), Link: gigabit}))
		}
		for _, p := range a.Status().Ports {
			w.actors[i] = append(w.actors[i], p.Actor)
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
		switch t.Machine {
		case "receive", "mux", "periodic": // act has all of churn
			w.rows[row{t.Machine, t.From, t.To, t.Reason}] = true
		}
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

// act does one thing, if it can be done.
func (w *walker) act(s *world, action int) bool {
	if !w.model.churn {
		return w.do(s, action)
	}
	before := s.churn()
	done := w.do(s, action)
	for i, is := range s.churn() {
		if was := before[i]; is != was {
			w.rows[row{machine: []string{"actor churn", "partner churn"}[i%2], from: was, to: is}] = true
		}
	}
	return done
}

// churn lists the states of the churn machines.
func (s *world) churn() []string {
	return s.systems[1].Churns(s.systems[0].Churns(make([]string, 0, 8)))
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
	if s.systems[i].Current(c) {
		w.rows[row{"receive", "CURRENT", "CURRENT", "LACPDU received"}] = true
	}
	w.after(s, i, s.systems[i].Take(lacp.Received{Number: uint16(c + 1), PDU: pdu}))
}

// pdu is the LACPDU of a letter.
func (w *walker) pdu(i, c int, l letter) slow.LACPDU {
	p := slow.LACPDU{Version: 1, Actor: w.actors[i][c], Partner: l.partner}
	p.Actor.State = l.state
	return p
}

// walk walks from each state until there is no new one.
func (w *walker) walk() {
	w.depth = append(w.depth, 0)
	w.settle(&w.first, 0)
	w.depth = w.depth[1:]
	var actions []int
	for at := uint32(0); len(w.queue) > 0; at++ {
		b := w.queue[0]
		w.queue[0] = nil
		w.queue = w.queue[1:]
		w.now = at
		s := w.unpack(b)
		actions = w.timers(s, append(actions[:0], 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11))
		for _, action := range actions {
			if s == nil {
				s = w.unpack(b)
			}
			if w.act(s, action) {
				for _, to := range w.settle(s, action) {
					w.edges = append(w.edges, [2]uint32{at, to})
				}
				s = nil
			}
		}
		w.recycle(s)
		if len(w.from) > w.model.most {
			w.t.Fatalf("%d states, and %d to walk from", len(w.from), len(w.queue))
		}
	}
}

// timers adds the timers that may fire to the actions that there are.
func (w *walker) timers(s *world, actions []int) []int {
	for i := range s.systems {
		w.numbers = s.systems[i].Running(w.numbers[:0])
		for _, number := range w.numbers {
			action := fire + 2*number + i
			if w.model.urgent && lacp.TimerName(number) == "grace" {
				return []int{action}
			}
			actions = append(actions, action)
		}
	}
	return actions
}

// settle gives the states that an action leads to, and takes s. In an urgent model
// these are the ones in which nothing is on its way any more, whatever of it was lost;
// the states between, to which many ways lead, are gone through once.
func (w *walker) settle(s *world, action int) []uint32 {
	w.buf = w.pack(w.buf[:0], s)
	h := maphash.Bytes(w.seed, w.buf)
	if !w.model.urgent || !s.underWay() {
		n := w.add(s, h, action)
		w.recycle(s)
		return w.own[n : n+1]
	}
	to, ok := w.between[h]
	if ok {
		w.recycle(s)
		return to
	}
	b := slices.Clone(w.buf)
	for _, next := range w.firstLetter(s) {
		if s == nil {
			s = w.unpack(b)
		}
		w.act(s, next)
		to = append(to, w.settle(s, action)...)
		s = nil
	}
	slices.Sort(to)
	to = slices.Clip(slices.Compact(to))
	w.between[h] = to
	return to
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

// add adds a state, which buf holds, if it is a new one, and gives its number.
func (w *walker) add(s *world, hash uint64, action int) uint32 {
	n, ok := w.seen[hash]
	if !ok {
		n = uint32(len(w.from))
		w.seen[hash] = n
		w.own = append(w.own, n)
		w.from, w.how, w.depth = append(w.from, w.now), append(w.how, uint16(action)), append(w.depth, w.depth[w.now]+1)
		w.good = append(w.good, s.converged(cmp.Or(w.model.wanted, w.model.cables)))
		w.queue = append(w.queue, slices.Clone(w.buf))
		w.check(s, n)
	}
	return n
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
	first, back := w.backwards()
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
		for _, m := range back[first[n]:first[n+1]] {
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

// backwards lists from where each state n can be reached: back[first[n]:first[n+1]].
func (w *walker) backwards() (first, back []uint32) {
	first, back = make([]uint32, len(w.from)+2), make([]uint32, len(w.edges))
	for _, e := range w.edges {
		first[e[1]+2]++
	}
	for n := range w.from {
		first[n+2] += first[n+1]
	}
	for _, e := range w.edges {
		back[first[e[1]+1]] = e[0]
		first[e[1]+1]++
	}
	return first, back
}
