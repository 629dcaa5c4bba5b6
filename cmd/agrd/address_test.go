package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	tests := []struct {
		in   string
		want address
		fail string // is in the error
		far  bool   // not on loopback
	}{
		{"unix:/run/agrd/metrics.sock", address{"unix", "/run/agrd/metrics.sock"}, "", false},
		{"127.0.0.1:9911", address{"tcp", "127.0.0.1:9911"}, "", false},
		{"127.8.8.8:9911", address{"tcp", "127.8.8.8:9911"}, "", false},
		{"[::1]:0", address{"tcp", "[::1]:0"}, "", false},
		{"localhost:80", address{"tcp", "localhost:80"}, "", false},
		{"[fe80::1%eth1]:9911", address{"tcp", "[fe80::1%eth1]:9911"}, "", true},
		{"192.0.2.1:9911", address{"tcp", "192.0.2.1:9911"}, "", true},
		{"localhost.example:80", address{"tcp", "localhost.example:80"}, "", true},
		{":9911", address{"tcp", ":9911"}, "", true},
		{"unix:metrics.sock", address{}, "absolute path", false},
		{"unix:", address{}, "absolute path", false},
		{"9911", address{}, "a colon between", false},
		{"", address{}, "a colon between", false},
		{"localhost:http", address{}, "not a number", false},
		{"localhost:65536", address{}, "not a number", false},
	}
	for _, tt := range tests {
		got, err := parseAddress(tt.in)
		switch {
		case tt.fail != "":
			if err == nil || !strings.Contains(err.Error(), tt.fail) {
				t.Errorf("%q: error %v, want %q in it", tt.in, err, tt.fail)
			}
		case err != nil || got != tt.want:
			t.Errorf("%q: %v, %v; want %v", tt.in, got, err, tt.want)
		case got.String() != tt.in:
			t.Errorf("%q is written %q", tt.in, got)
		case (got.loopback() != nil) != tt.far:
			t.Errorf("%q: loopback says %v", tt.in, got.loopback())
		}
	}
}

// What others could reach is refused before anything listens.
func TestWebRefused(t *testing.T) {
	for _, where := range []string{"0.0.0.0:8802", ":8802", "192.0.2.1:8802", "[::]:8802"} {
		var out, errs bytes.Buffer
		code := run(context.Background(), []string{"web", "-l", where}, &out, &errs)
		if code != 1 || !strings.Contains(errs.String(), "is no loopback address") || out.Len() > 0 {
			t.Errorf("-l %s: exit %d, %s%s", where, code, &out, &errs)
		}
	}
}

func TestMetricsOption(t *testing.T) {
	c, err := parseServe([]string{"-metrics", "unix:/run/m.sock"}, &bytes.Buffer{})
	if err != nil || c.metrics == nil || *c.metrics != (address{"unix", "/run/m.sock"}) {
		t.Errorf("%v, %v", c.metrics, err)
	}
	if c, err := parseServe(nil, &bytes.Buffer{}); err != nil || c.metrics != nil {
		t.Errorf("metrics are off at first: %v, %v", c.metrics, err)
	}
	var errs bytes.Buffer
	if _, err := parseServe([]string{"-metrics", "9911"}, &errs); err == nil || !strings.Contains(errs.String(), "a colon between") {
		t.Errorf("%v, %s", err, &errs)
	}
}
