package main

import (
	"bytes"
	"testing"

	"ifagr/agr"
)

// The option wins over the environment, and a value that is neither is refused.
func TestDatapathWish(t *testing.T) {
	tests := []struct {
		name     string
		args     []string
		env      string
		want     agr.Datapath
		wantFail string
	}{
		{"nothing said", nil, "", agr.Auto, ""},
		{"option", []string{"-datapath", "user"}, "", agr.User, ""},
		{"environment", nil, "kernel", agr.Kernel, ""},
		{"option and environment", []string{"-datapath=auto"}, "user", agr.Auto, ""},
		{"wrong option", []string{"-datapath", "fast"}, "user", "", `-datapath: "fast" is not auto, kernel or user`},
		{"wrong environment", nil, "fast", "", `AGRD_DATAPATH: "fast" is not auto, kernel or user`},
		{"wrong environment that does not count", []string{"-datapath", "user"}, "fast", agr.User, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(datapathEnv, tt.env)
			c, err := parseServe(tt.args, &bytes.Buffer{})
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.wantFail || c.datapath != tt.want {
				t.Errorf("%q, error %q; want %q, error %q", c.datapath, got, tt.want, tt.wantFail)
			}
		})
	}
}

// A group is found by name or number; the one of the unknown is refused.
func TestGroupID(t *testing.T) {
	tests := []struct {
		name  string
		want  int
		fails bool
	}{
		{"", -1, false},
		{"root", 0, false},
		{"17", 17, false},
		{"-1", -1, true},
		{"no such group", -1, true},
		{"65534", -1, true},
		{"nogroup", -1, true},
	}
	for _, tt := range tests {
		if got, err := groupID(tt.name); got != tt.want || (err != nil) != tt.fails {
			t.Errorf("%q: %d, %v; want %d, failure %v", tt.name, got, err, tt.want, tt.fails)
		}
	}
}
