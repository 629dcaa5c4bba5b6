package lacp_test

import "ifagr/agr/slow"

// How a state of a model is written down, and read again.

// pack appends a state to b.
func (w *walker) pack(b []byte, s *world) []byte {
	b = append(b, bit(s.other))
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
	s := w.fresh()
	s.other = b[0] == 1
	b = b[1:]
	for i := range s.systems {
		b = s.systems[i].Unpack(b, modelSystems, w.model.config(i, s.other))
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

// fresh is a world to unpack a state into, recycle takes one back.
func (w *walker) fresh() *world {
	if n := len(w.spare); n > 0 {
		s := w.spare[n-1]
		w.spare = w.spare[:n-1]
		return s
	}
	s := &world{}
	for i := range s.systems {
		s.systems[i] = w.first.systems[i].Like()
	}
	return s
}

func (w *walker) recycle(s *world) {
	if s != nil {
		w.spare = append(w.spare, s)
	}
}
