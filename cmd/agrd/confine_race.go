//go:build race

package main

import (
	"os"
	"path/filepath"
	"strings"
)

// raceReports are the directories in which the race detector reports: a test
// that finds a race must be able to say so.
func raceReports() []string {
	for word := range strings.FieldsSeq(os.Getenv("GORACE")) {
		if path, ok := strings.CutPrefix(word, "log_path="); ok {
			return []string{filepath.Dir(path)}
		}
	}
	return nil
}
