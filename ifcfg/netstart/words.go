package netstart

import (
	"errors"
	"fmt"
	"strings"
)

// reader reads the words of a text as a shell would, sh(1): quotes, backslashes
// and comments, and nothing that a shell would have to run or look up.
type reader struct {
	rest string
}

const (
	blanks    = " \t\n"
	operators = ";&|<>()"
	expansion = "$`"
)

var errQuote = errors.New("a quote has no end")

// splitWords gives the words of a line.
func splitWords(s string) ([]string, error) {
	r := reader{s}
	var words []string
	for {
		r.rest = strings.TrimLeft(r.rest, blanks)
		if r.rest == "" || r.rest[0] == '#' {
			return words, nil
		}
		w, err := r.word()
		if err != nil {
			return nil, err
		}
		if r.rest != "" && strings.IndexByte(operators, r.rest[0]) >= 0 {
			return nil, needsShell(r.rest[0])
		}
		words = append(words, w)
	}
}

// word reads up to a blank or an operator outside of quotes.
func (r *reader) word() (string, error) {
	var b strings.Builder
	for r.rest != "" && strings.IndexByte(blanks+operators, r.rest[0]) < 0 {
		if err := r.piece(&b); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// piece reads one character, or what a quote holds.
func (r *reader) piece(b *strings.Builder) error {
	c := r.take()
	switch {
	case c == '\'':
		text, after, found := strings.Cut(r.rest, "'")
		if !found {
			return errQuote
		}
		b.WriteString(text)
		r.rest = after
	case c == '"':
		return r.quoted(b)
	case c == '\\':
		r.escaped(b, func(byte) bool { return true })
	case strings.IndexByte(expansion, c) >= 0:
		return needsShell(c)
	default:
		b.WriteByte(c)
	}
	return nil
}

// quoted reads up to the closing double quote. A backslash means something
// before a few characters only.
func (r *reader) quoted(b *strings.Builder) error {
	for r.rest != "" {
		switch c := r.take(); {
		case c == '"':
			return nil
		case c == '\\':
			r.escaped(b, func(c byte) bool { return strings.IndexByte("$`\"\\\n", c) >= 0 })
		case strings.IndexByte(expansion, c) >= 0:
			return needsShell(c)
		default:
			b.WriteByte(c)
		}
	}
	return errQuote
}

// escaped reads what a backslash stands before. Where the character is not
// special the backslash stays; with the end of a line both go.
func (r *reader) escaped(b *strings.Builder, special func(byte) bool) {
	if r.rest == "" || !special(r.rest[0]) {
		b.WriteByte('\\')
		return
	}
	if c := r.take(); c != '\n' {
		b.WriteByte(c)
	}
}

func (r *reader) take() byte {
	c := r.rest[0]
	r.rest = r.rest[1:]
	return c
}

func needsShell(c byte) error {
	return fmt.Errorf("%q is for a shell: quote it, or begin the line with an exclamation mark", c)
}
