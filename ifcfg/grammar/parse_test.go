package grammar_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/ifcfg/grammar"
)

type (
	node  = grammar.Node[string]
	word  = grammar.Word[string]
	rule  = grammar.Rule
	facts = []grammar.Fact
)

// errUnlucky is what the toy language's address says about 13.
var errUnlucky = errors.New("13")

func emit(format string) grammar.Emit[string] {
	return func(a grammar.Args) string { return fmt.Sprintf(format, a...) }
}

// toy is a language with one of each node:
//
//	NAME { on | off | size N | pair A B | tag T | +A (once) | after (only behind +A) | rest ... | +N }
func toy() node {
	items := &grammar.Branch[string]{}
	number := func(n node) node { return &grammar.Integer[string]{Min: -10, Max: 100, Next: n} }
	last := &grammar.Integer[string]{Min: -10, Max: 100, Emit: emit("pair %d %d"), Next: items}
	items.Add(
		grammar.NewKeywords(
			word{Text: "on", Value: true, Emit: emit("switch %v"), Next: items},
			word{Text: "off", Value: false, Emit: emit("switch %v"), Next: items},
			word{Text: "size", Next: &grammar.Integer[string]{
				Min: math.MinInt64, Max: math.MaxInt64, Emit: emit("size %d"), Next: items,
			}},
			word{Text: "bits", Next: &grammar.Integer[string]{Max: 100, AnyBase: true, Emit: emit("bits %d"), Next: items}},
			word{Text: "pair", Next: number(last)},
			word{Text: "tag", Next: &grammar.String[string]{Max: 4, Hex: true, Emit: emit("tag %q"), Next: items}},
			word{Text: "after", Rule: rule{After: "address"}, Emit: emit("after"), Next: items},
			word{Text: "rest", Emit: emit("rest"), Rest: true},
		),
		&grammar.Addr[string]{
			Rule: rule{Before: facts{"address"}, Sets: "address"},
			Parse: func(s string) (any, bool, error) {
				if s == "+13" {
					return nil, false, errUnlucky
				}
				return s, strings.HasPrefix(s, "+"), nil
			},
			Emit: emit("address %s"), Next: items,
		},
		grammar.End[string]{},
	)
	return &grammar.Iface[string]{Max: 4, Emit: emit("name %s"), Next: &grammar.Defer[string]{Make: func() node { return items }}}
}

func TestParse(t *testing.T) {
	tests := []struct {
		line string
		want []string
		at   int // index of the word that does not fit, or -1
	}{
		{"a", []string{"name a"}, -1},
		{"abcd on off", []string{"name abcd", "switch true", "switch false"}, -1},
		{"abcde", nil, 0},
		{"a size -5 on", []string{"name a", "size -5", "switch true"}, -1},
		{"a size", nil, 2},
		{"a size x", nil, 2},
		{"a pair 1 2", []string{"name a", "pair 1 2"}, -1},
		{"a pair 1", nil, 3},
		{"a pair 1 101", nil, 3},
		{"a pair 1 2 3", nil, 4},
		{"a +x after", []string{"name a", "address +x", "after"}, -1},
		{"a after +x", nil, 1},
		{"a +x +y", nil, 2},
		{"a on on on", []string{"name a", "switch true", "switch true", "switch true"}, -1},
		{"a rest of the line", []string{"name a", "rest"}, -1},
		{"a tag 0x4142 tag 0xy", nil, 4},
		{"a tag 0x4142", []string{"name a", `tag "AB"`}, -1},
		{"a tag abcde", nil, 2},
		{"a bits 0x10 bits 010 bits 7", []string{"name a", "bits 16", "bits 8", "bits 7"}, -1},
		{"a On", nil, 1},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			got, err := grammar.Parse(toy(), strings.Fields(tt.line), 10)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var syntax *grammar.SyntaxError
			switch {
			case tt.at < 0 && err != nil:
				t.Errorf("error %v, want none", err)
			case tt.at >= 0 && (!errors.As(err, &syntax) || syntax.Index != tt.at):
				t.Errorf("error %#v, want one at word %d", err, tt.at)
			}
		})
	}
}

