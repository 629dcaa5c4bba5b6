package grammar

import "fmt"

// SyntaxError says that the words do not form a sentence.
type SyntaxError struct {
	Index int    // of the word that did not fit; the number of words when the line ended too early
	Note  string // what the offended node has to say, or ""
}

// Error describes the place; ifconfig(8) prints the usage text instead.
func (e *SyntaxError) Error() string {
	if e.Note != "" {
		return e.Note
	}
	return fmt.Sprintf("word %d does not fit", e.Index+1)
}

// Fact is something that the words so far have established.
type Fact string

// Rule ties a word to the words before it. The zero value is no rule.
type Rule struct {
	After  Fact   // must be established, unless ""
	Before []Fact // none of them may be established
	Sets   Fact   // becomes established, unless ""
}

// Args are the values of the words that belong to one operation, in their order.
type Args []any

// Int is the i-th argument, which an Integer made.
func (a Args) Int(i int) int64 { n, _ := a[i].(int64); return n }

// String is the i-th argument, which an Iface or a String made.
func (a Args) String(i int) string { s, _ := a[i].(string); return s }

// Emit turns the arguments of a construct into an operation.
type Emit[O any] func(Args) O

// Node is one state of a language. The implementations are in this package.
type Node[O any] interface {
	// take looks at the first of the words, of which there is at least one;
	// those behind it may decide whether it is the node's. A nil step means
	// that it is not; an error ends the parse.
	take(words []string, seen facts) (*step[O], error)
	// end is the node's opinion about a line that stops here.
	end() bool
	// choices lists what take takes, whatever its rules say.
	choices() []Choice[O]
}

// step is what a node did with the word it took.
type step[O any] struct {
	value any     // nil adds no argument
	emit  Emit[O] // nil emits nothing
	sets  Fact
	next  Node[O]
	rest  bool // the words that follow are ignored
}

type facts map[Fact]bool

func (f facts) allow(r Rule) bool {
	if r.After != "" && !f[r.After] {
		return false
	}
	for _, b := range r.Before {
		if f[b] {
			return false
		}
	}
	return true
}

// Parse reads the whole line, beginning in start, and returns what its words
// emitted, in order. More than limit words are a syntax error. Errors are
// *SyntaxError, or whatever an Addr's Parse calls fatal.
func Parse[O any](start Node[O], words []string, limit int) ([]O, error) {
	var (
		out  []O
		args Args
		node = start
		seen = facts{}
	)
	for i := range words {
		if i >= limit {
			return nil, &SyntaxError{Index: i}
		}
		st, err := node.take(words[i:], seen)
		if err != nil {
			return nil, located(err, i)
		}
		if st == nil {
			return nil, &SyntaxError{Index: i}
		}
		if st.value != nil {
			args = append(args, st.value)
		}
		if st.emit != nil {
			out, args = append(out, st.emit(args)), nil
		}
		if st.sets != "" {
			seen[st.sets] = true
		}
		if st.rest {
			return out, nil
		}
		node = st.next
	}
	if !node.end() {
		return nil, &SyntaxError{Index: len(words)}
	}
	return out, nil
}

// located tells a syntax error where it happened.
func located(err error, i int) error {
	if s, ok := err.(*SyntaxError); ok { //nolint:errorlint // made in this package, never wrapped
		s.Index = i
	}
	return err
}
