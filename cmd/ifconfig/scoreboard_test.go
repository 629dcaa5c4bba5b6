package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/ifcfg"
	"ifagr/ifcfg/kerneltest"
	"ifagr/netutil/ether"
)

// scoreRow is one row of the scoreboard: commands, and what the last of them does.
type scoreRow struct {
	token, priority string
	commands, wants []string
}

// board are how many tokens of each priority there are, and how many of them
// have to be done at least.
func board() map[string]struct{ tokens, done int } {
	return map[string]struct{ tokens, done int }{
		"P1": {33, 33}, "P2": {70, 70}, "P3": {36, 36}, "N/A": {39, 39},
	}
}

func readScoreboard(t *testing.T) []scoreRow {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "testdata", "scoreboard.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []scoreRow
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if strings.HasPrefix(sc.Text(), "#") {
			continue
		}
		c := strings.Split(sc.Text(), "\t")
		if len(c) != 4 {
			t.Fatalf("a row with %d columns: %s", len(c), sc.Text())
		}
		r := scoreRow{token: c[0], priority: c[1], commands: strings.Split(c[2], " ; ")}
		if c[3] != "" {
			r.wants = strings.Split(strings.ReplaceAll(c[3], `\t`, "\t"), " ; ")
		}
		rows = append(rows, r)
	}
	return rows
}

// TestScoreboard tells how much of NetBSD's language there is.
func TestScoreboard(t *testing.T) {
	priority, failed := map[string]string{}, map[string]bool{}
	for _, r := range readScoreboard(t) {
		priority[r.token] = r.priority
		if diff := r.run(t); diff != "" {
			failed[r.token] = true
			t.Logf("%s: ifconfig %s:\n%s", r.token, strings.Join(r.commands, "; ifconfig "), diff)
		}
	}
	all, done := map[string]int{}, map[string]int{}
	for token, p := range priority {
		all[p]++
		if !failed[token] {
			done[p]++
		}
	}
	for _, p := range []string{"P1", "P2", "P3", "N/A"} {
		want := board()[p]
		t.Logf("%-3s %3d of %3d tokens", p, done[p], all[p])
		if all[p] != want.tokens || done[p] < want.done {
			t.Errorf("%s: %d of %d tokens are done, want %d of %d", p, done[p], all[p], want.done, want.tokens)
		}
	}
	t.Logf("all %3d of %3d tokens", len(priority)-len(failed), len(priority))
}

// scoreWorld is a machine with a NIC that can everything and has its link, and
// with one that can nothing, is down and has none.
func scoreWorld() *world {
	w := newWorld()
	w.AsNetBSD = false
	re0 := virt("0")
	re0.Name, re0.Flags = "re0", re0.Flags|ifcfg.FlagUp|ifcfg.FlagRunning
	re0.Caps = ifcfg.Caps{
		Able:      0x7ff80,
		EtherAble: ifcfg.EtherCapVLANHWFilter | ifcfg.EtherCapVLANHWTagging | ifcfg.EtherCapEEE,
	}
	re0.MaxMTU = 1500
	re0.Counters = ifcfg.Counters{InPackets: 1, InBytes: 1000}
	re0.Addrs = []ifcfg.Addr{addr("fe80::b00a:1ff:fe0b:e00/64")}
	w.Add(re0)
	w.Add(kerneltest.NIC("re1", ether.Addr{2, 0, 0, 0, 0, 1})).NoCarrier = true
	for _, name := range []string{"virt", "shmif", "carp"} {
		delete(w.Make, name)
	}
	for _, name := range []string{"gre", "tun", "vether", "wg"} {
		w.Make[name] = w.Make["gif"]
	}
	return w
}

// run runs the row's commands and gives what is wrong about the last one.
func (r scoreRow) run(t *testing.T) string {
	w := scoreWorld()
	var last result
	for i, command := range r.commands {
		style, line, ok := strings.Cut(command, ": ")
		if !ok || strings.Contains(style, " ") {
			style, line = "", command
		}
		w.env.style = style
		w.Log = nil
		last = w.run(strings.Fields(line)...)
		if i < len(r.commands)-1 && (last.Status != 0 || last.Stderr != "") {
			return fmt.Sprintf("ifconfig %s: status %d, %s", line, last.Status, last.Stderr)
		}
	}
	format, _ := ifcfg.StyleNamed(w.env.style)
	return r.judge(last, w.Log, format.Usage())
}

// judge compares what a command did with what the row wants. All of stderr and
// the status are compared, of stdout and the changes what the row names.
func (r scoreRow) judge(got result, log []string, usage string) string {
	var wrong []string
	want := result{Stdout: got.Stdout}
	for _, w := range r.wants {
		kind, text, _ := strings.Cut(w, "=")
		switch kind {
		case "out":
			if !slices.Contains(strings.Split(got.Stdout, "\n"), text) {
				wrong = append(wrong, fmt.Sprintf("no line %q in stdout:\n%s", text, got.Stdout))
			}
		case "not":
			if strings.Contains(got.Stdout, text) {
				wrong = append(wrong, fmt.Sprintf("%q in stdout:\n%s", text, got.Stdout))
			}
		case "log":
			if !slices.Contains(log, text) {
				wrong = append(wrong, fmt.Sprintf("no change %q in %q", text, log))
			}
		case "warn":
			want.Stderr += "ifconfig: " + text + "\n"
		case "err":
			want.Stderr, want.Status = want.Stderr+"ifconfig: "+text+"\n", 1
		case "usage":
			want.Stderr, want.Status = want.Stderr+usage, 1
		case "exit":
			want.Status = 1
		default:
			wrong = append(wrong, "unknown: "+w)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		wrong = append(wrong, "(-want +got):\n"+diff)
	}
	return strings.Join(wrong, "\n")
}
