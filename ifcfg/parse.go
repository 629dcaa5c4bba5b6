package ifcfg

import (
	"errors"
	"math"
	"slices"

	"ifagr/agr/ctl"
	"ifagr/ifcfg/grammar"
)

// Family is an address family that a line can name.
type Family uint8

// The families of ifconfig(8). FamilyNone, the zero value, means that the line
// names none.
const (
	FamilyNone Family = iota
	Inet
	Inet6
	LinkLayer
	AppleTalk // known to the language, to no kernel of ours
)

// Form is the shape of the operands, which the options choose (ifconfig(8),
// "start state").
type Form uint8

// The forms.
const (
	FormCommand Form = iota // IFACE [create|destroy] [AF] [words]
	FormStatus              // IFACE [AF]
	FormAll                 // [AF]
	FormNone                // no operands
	FormCarrier             // IFACE, and whatever follows is ignored
)

// Command is a parsed line. Without Ops it asks for the status of Iface, or of
// all interfaces for FormAll.
type Command struct {
	Iface  string // as typed
	Family Family
	Ops    []Op // in the order in which they are to be applied
}

// copyTooLong is NetBSD's complaint about a name that its parser takes and that
// then does not fit.
const copyTooLong = "Cannot copy string; 16 chars needed 16 provided"

// maxWords is how many words NetBSD's parser takes.
const maxWords = 32

// step is what a group of words adds to the sentence.
type step func(*sentence)

// sentence is a Command in the making.
type sentence struct {
	iface  string
	family Family
	ops    []Op
	tag    int // of the last vlan
}

func (s *sentence) add(op Op) { s.ops = append(s.ops, op) }

// pending gives the sentence's one operation of a kind that several words
// build together, and adds it when the first of them comes.
func pending[T any, P interface {
	*T
	Op
}](s *sentence) P {
	for _, op := range s.ops {
		if p, ok := op.(P); ok {
			return p
		}
	}
	p := P(new(T))
	s.add(p)
	return p
}

// The engine's nodes, with our steps.
type (
	node  = grammar.Node[step]
	word  = grammar.Word[step]
	fact  = grammar.Fact
	rule  = grammar.Rule
	args  = grammar.Args
	ints  = grammar.Integer[step]
	iface = grammar.Iface[step]
	addrs = grammar.Addr[step]
	texts = grammar.String[step]
)

// vocabulary collects what the features bring for the lines of one family.
type vocabulary struct {
	family      Family
	names       Resolver
	items       *grammar.Branch[step] // where every item leads back to
	keywords    []word
	positionals []node
}

// word adds keywords that take no argument.
func (v *vocabulary) word(text string, r rule, emit grammar.Emit[step]) {
	v.keywords = append(v.keywords, word{Text: text, Rule: r, Emit: emit, Next: v.items})
}

// arg adds a keyword whose argument next takes.
func (v *vocabulary) arg(text string, r rule, next node) {
	v.keywords = append(v.keywords, word{Text: text, Rule: r, Next: next})
}

// number is a node for an integer of any size that ends an item.
func (v *vocabulary) number(anyBase bool, emit grammar.Emit[step]) node {
	return &ints{Min: math.MinInt64, Max: math.MaxInt64, AnyBase: anyBase, Emit: emit, Next: v.items}
}

// UsageError is about a line that does not parse. The usage text answers it.
type UsageError struct {
	Note string // a complaint to print before, or ""
}

// Error is the note, or says that the words are wrong.
func (e *UsageError) Error() string {
	if e.Note != "" {
		return e.Note
	}
	return "bad usage"
}

// Parse reads the operands of a line. Its errors are *UsageError, or a fatal
// complaint about one of the words, which has an Errno.
func Parse(form Form, words []string, names Resolver) (*Command, error) {
	steps, err := grammar.Parse(start(form, names), words, maxWords)
	if syntax, ok := errors.AsType[*grammar.SyntaxError](err); ok {
		return nil, &UsageError{Note: syntax.Note}
	}
	if err != nil {
		return nil, err
	}
	s := &sentence{}
	for _, st := range steps {
		st(s)
	}
	if len(s.iface) > maxUsableIfName {
		return nil, failed(copyTooLong, ctl.ENAMETOOLONG)
	}
	slices.SortStableFunc(s.ops, func(a, b Op) int { return int(a.Stage()) - int(b.Stage()) })
	return &Command{Iface: s.iface, Family: s.family, Ops: s.ops}, nil
}

// start is the node that the form begins with.
func start(form Form, names Resolver) node {
	name := &iface{Max: maxIfaceName, Emit: func(a args) step {
		return func(s *sentence) { s.iface = a.String(0) }
	}}
	switch form {
	case FormAll:
		return familyOnly()
	case FormNone:
		return grammar.End[step]{}
	case FormCarrier:
		name.Rest = true
	case FormStatus:
		name.Next = familyOnly()
	case FormCommand:
		name.Next = command(names)
	}
	return name
}

// command is what may follow the interface's name: NetBSD knows create and
// destroy there and nowhere else.
func command(names Resolver) node {
	items := func(f Family) node { return itemsOf(f, names) }
	created := &grammar.Branch[step]{}
	created.Add(family(items), deferred(FamilyNone, items))
	b := &grammar.Branch[step]{}
	b.Add(cloneWords(created), created)
	return b
}

// family takes the name of an address family, behind which then gives what may
// follow.
func family(then func(Family) node) node {
	var words []word
	for _, f := range []struct {
		text string
		f    Family
	}{{"inet", Inet}, {"inet6", Inet6}, {"link", LinkLayer}, {"atalk", AppleTalk}} {
		words = append(words, word{
			Text: f.text,
			Emit: func(args) step { return func(s *sentence) { s.family = f.f } },
			Next: deferred(f.f, then),
		})
	}
	return grammar.NewKeywords(words...)
}

// familyOnly takes at most the name of a family.
func familyOnly() node {
	end := grammar.End[step]{}
	b := &grammar.Branch[step]{}
	b.Add(family(func(Family) node { return end }), end)
	return b
}

func deferred(f Family, then func(Family) node) node {
	return &grammar.Defer[step]{Make: func() node { return then(f) }}
}

// itemsOf puts the items together that all features have for a family: all
// keywords first, the positional words after them.
func itemsOf(f Family, names Resolver) node {
	v := &vocabulary{family: f, names: names, items: &grammar.Branch[step]{}}
	for _, feat := range features() {
		if feat.words != nil {
			feat.words(v)
		}
	}
	v.items.Add(grammar.NewKeywords(v.keywords...))
	v.items.Add(v.positionals...)
	v.items.Add(grammar.End[step]{})
	return v.items
}
