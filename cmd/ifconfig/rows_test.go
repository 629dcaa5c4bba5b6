package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"

	"ifagr/ifcfg"
	"ifagr/netutil/nettest"
)

// The black-box rows: one archive of testdata/rows for each table, one script
// in it for each row, named by the row's id. A script runs on a fresh machine
// that has nothing but lo. Commands besides testscript's own:
//
//	ifconfig ARG...          our ifconfig, in the namespace
//	usage ARG...             ifconfig answers with the usage text of its style
//	                         and nothing else, exit status 1
//	says LINE...             what ifconfig wrote on stderr is these lines
//	until PATTERN ARG...     asks ifconfig until its stdout matches; "! until"
//	                         until it does not
//	nobody ARG...            ifconfig as an ordinary user
//	mk NAME...               veth pairs NAME, NAMEp; both ends up, the far one
//	                         on another machine
//	run, far PROGRAM ARG...  another program here, or on the other machine
//	capabilities NAME        switches on and off what the interface can do
//	random NAME N            N random lines about an interface
//
// The condition kind:K says that the kernel has links of that kind.
func TestRows(t *testing.T) {
	nettest.Require(t, nettest.Root, nettest.IPRoute, nettest.TUN, nettest.Ping)
	programs(t)
	files, err := filepath.Glob("testdata/rows/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no rows: %v", err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range a.Files {
			t.Run(row.Name, func(t *testing.T) {
				t.Parallel()
				runRow(t, row)
			})
		}
	}
}

// rowTimeout is how long until waits.
const rowTimeout = 10 * time.Second

// row is one row under test.
type row struct {
	*machine
	far   *machine
	links int
}

func runRow(t *testing.T, script txtar.File) {
	r := &row{machine: newMachine(t), far: newMachine(t)}
	r.hosts()
	file := filepath.Join(t.TempDir(), script.Name+".txtar")
	if err := os.WriteFile(file, script.Data, 0o644); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Files: []string{file},
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", r.bin+":"+os.Getenv("PATH"))
			e.Setenv("IFCONFIG_HINTS", "0")
			return nil
		},
		Condition: func(cond string) (bool, error) {
			kind, ok := strings.CutPrefix(cond, "kind:")
			if !ok {
				return false, fmt.Errorf("unknown condition %s", cond)
			}
			return r.hasKind(kind), nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ifconfig":     r.in(r.machine, "ifconfig"),
			"nobody":       r.in(r.machine, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "ifconfig"),
			"run":          r.in(r.machine),
			"far":          r.in(r.far),
			"usage":        r.usage,
			"says":         says,
			"until":        r.until,
			"mk":           r.mk,
			"capabilities": r.capabilities,
			"random":       r.random,
		},
	})
}

// exec runs a program on a machine; its outputs are the script's stdout and
// stderr.
func (r *row) exec(ts *testscript.TestScript, m *machine, argv ...string) error {
	return ts.Exec("ip", append([]string{"netns", "exec", m.Name}, argv...)...)
}

// in is a command that runs a program on a machine. It has to succeed, or with
// "!" to fail with exit status 1.
func (r *row) in(m *machine, prefix ...string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		argv := append(prefix[:len(prefix):len(prefix)], args...)
		start := time.Now()
		err := r.exec(ts, m, argv...)
		nettest.Eventually(r.t, time.Second, func() error { return nextStamp(start) })
		if neg && (err == nil || err.Error() != "exit status 1") || !neg && err != nil {
			ts.Fatalf("%q: %v", argv, err)
		}
	}
}

// usage is the command of that name.
func (r *row) usage(ts *testscript.TestScript, _ bool, args []string) {
	r.in(r.machine, "ifconfig")(ts, true, args)
	style, _ := ifcfg.StyleNamed(ts.Getenv("IFCONFIG_STYLE"))
	if got := ts.ReadFile("stderr"); got != style.Usage() {
		ts.Fatalf("%q: this is not the usage text:\n%s", args, got)
	}
	if got := ts.ReadFile("stdout"); got != "" {
		ts.Fatalf("%q: stdout: %s", args, got)
	}
}

// says is the command of that name.
func says(ts *testscript.TestScript, _ bool, lines []string) {
	want := ""
	if len(lines) > 0 {
		want = strings.Join(lines, "\n") + "\n"
	}
	if got := ts.ReadFile("stderr"); got != want {
		ts.Fatalf("stderr is\n%swant\n%s", got, want)
	}
}

// until is the command of that name.
func (r *row) until(ts *testscript.TestScript, neg bool, args []string) {
	pattern := regexp.MustCompile("(?m)" + args[0])
	nettest.Eventually(r.t, rowTimeout, func() error {
		if err := r.exec(ts, r.machine, append([]string{"ifconfig"}, args[1:]...)...); err != nil {
			return err
		}
		if out := ts.ReadFile("stdout"); pattern.MatchString(out) == neg {
			return fmt.Errorf("%q: %s", args, out)
		}
		return nil
	})
}

// mk is the command of that name. The near ends have the addresses
// b2:a0:75:00:01:01 and so on.
func (r *row) mk(_ *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		r.links++
		r.must("ip", "link", "add", name, "address", fmt.Sprintf("b2:a0:75:00:01:%02x", r.links), "type", "veth",
			"peer", "name", name+"p", "index", fmt.Sprint(1000+r.links), "netns", r.far.Name)
		r.far.must("ip", "link", "set", name+"p", "up")
		r.must("ip", "link", "set", name, "up")
		nettest.Eventually(r.t, rowTimeout, func() error {
			if r.ifconfig("-s", name).Status != 0 {
				return errors.New(name + " has no carrier")
			}
			return nil
		})
	}
}

// capabilities is the command of that name.
func (r *row) capabilities(ts *testscript.TestScript, _ bool, args []string) {
	names := r.bits(args[0], "capabilities")
	if len(names) == 0 {
		ts.Fatalf("%s can do nothing", args[0])
	}
	for name := range names {
		word := strings.ToLower(strings.ReplaceAll(name, "_", "-"))
		if word == "lro" {
			continue // there is no word for it
		}
		for _, w := range []string{word, "-" + word} {
			if got := r.ifconfig(args[0], w); got != (result{}) {
				ts.Fatalf("%s %s: %+v", args[0], w, got)
			}
			if on := r.bits(args[0], "enabled")[name]; on != (w == word) {
				ts.Fatalf("after %s: %s enabled is %v", w, name, on)
			}
		}
	}
}

// bits reads the names of a status line that begins with a word and may be
// split over several.
func (r *row) bits(iface, word string) map[string]bool {
	names := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\t`+word+`=[0-9a-fx]+<(.*)>$`).FindAllStringSubmatch(r.ifconfig(iface).Stdout, -1) {
		for name := range strings.SplitSeq(m[1], ",") {
			names[name] = true
		}
	}
	return names
}
