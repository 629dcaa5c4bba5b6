package main

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
)

// The bill of this very program names the library that it is written with, and
// is the same the second time.
func TestRun(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	for _, w := range []*bytes.Buffer{&first, &second} {
		if err := run([]string{self, self}, w); err != nil {
			t.Fatal(err)
		}
	}
	if first.String() != second.String() {
		t.Error("two bills of the same program differ")
	}
	var doc struct {
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(first.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, c := range doc.Components {
		if c.Version != "" {
			found[c.Name]++
		}
	}
	for _, name := range []string{"std", "github.com/CycloneDX/cyclonedx-go"} {
		if found[name] != 1 {
			t.Errorf("%s is listed %d times, want once", name, found[name])
		}
	}
}

func TestNoProgram(t *testing.T) {
	if err := run([]string{"main.go"}, &bytes.Buffer{}); err == nil {
		t.Error("a text is taken for a program")
	}
}
