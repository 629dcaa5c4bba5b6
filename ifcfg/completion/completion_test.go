package completion_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/ifcfg"
	"ifagr/ifcfg/completion"
)

var update = flag.Bool("update", false, "rewrite the files of the directory completion")

// The files that are installed are what the grammar says.
func TestFiles(t *testing.T) {
	for file, want := range map[string]string{"ifconfig.bash": completion.Bash(), "_ifconfig": completion.Zsh()} {
		path := filepath.Join("..", "..", "completion", file)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is not what the grammar says; go test -update writes it (-grammar +file):\n%s", file, diff)
		}
	}
}

// lines are lines whose last word is to be completed.
func lines() map[string][]string {
	return map[string][]string{
		"ifconfig re":                                 {"re0", "re1"},
		"ifconfig -v re":                              {"re0", "re1"},
		"ifconfig -a inet":                            {"inet", "inet6"},
		"ifconfig -l re":                              nil,
		"ifconfig -w 5 re":                            nil,
		"ifconfig re0 cre":                            {"create"},
		"ifconfig re0 des":                            {"descr", "description", "destroy"},
		"ifconfig re0 up cre":                         nil,
		"ifconfig re0 inet6 10 plt":                   {"pltime"},
		"ifconfig agr0 create up agrport re":          {"re0", "re1"},
		"ifconfig agr0 agrport re0 -agrp":             {"-agrport"},
		"ifconfig agr0 lacpmode ":                     {"active", "passive"},
		"ifconfig agr0 lacpportpri re0 5 lacpm":       {"lacpmode"},
		"ifconfig agr0 agrmac f":                      {"first", "fixed", "follow"},
		"ifconfig agr0 agrmac fixed 2:0:0:0:0:1 maxp": {"maxports"},
		"ifconfig lagg0 lagglacp optimistic maxp":     {"maxports"},
		"ifconfig agr0 lacpportpri re":                {"re0", "re1"},
		"ifconfig re0 state ":                         {"BACKUP", "INIT", "MASTER"},
		"ifconfig re0 mtu ":                           nil,
		"ifconfig re0 mtu 1500 medi":                  {"media", "mediaopt"},
		"ifconfig re0 tunnel 1 2 deletet":             {"deletetunnel"},
		"ifconfig lagg0 laggport re0 pr":              {"preference", "prefixlen", "pri", "promisc"},
		"ifconfig lagg0 lagglacp maxports 2 u":        {"udp4csum", "udp4csum-rx", "udp4csum-tx", "udp6csum", "udp6csum-rx", "udp6csum-tx", "unnumbered", "up"},
		"ifconfig re0 destroy u":                      nil,
		"ifconfig -z":                                 {"-z"},
	}
}

// Both shells complete lines with it.
func TestBash(t *testing.T) {
	complete(t, "bash", completion.Bash()+`
ifconfig() { echo re0 re1; }
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_ifagr_ifconfig
printf '%s\n' "${COMPREPLY[@]}"`)
}

// zsh itself drops the words that do not begin with what was typed.
func TestZsh(t *testing.T) {
	complete(t, "zsh", `
ifconfig() { echo re0 re1; }
words=("$@") CURRENT=$# PREFIX=$@[-1]
compadd() { shift; for w in "$@"; do [[ $w != $PREFIX* ]] || echo "$w"; done; }
set --
`+completion.Zsh())
}

func complete(t *testing.T, shell, script string) {
	if _, err := exec.LookPath(shell); err != nil {
		t.Fatalf("%v; .ci/packages test installs it", err)
	}
	for line, want := range lines() {
		t.Run(line, func(t *testing.T) {
			words := strings.Split(line, " ")
			out, err := exec.Command(shell, append([]string{"-c", script, shell}, words...)...).Output()
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Fields(string(out))
			slices.Sort(got)
			if diff := cmp.Diff(strings.Join(want, " "), strings.Join(got, " ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// All places can be reached, lead somewhere, and know the words that everybody
// uses.
func TestPlaces(t *testing.T) {
	places := ifcfg.Places()
	reached := map[int]bool{0: true}
	for _, p := range places {
		for _, to := range p.Words {
			reached[to] = true
		}
		if p.Leads {
			reached[p.To] = true
		}
	}
	for i, p := range places {
		if !reached[i] {
			t.Errorf("place %d cannot be reached", i)
		}
		if len(p.Words) == 0 && !p.Leads {
			t.Errorf("place %d leads nowhere", i)
		}
	}
	behind := places[places[0].To]
	for _, text := range []string{"up", "create", "destroy", "inet6", "agrport", "vlan", "media", "description"} {
		if _, ok := behind.Words[text]; !ok {
			t.Errorf("%s may not follow an interface", text)
		}
	}
}
