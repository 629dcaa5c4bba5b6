package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout))
}

// run is main without the process around it: it returns the exit status.
func run(args []string, w io.Writer) int {
	start := time.Now()
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(w, "testsum:", err)
		return 1
	}
	s := newSummary(w)
	if err := read(stdout, s); err != nil {
		fmt.Fprintln(w, "testsum:", err)
		_ = cmd.Process.Kill() // it may be blocked on the pipe; Wait reports it
	}
	err = cmd.Wait()
	s.close(time.Since(start))
	if err != nil || !s.ok() {
		return 1
	}
	return 0
}

// read gives each line of r to s. A line that is no event (go test prints some
// before the first package) is shown as it is.
func read(r io.Reader, s *summary) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil {
				s.add(e)
			} else {
				fmt.Fprintf(s.w, "%s", line)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read go test: %w", err)
		}
	}
}
