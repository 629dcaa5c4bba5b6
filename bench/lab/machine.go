package lab

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPU is how much processor time a process has used so far, on all its threads,
// in user and kernel mode: to the nanosecond, unlike what /proc says. The kernel
// charges a process with the soft interrupts that it is interrupted by too, which
// on a veth is the whole way of the frames that it sends.
func CPU(pid int) (time.Duration, error) {
	const schedClock = 2 // CPUCLOCK_SCHED of linux/posix-timers.h
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &t); err != nil {
		return 0, fmt.Errorf("processor time of %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// ticksPerSecond is USER_HZ, the unit of /proc/stat; it is 100 on every machine
// that Go runs on.
const ticksPerSecond = 100

// Machine is the processors' time so far, over all of them.
type Machine struct {
	At     time.Time
	Took   time.Duration // of an interval
	Busy   time.Duration // not idle, and not stolen
	Stolen time.Duration // the hypervisor gave it to another machine
	// SoftIRQ is what the kernel's ksoftirqd threads have used: work of the
	// network that is charged to nobody.
	SoftIRQ time.Duration
}

// ReadMachine reads /proc/stat and the clocks of the ksoftirqd threads.
func ReadMachine() (Machine, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Machine{}, err
	}
	m, err := parseStat(b)
	if err != nil {
		return Machine{}, err
	}
	m.At = time.Now()
	for _, pid := range softIRQThreads() {
		used, err := CPU(pid)
		if err != nil {
			return Machine{}, err
		}
		m.SoftIRQ += used
	}
	return m, nil
}

// parseStat reads the first line of proc_stat(5): cpu, then the ticks of user,
// nice, system, idle, iowait, irq, softirq and steal.
func parseStat(b []byte) (Machine, error) {
	line, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return Machine{}, fmt.Errorf("/proc/stat: %q", line)
	}
	var ticks [8]uint64
	for i := range ticks {
		n, err := strconv.ParseUint(f[i+1], 10, 64)
		if err != nil {
			return Machine{}, fmt.Errorf("/proc/stat: %w", err)
		}
		ticks[i] = n
	}
	unit := time.Second / ticksPerSecond
	return Machine{
		Busy:   time.Duration(ticks[0]+ticks[1]+ticks[2]+ticks[5]+ticks[6]) * unit,
		Stolen: time.Duration(ticks[7]) * unit,
	}, nil
}

// softIRQThreads are the process ids of the ksoftirqd threads, which are children
// of kthreadd, process 2.
func softIRQThreads() []int {
	files, _ := filepath.Glob("/proc/[0-9]*/comm")
	var pids []int
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil || !bytes.HasPrefix(b, []byte("ksoftirqd/")) {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(f, "/")[2]); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Since is what was used since an earlier reading.
func (m Machine) Since(before Machine) Machine {
	return Machine{
		At: m.At, Took: m.At.Sub(before.At), Busy: m.Busy - before.Busy,
		Stolen: m.Stolen - before.Stolen, SoftIRQ: m.SoftIRQ - before.SoftIRQ,
	}
}

// Others is the share of the machine that others took in an interval that Since
// gave, when so much of it was ours; what the hypervisor took is in it.
func (m Machine) Others(ours time.Duration) float64 {
	all := m.Took.Seconds() * float64(runtime.NumCPU())
	return max(0, (m.Busy+m.Stolen-ours).Seconds()/all)
}

// Describe is the machine in a line: processors, their model, the kernel.
func Describe() string {
	var u unix.Utsname
	_ = unix.Uname(&u)
	model, n := "unknown processor", 0
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for in := bufio.NewScanner(f); in.Scan(); {
			if key, value, ok := strings.Cut(in.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
				model = strings.TrimSpace(value)
				n++
			}
		}
	}
	return fmt.Sprintf("%d x %s, Linux %s", n, model, unix.ByteSliceToString(u.Release[:]))
}
