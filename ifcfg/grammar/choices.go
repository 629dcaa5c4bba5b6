package grammar

import (
	"maps"
	"slices"
)

// Kind is what a Choice takes.
type Kind uint8

// Kinds of choices.
const (
	KindKeyword Kind = iota
	KindInteger
	KindIface
	KindAddr
	KindString
)

// Choice is one way to go on with a sentence.
type Choice[O any] struct {
	Kind Kind
	Text string  // of a keyword
	Next Node[O] // nil when nothing that follows is looked at
}

// Choices lists what a node takes, for programs that describe a language or
// complete its sentences, and whether the line may stop there. Rules are not
// looked at: some of it may be refused because of the words before or behind.
func Choices[O any](n Node[O]) (all []Choice[O], end bool) { return n.choices(), n.end() }

func (k *Keywords[O]) choices() []Choice[O] {
	var all []Choice[O]
	for _, text := range slices.Sorted(maps.Keys(k.words)) {
		w := k.words[text]
		all = append(all, Choice[O]{KindKeyword, text, following(w.Next, w.Rest)})
	}
	return all
}

func (n *Iface[O]) choices() []Choice[O] {
	return []Choice[O]{{KindIface, "", following(n.Next, n.Rest)}}
}

func (n *Addr[O]) choices() []Choice[O]    { return []Choice[O]{{KindAddr, "", n.Next}} }
func (n *Integer[O]) choices() []Choice[O] { return []Choice[O]{{KindInteger, "", n.Next}} }
func (n *String[O]) choices() []Choice[O]  { return []Choice[O]{{KindString, "", n.Next}} }
func (End[O]) choices() []Choice[O]        { return nil }
func (d *Defer[O]) choices() []Choice[O]   { return d.made().choices() }

func (b *Branch[O]) choices() []Choice[O] {
	var all []Choice[O]
	for _, n := range b.nodes {
		all = append(all, n.choices()...)
	}
	return all
}

func following[O any](n Node[O], rest bool) Node[O] {
	if rest {
		return nil
	}
	return n
}
