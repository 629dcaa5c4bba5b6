package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ifagr/ifcfg"
)

// The manual has every option and every word that the parser knows. It says
// once for all that the words for capabilities have forms with a dash before
// them, and -tx and -rx behind them.
func TestManual(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "man", "ifconfig.8"))
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{}
	for _, m := range regexp.MustCompile(`\b(?:Cm|Li|Fl) ([^"\n]*)`).FindAllStringSubmatch(string(b), -1) {
		for _, word := range strings.Fields(m[1]) {
			has[word] = true
		}
	}
	known := func(word string) bool {
		base := strings.TrimPrefix(word, "-")
		return has[word] || has[base] || has[strings.TrimSuffix(strings.TrimSuffix(base, "-tx"), "-rx")]
	}
	for _, p := range ifcfg.Places() {
		for word := range p.Words {
			if !known(word) {
				t.Errorf("ifconfig(8) has no %s", word)
			}
		}
	}
	for _, letter := range letters {
		if !strings.Contains(string(b), "\n.It Fl "+string(letter)) {
			t.Errorf("ifconfig(8) has no option -%c", letter)
		}
	}
}
