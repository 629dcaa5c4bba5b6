package ifcfg_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/ifcfg"
)

// The text is NetBSD 7's, whose length and digest were recorded with it.
func TestUsage(t *testing.T) {
	text := ifcfg.Usage()
	sum := sha256.Sum256([]byte(text))
	if len(text) != 1081 || !strings.HasPrefix(hex.EncodeToString(sum[:]), "67970f8ea7c5ad27") {
		t.Errorf("%d bytes with digest %x, want 1081 with 67970f8ea7c5ad27...:\n%s", len(text), sum, text)
	}
}

// That of style netbsd10 is NetBSD 10's with all its modules.
func TestUsage10(t *testing.T) {
	want, err := os.ReadFile(filepath.Join("testdata", "usage10.txt"))
	if err != nil {
		t.Fatal(err)
	}
	style, _ := ifcfg.StyleNamed("netbsd10")
	if diff := cmp.Diff(string(want), style.Usage()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
