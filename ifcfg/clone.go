package ifcfg

import (
	"strconv"

	"ifagr/agr/ctl"
	"ifagr/ifcfg/grammar"
)

// cloneWords take create and destroy, behind which comes what then takes.
func cloneWords(then node) node {
	return grammar.NewKeywords(
		word{Text: "create", Next: then, Emit: func(args) step {
			return func(s *sentence) { s.add(&Clone{}) }
		}},
		// What follows destroy is not even looked at, as in NetBSD.
		word{Text: "destroy", Rest: true, Emit: func(args) step {
			return func(s *sentence) { s.add(&Clone{Destroy: true}) }
		}},
	)
}

// Clone creates the line's interface, or destroys it.
type Clone struct {
	Destroy bool
}

// Stage implements Op.
func (*Clone) Stage() Stage { return StageNow }

// apply reports a failure twice: once for the request, once for the word.
func (k *Clone) apply(c *change) error {
	run := c.create
	if k.Destroy {
		run = c.destroy
	}
	c.forget()
	if err := run(); err != nil {
		c.Warn(failed("clone_command", err))
		return err
	}
	return nil
}

func (c *change) create() error {
	name, err := c.cloneName()
	if err != nil {
		return err
	}
	if _, err := c.Kernel.Link(name); err == nil {
		return ctl.EEXIST
	}
	if isAgr(name) {
		return c.Aggr.Create(name)
	}
	return c.Kernel.Create(name)
}

func (c *change) destroy() error {
	name, err := c.cloneName()
	if err != nil {
		return err
	}
	if isAgr(name) {
		return c.Aggr.Destroy(name)
	}
	l, err := c.Kernel.Link(name)
	if err != nil {
		return err
	}
	if err := c.notPort(&l); err != nil {
		return err
	}
	return c.Kernel.Destroy(name)
}

// cloneName is the line's name as the cloner has it: a cloner that exists, and
// a unit without leading zeros that fits (NetBSD makes agr1 of agr01 too).
func (c *change) cloneName() (string, error) {
	prefix, unit, ok := splitUnit(c.name)
	if !ok || !c.cloner(prefix) {
		return "", ctl.EINVAL
	}
	n, err := strconv.ParseInt(unit, 10, 32)
	if err != nil || n >= 1<<31-1 {
		return "", ctl.EINVAL
	}
	c.name = prefix + strconv.FormatInt(n, 10)
	return c.name, nil
}

func (c *change) cloner(prefix string) bool {
	for _, name := range c.cloners() {
		if name == prefix {
			return true
		}
	}
	return false
}
