package grammar

// Word is one keyword.
type Word[O any] struct {
	Text  string
	Rule  Rule
	If    func(after []string) bool // looks at the words behind; nil = always
	Value any                       // argument that the word itself stands for; nil = none
	Emit  Emit[O]                   // nil when an argument has to follow first
	Next  Node[O]
	Rest  bool // nothing that follows is looked at
}

// Keywords takes one of a set of fixed words, matched exactly.
type Keywords[O any] struct {
	words map[string]Word[O]
}

// NewKeywords makes a node of the words. A later word replaces an earlier one
// with the same text.
func NewKeywords[O any](words ...Word[O]) *Keywords[O] {
	k := &Keywords[O]{words: make(map[string]Word[O], len(words))}
	for _, w := range words {
		k.words[w.Text] = w
	}
	return k
}

func (k *Keywords[O]) take(words []string, seen facts) (*step[O], error) {
	w, ok := k.words[words[0]]
	if !ok || !seen.allow(w.Rule) || w.If != nil && !w.If(words[1:]) {
		return nil, nil
	}
	return &step[O]{value: w.Value, emit: w.Emit, sets: w.Rule.Sets, next: w.Next, rest: w.Rest}, nil
}

func (*Keywords[O]) end() bool { return false }

// Iface takes an interface name, of at most Max bytes; whether it exists is
// not looked at. Its value is a string.
type Iface[O any] struct {
	Max  int
	Emit Emit[O]
	Next Node[O]
	Rest bool
}

func (n *Iface[O]) take(words []string, _ facts) (*step[O], error) {
	if len(words[0]) > n.Max {
		return nil, nil
	}
	return &step[O]{value: words[0], emit: n.Emit, next: n.Next, rest: n.Rest}, nil
}

func (*Iface[O]) end() bool { return false }

// Addr takes an address. What an address is, only its Parse knows: it gives
// the value, and false when the word is none; an error is fatal, not a matter
// of syntax.
type Addr[O any] struct {
	Rule  Rule
	Parse func(word string) (any, bool, error)
	Emit  Emit[O]
	Next  Node[O]
}

func (n *Addr[O]) take(words []string, seen facts) (*step[O], error) {
	if !seen.allow(n.Rule) {
		return nil, nil
	}
	v, ok, err := n.Parse(words[0])
	if err != nil || !ok {
		return nil, err
	}
	return &step[O]{value: v, emit: n.Emit, sets: n.Rule.Sets, next: n.Next}, nil
}

func (*Addr[O]) end() bool { return false }

// Branch tries its nodes in order; the first that takes the word has it, and
// there is no way back. Nodes are added while the language is put together, so
// that they can point back to the branch.
type Branch[O any] struct {
	nodes []Node[O]
}

// Add appends alternatives.
func (b *Branch[O]) Add(nodes ...Node[O]) { b.nodes = append(b.nodes, nodes...) }

func (b *Branch[O]) take(words []string, seen facts) (*step[O], error) {
	for _, n := range b.nodes {
		st, err := n.take(words, seen)
		if st != nil || err != nil {
			return st, err
		}
	}
	return nil, nil
}

func (b *Branch[O]) end() bool {
	for _, n := range b.nodes {
		if n.end() {
			return true
		}
	}
	return false
}

// End takes no word: it says that the line may stop here.
type End[O any] struct{}

func (End[O]) take([]string, facts) (*step[O], error) { return nil, nil }
func (End[O]) end() bool                              { return true }

// Defer is a node that is made when the parse first gets there, so that a
// language pays only for the part of it that a line uses.
type Defer[O any] struct {
	Make func() Node[O]
	node Node[O]
}

func (d *Defer[O]) made() Node[O] {
	if d.node == nil {
		d.node = d.Make()
	}
	return d.node
}

func (d *Defer[O]) take(words []string, seen facts) (*step[O], error) {
	return d.made().take(words, seen)
}
func (d *Defer[O]) end() bool { return d.made().end() }
