package netstart

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitLines(t *testing.T) {
	tests := []struct {
		name, file string
		want       []line
	}{
		{"nothing", "", nil},
		{"one", "up\n", []line{{1, "up"}}},
		{"no end", "up", []line{{1, "up"}}},
		{"blanks", "  \t\n\n  up \t\n", []line{{3, "up"}}},
		{"comments", "# create\nup\n  # down\nmtu 1500 # plain\n", []line{{2, "up"}, {4, "mtu 1500 # plain"}}},
		{"joined", "inet 10.0.0.1 \\\n  netmask 255.0.0.0 \\\n alias\nup\n", []line{
			{1, "inet 10.0.0.1   netmask 255.0.0.0  alias"}, {4, "up"},
		}},
		{"joined in a word", "agr\\\nport re0\n", []line{{1, "agrport re0"}}},
		{"a comment goes on", "# one \\\n two\nup\n", []line{{3, "up"}}},
		{"two backslashes", "a\\\\\nb\n", []line{{1, `a\\`}, {2, "b"}}},
		{"joined with nothing", "up\\\n", []line{{1, "up"}}},
		{"joined with nothing at all", "up\\", []line{{1, "up"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, splitLines(tt.file), cmp.AllowUnexported(line{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSplitWords(t *testing.T) {
	tests := []struct {
		text string
		want []string
		err  string
	}{
		{"", nil, ""},
		{"inet 10.0.0.1\tnetmask  255.0.0.0 ", []string{"inet", "10.0.0.1", "netmask", "255.0.0.0"}, ""},
		{`description 'two  words'`, []string{"description", "two  words"}, ""},
		{`description "it's"`, []string{"description", "it's"}, ""},
		{`description "a \"b\" \\ \$5 \n"`, []string{"description", `a "b" \ $5 \n`}, ""},
		{`description 'a \ $b'`, []string{"description", `a \ $b`}, ""},
		{`description a\ b\\`, []string{"description", `a b\`}, ""},
		{`description ''`, []string{"description", ""}, ""},
		{`description a'b'"c"d`, []string{"description", "abcd"}, ""},
		{"up # and more", []string{"up"}, ""},
		{"description a#b", []string{"description", "a#b"}, ""},
		{"\"a\\\nb\"", []string{"ab"}, ""},
		{`a\`, []string{`a\`}, ""},
		{`description "open`, nil, "a quote has no end"},
		{`description 'open`, nil, "a quote has no end"},
		{`description "open\"`, nil, "a quote has no end"},
		{"inet $addr", nil, `'$' is for a shell`},
		{`inet "$addr"`, nil, `'$' is for a shell`},
		{"inet `hostname`", nil, "'`' is for a shell"},
		{"up; down", nil, `';' is for a shell`},
		{"up ;", nil, `';' is for a shell`},
		{"up > /dev/null", nil, `'>' is for a shell`},
		{"description ';'", []string{"description", ";"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := splitWords(tt.text)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (err == nil) != (tt.err == "") || err != nil && !strings.HasPrefix(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

func TestVariables(t *testing.T) {
	const file = `hostname=wolf	# a comment
auto_ifconfig=YES
ifconfig_re0="inet 10.0.0.1; up"
#ifconfig_re1="up"
 ifconfig_agr0='agrport re0
# not yet: agrport re1
inet 10.0.0.1 ; up'
ifaliases_re0="10.0.0.2 -"; other=1
ifconfig_re2="$common"
ifconfig_re3=up
ifconfig_re3=down
`
	type result struct {
		Lines []line
		Err   bool
	}
	got := map[string]result{}
	for name, v := range variables(file) {
		got[name] = result{v.lines(), v.err != nil}
	}
	want := map[string]result{
		"ifconfig_re0":  {[]line{{3, "inet 10.0.0.1"}, {3, "up"}}, false},
		"ifconfig_agr0": {[]line{{5, "agrport re0"}, {7, "inet 10.0.0.1 ; up"}}, false},
		"ifaliases_re0": {[]line{{8, "10.0.0.2 -"}}, false},
		"ifconfig_re2":  {nil, true},
		"ifconfig_re3":  {[]line{{11, "down"}}, false},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(line{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// quote writes a word so that a shell reads it as it is.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// Any words, quoted and put into a file, come back as they were, with the
// number of their line.
func FuzzWords(f *testing.F) {
	f.Add("description", "it's a \"test\" of $5 \\")
	f.Add("a\\", "# b")
	f.Add("", "\t;")
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.Contains(a+b, "\n") {
			return // a file has no word with a line's end
		}
		text := quote(a) + " " + quote(b)
		lines := splitLines("# first\n" + text + " \n")
		want := []line{{2, text}}
		if diff := cmp.Diff(want, lines, cmp.AllowUnexported(line{})); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		got, err := splitWords(lines[0].text)
		if diff := cmp.Diff([]string{a, b}, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		_, _ = splitWords(a + b)
		_ = variables(a + "\nifconfig_x0=" + b)
	})
}
