package ifcfg

import "ifagr/agr/ctl"

// paramFeature brings up and down, mtu and metric.
func paramFeature() feature {
	return feature{
		module: modParam,
		usage:  []string{"[ up ] [ down ] [ metric n ] [ mtu n ]"},
		words: func(v *vocabulary) {
			v.flag("up", "down", FlagUp, 0)
			v.arg("mtu", rule{}, v.number(false, func(a args) step {
				return func(s *sentence) { s.add(&SetMTU{MTU: int32(a.Int(0))}) }
			}))
			v.arg("metric", rule{}, v.number(false, func(a args) step {
				return func(s *sentence) { s.add(&SetMetric{Metric: int32(a.Int(0))}) }
			}))
		},
		status: map[section]func(*printer) error{secHeader: printHeader},
	}
}

// SetMTU changes the MTU. As in NetBSD 7 the number is what its low 32 bits
// are, and a refusal is a warning.
type SetMTU struct {
	MTU int32 // bytes
}

// Stage implements Op.
func (*SetMTU) Stage() Stage { return StageNow }

func (m *SetMTU) apply(c *change) error {
	if err := m.set(c); err != nil {
		c.Warn(failed("SIOCSIFMTU", err))
	}
	return nil
}

func (m *SetMTU) set(c *change) error {
	l, err := c.on()
	if err != nil {
		return err
	}
	if isAgr(l.Name) {
		return c.Aggr.SetMTU(l.Name, int(m.MTU))
	}
	if err := c.notPort(l); err != nil {
		return err
	}
	if m.MTU < 0 {
		return ctl.EINVAL
	}
	return c.Kernel.SetMTU(l.Index, int(m.MTU))
}

// SetMetric changes the interface's metric; a refusal is a warning.
type SetMetric struct {
	Metric int32
}

// Stage implements Op.
func (*SetMetric) Stage() Stage { return StageNow }

func (m *SetMetric) apply(c *change) error {
	l, err := c.on()
	if err == nil {
		err = c.notPort(l)
	}
	if err == nil {
		err = c.Kernel.SetMetric(l.Index, m.Metric)
	}
	if err != nil {
		c.Warn(failed("SIOCSIFMETRIC", err))
	}
	return nil
}

// preferenceFeature brings the address preference, which Linux has not.
func preferenceFeature() feature {
	return feature{
		module: modPreference,
		usage:  []string{"[ preference n ]"},
		words: func(v *vocabulary) {
			r := rule{After: factAddress}
			v.arg("preference", r, &ints{Min: -32768, Max: 32767, Next: v.items, Emit: func(a args) step {
				return func(s *sentence) { pending[Preference](s).Value = int16(a.Int(0)) }
			}})
		},
	}
}

// Preference is the preference of the line's address when the system chooses a
// source address: higher is better, 0 is what all have.
type Preference struct {
	Value int16
}

// Stage implements Op.
func (*Preference) Stage() Stage { return StagePreference }

func (p *Preference) apply(c *change) error {
	if p.Value != 0 {
		c.Warn(failed("SIOCSIFADDRPREF", ctl.EOPNOTSUPP))
	}
	return nil
}
