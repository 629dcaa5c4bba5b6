package ifcfg

import (
	"fmt"
	"slices"
	"strings"

	"ifagr/ifcfg/grammar"
)

// Place is a place in a sentence of the language, for programs that complete
// lines. Rules about the order of words are not in it.
type Place struct {
	Words map[string]int // what each keyword leads to; Anything = nowhere in particular
	Other grammar.Kind   // what may stand there beside the keywords, if Leads
	Leads bool
	To    int  // where that leads to
	End   bool // the line may stop
}

// Anything is where what follows is not looked at.
const Anything = -1

// Places describes the lines of FormCommand. The first place is where the
// interface's name stands; places with the same future are one.
func Places() []Place {
	w := &walk{number: map[node]int{}}
	w.visit(start(FormCommand, nil))
	return w.merged()
}

// walk numbers the nodes that can be reached.
type walk struct {
	number map[node]int
	places []Place
}

func (w *walk) visit(n node) int {
	if n == nil {
		return Anything
	}
	if i, ok := w.number[n]; ok {
		return i
	}
	i := len(w.places)
	w.number[n] = i
	choices, end := grammar.Choices(n)
	w.places = append(w.places, Place{Words: map[string]int{}, End: end})
	for _, c := range choices {
		to := w.visit(c.Next)
		p := &w.places[i]
		switch {
		case c.Kind == grammar.KindKeyword:
			p.Words[c.Text] = to
		case !p.Leads:
			p.Other, p.Leads, p.To = c.Kind, true, to
		}
	}
	return i
}

// merged puts places with the same future together: it begins with one class of
// places and splits classes until all places of each lead to the same classes.
func (w *walk) merged() []Place {
	class, n := make([]int, len(w.places)), 0
	for {
		next, m := w.split(class)
		if m == n {
			break
		}
		class, n = next, m
	}
	out := make([]Place, n)
	for i, p := range w.places {
		q := p
		q.Words = map[string]int{}
		for text, to := range p.Words {
			q.Words[text] = classOf(class, to)
		}
		q.To = classOf(class, p.To)
		out[class[i]] = q
	}
	return out
}

// split numbers the classes of places that differ in what they take or in the
// classes that they lead to, in the order in which they were found.
func (w *walk) split(class []int) (next []int, n int) {
	seen := map[string]int{}
	for _, p := range w.places {
		var words []string
		for text, to := range p.Words {
			words = append(words, fmt.Sprintf("%s:%d", text, classOf(class, to)))
		}
		slices.Sort(words)
		key := fmt.Sprint(p.Leads, p.Other, classOf(class, p.To), p.End, strings.Join(words, " "))
		if _, ok := seen[key]; !ok {
			seen[key] = len(seen)
		}
		next = append(next, seen[key])
	}
	return next, len(seen)
}

func classOf(class []int, place int) int {
	if place == Anything {
		return Anything
	}
	return class[place]
}
