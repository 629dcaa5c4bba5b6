package main

import (
	"fmt"
	"os"
	"testing"

	"ifagr/agr"
)

// A predecessor that left the service manager's variables in the environment had the
// sockets: its successor, who is the same process, takes nothing for them.
func TestSuccessorTakesNoSockets(t *testing.T) {
	t.Setenv("LISTEN_PID", fmt.Sprint(os.Getpid()))
	t.Setenv("LISTEN_FDS", "1")
	t.Setenv("LISTEN_FDNAMES", "agrd.socket")
	if got, err := takeSockets(agr.Heritage{listenName: 9}); len(got) > 0 || err != nil {
		t.Errorf("takes %v, %v", got, err)
	}
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if v, ok := os.LookupEnv(name); ok {
			t.Errorf("%s=%s is left", name, v)
		}
	}
}
