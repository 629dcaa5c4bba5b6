package grammar

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// Integer takes a number between Min and Max, both included. Its value is an
// int64. Blanks before it, a sign and leading zeros are fine, and the empty
// word is 0, as strtoimax(3) has it; anything behind the digits, and what does
// not fit into 64 bits, is not a number.
type Integer[O any] struct {
	Min, Max int64
	AnyBase  bool // 0x and a leading 0 choose the base; otherwise it is ten
	Rule     Rule
	Emit     Emit[O]
	Next     Node[O]
}

func (n *Integer[O]) take(words []string, seen facts) (*step[O], error) {
	v, ok := parseInt(words[0], n.AnyBase)
	if !ok || v < n.Min || v > n.Max || !seen.allow(n.Rule) {
		return nil, nil
	}
	return &step[O]{value: v, emit: n.Emit, sets: n.Rule.Sets, next: n.Next}, nil
}

func (*Integer[O]) end() bool { return false }

func parseInt(word string, anyBase bool) (int64, bool) {
	if word == "" {
		return 0, true
	}
	s := strings.TrimLeft(word, " \t\n\v\f\r")
	sign := ""
	if s != "" && (s[0] == '+' || s[0] == '-') {
		sign, s = s[:1], s[1:]
	}
	base := 10
	if anyBase && s != "" {
		base, s = baseOf(s)
	}
	if s == "" || s[0] == '+' || s[0] == '-' {
		return 0, false
	}
	v, err := strconv.ParseInt(sign+s, base, 64)
	return v, err == nil
}

// baseOf reads the C prefix of a number; Go's own base 0 would accept "0b1",
// "0o7" and "1_000" too.
func baseOf(s string) (base int, digits string) {
	switch {
	case len(s) > 2 && (s[:2] == "0x" || s[:2] == "0X"):
		return 16, s[2:]
	case s[0] == '0':
		return 8, s
	}
	return 10, s
}

// String takes any text of at most Max bytes. With Hex a leading 0x announces
// pairs of hexadecimal digits, which the value has decoded. The notes are what
// NetBSD's ifconfig(8) says before its usage text.
type String[O any] struct {
	Max  int
	Hex  bool
	Emit Emit[O]
	Next Node[O]
}

func (n *String[O]) take(words []string, _ facts) (*step[O], error) {
	word := words[0]
	if digits, ok := strings.CutPrefix(word, "0x"); ok && n.Hex {
		b, err := hex.DecodeString(digits)
		switch {
		case err != nil:
			return nil, &SyntaxError{Note: "bad hexadecimal digits"}
		case len(b) > n.Max:
			return nil, &SyntaxError{Note: "hexadecimal digits too long"}
		}
		return &step[O]{value: string(b), emit: n.Emit, next: n.Next}, nil
	}
	if len(word) > n.Max {
		return nil, &SyntaxError{Note: "strings too long"}
	}
	return &step[O]{value: word, emit: n.Emit, next: n.Next}, nil
}

func (*String[O]) end() bool { return false }