// A line with no word at all is too short for a name.
func TestParseNothing(t *testing.T) {
	_, err := grammar.Parse(toy(), nil, 10)
	if want := (&grammar.SyntaxError{}); cmp.Diff(want, err) != "" {
		t.Errorf("error %#v, want %#v", err, want)
	}
}

func TestParseLimit(t *testing.T) {
	words := strings.Fields("a" + strings.Repeat(" on", 9))
	if _, err := grammar.Parse(toy(), words, len(words)); err != nil {
		t.Errorf("as many words as allowed: %v", err)
	}
	_, err := grammar.Parse(toy(), words, len(words)-1)
	if want := (&grammar.SyntaxError{Index: 9}); cmp.Diff(want, err) != "" {
		t.Errorf("error %#v, want %#v", err, want)
	}
}

// An address that is one, but a wrong one, is no matter of syntax.
func TestParseFatal(t *testing.T) {
	if _, err := grammar.Parse(toy(), []string{"a", "+13"}, 10); err != errUnlucky {
		t.Errorf("error %v, want %v", err, errUnlucky)
	}
}

// ifconfig(8) of NetBSD: strings too long, and what is wrong about hexadecimal
// ones, is said before the usage text.
func TestStringNotes(t *testing.T) {
	tests := []struct{ word, note string }{
		{"abcde", "strings too long"},
		{"0xabc", "bad hexadecimal digits"},
		{"0x0102030405", "hexadecimal digits too long"},
	}
	for _, tt := range tests {
		t.Run(tt.word, func(t *testing.T) {
			_, err := grammar.Parse(toy(), []string{"a", "tag", tt.word}, 10)
			if want := (&grammar.SyntaxError{Index: 2, Note: tt.note}); cmp.Diff(want, err) != "" {
				t.Errorf("error %#v, want %#v", err, want)
			}
		})
	}
}

func TestInteger(t *testing.T) {
	tests := []struct {
		word    string
		anyBase bool
		want    int64
		bad     bool
	}{
		{word: "", want: 0},
		{word: "0", want: 0},
		{word: "+15", want: 15},
		{word: "-15", want: -15},
		{word: "0015", want: 15},
		{word: " \t15", want: 15},
		{word: "15 ", bad: true},
		{word: "+", bad: true},
		{word: "+-1", bad: true},
		{word: "1_0", bad: true},
		{word: "0x10", bad: true},
		{word: "9223372036854775807", want: math.MaxInt64},
		{word: "-9223372036854775808", want: math.MinInt64},
		{word: "9223372036854775808", bad: true},
		{word: "0x10", anyBase: true, want: 16},
		{word: "-0X1f", anyBase: true, want: -31},
		{word: "010", anyBase: true, want: 8},
		{word: "08", anyBase: true, bad: true},
		{word: "0x", anyBase: true, bad: true},
		{word: "0x-5", anyBase: true, bad: true},
		{word: "0b1", anyBase: true, bad: true},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.word, tt.anyBase), func(t *testing.T) {
			n := &grammar.Integer[int64]{
				Min: math.MinInt64, Max: math.MaxInt64, AnyBase: tt.anyBase, Next: grammar.End[int64]{},
				Emit: func(a grammar.Args) int64 { return a.Int(0) },
			}
			got, err := grammar.Parse(grammar.Node[int64](n), []string{tt.word}, 1)
			if tt.bad {
				if err == nil {
					t.Fatalf("%q is %v, want an error", tt.word, got)
				}
				return
			}
			if diff := cmp.Diff([]int64{tt.want}, got); diff != "" || err != nil {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// Whatever the words are, Parse answers with operations or with an error, and
// never with a part of the operations.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a", "a on +x after", "a size 5 pair 1 2", "a tag 0x41", "a rest x y", "a +13"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words := strings.Split(line, " ")
		got, err := grammar.Parse(toy(), words, 10)
		if err != nil && got != nil {
			t.Errorf("%q: %v together with %v", words, err, got)
		}
		if err == nil && len(got) == 0 {
			t.Errorf("%q: neither operation nor error", words)
		}
	})
}
