package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/ifcfg"
	"ifagr/ifcfg/kerneltest"
	"ifagr/ifcfg/linux"
	"ifagr/netutil/ether"
	"ifagr/netutil/nettest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The files of testdata/behaviour are lines and what they answer:
//
//	$ ifconfig re0 mtu 70000
//	! ifconfig: SIOCSIFMTU: Invalid argument
//	= 0
//
// where ! marks stderr and = the exit status, if it is not 0. They are run on
// the kernel in memory and on the real one, and both have to answer the same.
// re0 is one end of a veth pair whose other end is up, with the address
// 02:00:00:00:00:01 and without automatic inet6 addresses.
func TestBehaviourInMemory(t *testing.T) {
	behaviour(t, func(t *testing.T) func(args ...string) result { return linuxLike().run })
}

func TestBehaviourOnLinux(t *testing.T) {
	behaviour(t, func(t *testing.T) func(args ...string) result { return realWorld(t) })
}

func behaviour(t *testing.T, start func(*testing.T) func(args ...string) result) {
	files, err := filepath.Glob(filepath.Join("testdata", "behaviour", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no behaviour files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := rerun(string(want), start(t))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// rerun runs the lines of a file, and gives the file with what they answer now.
func rerun(file string, run func(args ...string) result) string {
	var out bytes.Buffer
	for sc := bufio.NewScanner(strings.NewReader(file)); sc.Scan(); {
		line := sc.Text()
		if strings.HasPrefix(line, "#") || line == "" {
			fmt.Fprintln(&out, line)
			continue
		}
		args, ok := strings.CutPrefix(line, "$ ifconfig")
		if !ok {
			continue
		}
		fmt.Fprintln(&out, line)
		r := run(strings.Fields(args)...)
		out.WriteString(sameEverywhere(r.Stdout))
		stderr := strings.ReplaceAll(r.Stderr, ifcfg.Usage(), "USAGE\n")
		for l := range strings.Lines(stderr) {
			out.WriteString("! " + l)
		}
		if r.Status != 0 {
			fmt.Fprintf(&out, "= %d\n", r.Status)
		}
	}
	return out.String()
}

// sameEverywhere takes out what no two machines have in common: the number of
// an interface, and how many seconds of a lifetime are left.
func sameEverywhere(s string) string {
	s = regexp.MustCompile(`scopeid 0x[0-9a-f]+`).ReplaceAllString(s, "scopeid 0xN")
	return regexp.MustCompile(`(pltime|vltime) [0-9]+`).ReplaceAllString(s, "$1 N")
}

// linuxLike is a world in memory like a namespace of Linux.
func linuxLike() *world {
	w := newWorld()
	w.Kernel = &kerneltest.Kernel{Make: map[string]func(string) kerneltest.Iface{
		"tap": func(string) kerneltest.Iface {
			i := kerneltest.NIC("", ether.Addr{2, 0, 0, 0, 0, 9})
			i.NoCarrier = true
			i.Caps = kerneltest.TapCaps()
			i.Stuck = i.Caps.Able
			return i
		},
		"vlan": func(string) kerneltest.Iface { return plain(ifcfg.ClassVLAN, kerneltest.EtherFlags, 0) },
		"gif": func(string) kerneltest.Iface {
			return plain(ifcfg.ClassOther, ifcfg.FlagPointToPt|ifcfg.FlagMulticast, 1280)
		},
		"bridge": nil, "gre": nil, "lo": nil, "tun": nil, "vether": nil, "wg": nil,
	}}
	w.aggr.Kernel = w.Kernel
	lo := kerneltest.Loopback("lo")
	lo.AltNames = []string{"lo0"}
	lo.Flags = ifcfg.FlagUp | ifcfg.FlagLoopback | ifcfg.FlagRunning
	lo.MTU = 65536
	lo.Addrs = []ifcfg.Addr{addr("127.0.0.1/8"), addr("::1/128")}
	w.Add(lo)
	re0 := kerneltest.NIC("re0", ether.Addr{2, 0, 0, 0, 0, 1})
	re0.Caps = kerneltest.VethCaps()
	w.Add(re0)
	w.env.kernel = func() (ifcfg.Kernel, error) { return w.Kernel, nil }
	return w
}

// realWorld is a namespace.
func realWorld(t *testing.T) func(args ...string) result {
	ns, far := nettest.New(t), nettest.New(t)
	ns.Sysctl("net/ipv6/conf/all/accept_dad", "0")
	ns.Sysctl("net/ipv6/conf/default/accept_dad", "0")
	nettest.Veth(ns, "re0", far, "far0", nettest.Down)
	ns.Run("ip", "link", "set", "re0", "address", "02:00:00:00:00:01", "addrgenmode", "none")
	far.Run("ip", "link", "set", "far0", "up")
	dir := t.TempDir()
	e := env{
		kernel: func() (ifcfg.Kernel, error) { return linux.OpenWith(dir) },
		aggr:   func() ifcfg.Aggr { return &kerneltest.Aggr{Kernel: &kerneltest.Kernel{}} },
		names:  hosts{},
	}
	return func(args ...string) result {
		var out, errs bytes.Buffer
		var status int
		ns.Do(func() {
			status = run(args, e, &out, &errs)
			// Even without a check for duplicates the kernel takes its time.
			run([]string{"-w", "1"}, e, io.Discard, io.Discard)
		})
		end := time.Now()
		nettest.Eventually(t, time.Second, func() error { return nextStamp(end) })
		return result{out.String(), errs.String(), status}
	}
}

// nextStamp is nil when an address that is added now gets another stamp of
// creation than one that was added before end: they count hundredths of a second,
// and tell in which order addresses were added.
func nextStamp(end time.Time) error {
	if time.Since(end) < 20*time.Millisecond {
		return errors.New("the stamp is still the same")
	}
	return nil
}
