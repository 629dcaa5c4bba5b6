package ifcfg_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

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
