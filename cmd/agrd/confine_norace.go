//go:build !race

package main

// raceReports are the directories in which the race detector reports.
func raceReports() []string { return nil }
