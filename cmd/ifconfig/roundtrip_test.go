package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a status says can be said to ifconfig: the lines that it makes, given to
// a machine that knows nothing of it, lead to the same status.
func FuzzRoundTrip(f *testing.F) {
	for _, seed := range []string{
		"10.0.0.1/24; 10.0.0.2/32 alias; 10.1 broadcast 10.255.255.255 alias", "inet6 2001:db8::1/70 pltime 100; up",
		"inet6 fe80::9; -arp; debug", "mtu 1400; metric 3", "description a;link 02:00:00:00:00:09 active; link 2:0:0:0:0:a",
		"inet6 2001:db8::1 pltime 5 vltime 7; inet6 2001:db8:: eui64", "-tso4; vlan-hwtagging", "10.0.0.1 10.0.0.2",
		"inet6 ::ffff:10.0.0.1/128", "inet 0.0.0.1/1", "promisc; -multicast", "inet6 2001:db8::2 deprecated",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, lines string) {
		w := linuxLike()
		for l := range strings.SplitSeq(lines, ";") {
			w.run(append([]string{"re0"}, strings.Fields(l)...)...)
		}
		want, ok := statusLines(w)
		if !ok {
			return // it is called something else now
		}
		again := linuxLike()
		for _, words := range linesOf(want) {
			if r := again.run(words...); r.Status != 0 || r.Stderr != "" {
				t.Errorf("%q: %+v", words, r)
			}
		}
		got, _ := statusLines(again)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: (-first +second):\n%s", lines, diff)
		}
	})
}

// statusLines is the status of re0 with lifetimes, the additional link-layer
// addresses in an order of their own.
func statusLines(w *world) (lines []string, ok bool) {
	w.env.style = "netbsd10"
	r := w.run("-L", "re0")
	w.env.style = ""
	lines = strings.Split(strings.TrimSuffix(r.Stdout, "\n"), "\n")
	isLink := func(l string) bool { return strings.HasPrefix(l, "\tlink ") }
	if i := slices.IndexFunc(lines, isLink); i >= 0 {
		n := 0
		for n < len(lines)-i && isLink(lines[i+n]) {
			n++
		}
		slices.Sort(lines[i : i+n])
	}
	return lines, r.Status == 0
}

// What a status line says, and the line that says it to ifconfig. There is no
// way to say an inet6 address with a prefix length of 0 but this.
var sayings = []struct {
	line  *regexp.Regexp
	words string
}{
	{regexp.MustCompile(`^re0: .* metric (-?\d+)`), "metric $1"},
	{regexp.MustCompile(`^re0: .* mtu (\d+)$`), "mtu $1"},
	{regexp.MustCompile(`^re0: flags=\S*[<,]DEBUG[,>]`), "debug"},
	{regexp.MustCompile(`^re0: flags=\S*[<,]NOARP[,>]`), "-arp"},
	{regexp.MustCompile(`^re0: flags=\S*[<,]PROMISC[,>]`), "promisc"},
	{regexp.MustCompile(`^re0: flags=\S*[<,]ALLMULTI[,>]`), "allmulti"},
	{regexp.MustCompile(`^re0: flags=\S*[<,]MULTICAST>`), "multicast"},
	{regexp.MustCompile(`^\taddress: (\S+)$`), "link $1 active"},
	{regexp.MustCompile(`^\tlink (\S+)$`), "link $1"},
	{regexp.MustCompile(`^\tinet (\S+/[1-9]\d*) broadcast (\S+) `), "inet $1 broadcast $2 alias"},
	{regexp.MustCompile(`^\tinet (\S+)/0 broadcast (\S+) `), "inet $1 netmask 0 broadcast $2 alias"}, // "/0" is /32
	{regexp.MustCompile(`^\tinet6 (\S+/[1-9]\d*) flags \S+(?: scopeid \S+)?$`), "inet6 $1"},
	{regexp.MustCompile(`^\tinet6 (\S+/[1-9]\d*) flags .* pltime (\d+) vltime infty$`), "inet6 $1 pltime $2"},
	{regexp.MustCompile(`^\tinet6 (\S+/[1-9]\d*) flags .* pltime (\d+) vltime (\d+)$`), "inet6 $1 pltime $2 vltime $3"},
	{regexp.MustCompile(`^\tinet6 (\S+)/0 flags \S+(?: scopeid \S+)?$`), "inet6 $1 netmask ::"},
}

// linesOf makes lines for ifconfig of a status. It begins with what a fresh
// interface has and this one need not have, and ends with UP, which an address
// sets as well.
func linesOf(status []string) [][]string {
	lines := [][]string{{"re0", "-multicast"}}
	for _, l := range status {
		for _, s := range sayings {
			if m := s.line.FindStringSubmatchIndex(l); m != nil {
				lines = append(lines, append([]string{"re0"}, strings.Fields(string(s.line.ExpandString(nil, s.words, l, m)))...))
			}
		}
		if text, ok := strings.CutPrefix(l, "\tdescription: \""); ok {
			lines = append(lines, []string{"re0", "description", strings.TrimSuffix(text, `"`)})
		}
	}
	lines = append(lines, capabilityWords(status)...)
	last := "down"
	if strings.Contains(status[0], "<UP,") {
		last = "up"
	}
	return append(lines, []string{"re0", last})
}

// capabilityWords makes lines that turn capabilities off and on.
func capabilityWords(status []string) (lines [][]string) {
	can, on := map[string]bool{}, map[string]bool{}
	for _, l := range status {
		m := regexp.MustCompile(`^\t(ec_)?(capabilities|enabled)=[0-9a-fx]+<(.*)>$`).FindStringSubmatch(l)
		if m == nil {
			continue
		}
		for name := range strings.SplitSeq(m[3], ",") {
			if m[2] == "enabled" {
				on[name] = true
			} else if name != "VLAN_MTU" && name != "JUMBO_MTU" && name != "LRO" { // those have no word
				can[name] = true
			}
		}
	}
	for _, wanted := range []bool{false, true} {
		line := []string{"re0"}
		for _, name := range slices.Sorted(maps.Keys(can)) {
			word := strings.ReplaceAll(strings.ToLower(name), "_", "-")
			if on[name] != wanted {
				continue
			}
			if !wanted {
				word = "-" + word
			}
			line = append(line, word)
		}
		if len(line) > 1 {
			lines = append(lines, line)
		}
	}
	return lines
}
