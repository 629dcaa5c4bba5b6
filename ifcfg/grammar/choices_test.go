package grammar_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/ifcfg/grammar"
)

// A word may be one only before certain words.
func TestIf(t *testing.T) {
	items := &grammar.Branch[string]{}
	items.Add(
		grammar.NewKeywords(word{
			Text: "add", Next: &grammar.Integer[string]{Max: 9, Emit: emit("add %d"), Next: items},
			If: func(after []string) bool { return len(after) > 0 && after[0] == "5" },
		}),
		&grammar.Addr[string]{
			Parse: func(s string) (any, bool, error) { return s, true, nil }, Emit: emit("other %s"), Next: items,
		},
		grammar.End[string]{},
	)
	for line, want := range map[string][]string{
		"add 5":     {"add 5"},
		"add 6":     {"other add", "other 6"},
		"add":       {"other add"},
		"x add 5 y": {"other x", "add 5", "other y"},
	} {
		got, err := grammar.Parse(node(items), strings.Fields(line), 10)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: error %v (-want +got):\n%s", line, err, diff)
		}
	}
}

// The nodes tell what they take.
func TestChoices(t *testing.T) {
	name, end := grammar.Choices(toy())
	if len(name) != 1 || name[0].Kind != grammar.KindIface || end {
		t.Fatalf("choices %+v, end %v, want a name", name, end)
	}
	items, end := grammar.Choices(name[0].Next)
	var got []string
	for _, c := range items {
		next := "nothing"
		if c.Next != nil {
			behind, _ := grammar.Choices(c.Next)
			next = fmt.Sprint(len(behind))
		}
		got = append(got, fmt.Sprintf("%d %q then %s", c.Kind, c.Text, next))
	}
	want := []string{
		`0 "after" then 9`, `0 "bits" then 1`, `0 "off" then 9`, `0 "on" then 9`, `0 "pair" then 1`,
		`0 "rest" then nothing`, `0 "size" then 1`, `0 "tag" then 1`, `3 "" then 9`,
	}
	if diff := cmp.Diff(want, got); diff != "" || !end {
		t.Errorf("end %v (-want +got):\n%s", end, diff)
	}
}
