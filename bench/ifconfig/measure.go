package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// command is one command line and what was measured of it.
type command struct {
	name, who string
	in        *space
	argv      []string
	undo      []string // nil: it changes nothing
	once      bool     // it takes too long for every round

	wall, cpu []time.Duration
	memory    int // KB at most
}

// time runs the command once.
func (c *command) time() error {
	if c.once && len(c.wall) > 0 {
		return nil
	}
	var stderr bytes.Buffer
	cmd := exec.Command(c.argv[0], c.argv[1:]...)
	cmd.Stderr = &stderr // stdout is /dev/null
	var err error
	var wall time.Duration
	c.in.do(func() {
		start := time.Now()
		err = cmd.Run()
		wall = time.Since(start)
	})
	if err != nil {
		return fmt.Errorf("%v: %w: %s", c.argv, err, stderr.String())
	}
	c.wall = append(c.wall, wall)
	c.cpu = append(c.cpu, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	return c.takeBack()
}

func (c *command) takeBack() error {
	if c.undo == nil {
		return nil
	}
	var err error
	c.in.do(func() { err = exec.Command(c.undo[0], c.undo[1:]...).Run() })
	if err != nil {
		return fmt.Errorf("%v: %w", c.undo, err)
	}
	return nil
}

// weigh runs the command once more and stops it at its exit to read how much
// memory it had at most. What the kernel says after the end counts in the
// memory of this program too, from which it was started.
func (c *command) weigh() error {
	var err error
	c.in.do(func() { c.memory, err = peak(c.argv) })
	if err != nil {
		return fmt.Errorf("memory of %v: %w", c.argv, err)
	}
	return c.takeBack()
}

// peak must be called on the thread that keeps tracing the process.
func peak(argv []string) (kb int, err error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	pid := cmd.Process.Pid
	var ws unix.WaitStatus
	if _, err := unix.Wait4(pid, &ws, 0, nil); err != nil {
		return 0, err
	}
	if err := unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACEEXIT|unix.PTRACE_O_EXITKILL); err != nil {
		return 0, err
	}
	for signal := 0; ; {
		if err := unix.PtraceCont(pid, signal); err != nil {
			return 0, err
		}
		if _, err := unix.Wait4(pid, &ws, 0, nil); err != nil {
			return 0, err
		}
		switch {
		case ws.Exited() || ws.Signaled():
			return kb, errIf(ws.ExitStatus() != 0 || kb == 0, "it failed")
		case ws.TrapCause() == unix.PTRACE_EVENT_EXIT:
			kb, signal = highWater(pid), 0
		default:
			signal = int(ws.StopSignal())
		}
	}
}

func errIf(failed bool, text string) error {
	if failed {
		return errors.New(text)
	}
	return nil
}

// highWater reads VmHWM, 0 when there is none.
func highWater(pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			n, _ := strconv.Atoi(f[1])
			return n
		}
	}
	return 0
}

func median(all []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(all))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
