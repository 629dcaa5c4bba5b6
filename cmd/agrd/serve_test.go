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
