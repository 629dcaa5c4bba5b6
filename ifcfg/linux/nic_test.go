package linux

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"ifagr/ifcfg"
	"ifagr/ifcfg/kerneltest"
	"ifagr/netutil/eth"
	"ifagr/netutil/ether"
	"ifagr/netutil/rtnl"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// nic is a driver in memory, with the part of the kernel that stands between
// drivers and ethtool. It writes down what it is asked to change.
type nic struct {
	link     rtnl.Link // what its kind depends on
	settings eth.Settings
	fastest  uint64     // Mb/s, where negotiation ends
	pause    *eth.Pause // nil = has none
	eee      *eth.EEE
	names    []string // of its features
	hw       []string // those that can be switched
	wanted   []string // those that were asked for
	fixed    []string // those that are on for ever
	mtu      int
	refuse   unix.Errno // the answer to every change; 0 = make it
	log      []string
}

var (
	_ linkTool    = (*nic)(nil)
	_ offloadTool = (*nic)(nil)
)

func (n *nic) change(format string, a ...any) error {
	n.log = append(n.log, fmt.Sprintf(format, a...))
	if n.refuse != 0 {
		return n.refuse
	}
	return nil
}

func (n *nic) Settings(string) (eth.Settings, error) { return n.settings, nil }

func (n *nic) SetLink(_ string, l eth.LinkChange) error {
	var advertised []string
	for _, m := range modes() {
		if l.Modes.Has(m.bit) {
			advertised = append(advertised, strings.ReplaceAll(m.medium().String(), " ", "+"))
		}
	}
	err := n.change("link autoneg=%v speed=%d duplex=%s modes=%s clock=%d", l.Autoneg, l.Speed, l.Duplex, strings.Join(advertised, ","), l.Clock)
	if err != nil {
		return err
	}
	s := &n.settings
	s.Autoneg = l.Autoneg
	if !l.Autoneg {
		s.Speed, s.Duplex = l.Speed, l.Duplex
		return nil
	}
	s.Advertised = s.Advertised.AndNot(s.Advertised.Sending()).Or(l.Modes)
	s.Speed, s.Duplex = 0, eth.DuplexUnknown
	for _, m := range modes() {
		if l.Modes.Has(m.bit) && m.speed <= n.fastest {
			s.Speed, s.Duplex = m.speed, m.duplex()
		}
	}
	if l.Clock != eth.ClockUnknown {
		s.Clock, s.ClockForced = l.Clock, l.Clock == eth.ClockOurs
	}
	return nil
}

func (n *nic) Pause(string) (eth.Pause, error) {
	if n.pause == nil {
		return eth.Pause{}, unix.EOPNOTSUPP
	}
	return *n.pause, nil
}

func (n *nic) SetPause(_ string, p eth.Pause) error {
	if err := n.change("pause autoneg=%v rx=%v tx=%v", p.Autoneg, p.Rx, p.Tx); err != nil {
		return err
	}
	if n.pause == nil {
		return unix.EOPNOTSUPP
	}
	*n.pause = p
	const bit = unix.ETHTOOL_LINK_MODE_Pause_BIT
	n.settings.Advertised = n.settings.Advertised.AndNot(eth.ModesOf(bit, unix.ETHTOOL_LINK_MODE_Asym_Pause_BIT))
	if p.Rx && p.Tx {
		n.settings.Advertised = n.settings.Advertised.Or(eth.ModesOf(bit))
	}
	return nil
}

func (n *nic) EEE(string) (eth.EEE, error) {
	if n.eee == nil {
		return eth.EEE{}, unix.EOPNOTSUPP
	}
	return *n.eee, nil
}

func (n *nic) SetEEE(_ string, on bool) error {
	if err := n.change("eee %v", on); err != nil {
		return err
	}
	n.eee.Enabled = on
	return nil
}

// on are the features that the kernel lets be on: segments need checksums and
// scattered frames.
func (n *nic) on() []string {
	on := slices.Concat(n.fixed, n.wanted)
	has := func(name string) bool { return slices.Contains(on, name) }
	return slices.DeleteFunc(slices.Clone(on), func(name string) bool {
		switch name {
		case "tx-tcp-segmentation":
			return !has("tx-scatter-gather") || !has("tx-checksum-ipv4") && !has("tx-checksum-ip-generic")
		case "tx-tcp6-segmentation":
			return !has("tx-scatter-gather") || !has("tx-checksum-ipv6") && !has("tx-checksum-ip-generic")
		}
		return false
	})
}

func (n *nic) Features(string) (eth.Features, error) {
	bits := func(set []string) eth.Modes {
		var m eth.Modes
		for i, name := range n.names {
			if slices.Contains(set, name) {
				m = m.Or(eth.ModesOf(i))
			}
		}
		return m
	}
	return eth.NewFeatures(n.names, bits(n.hw), bits(n.on()), bits(n.fixed)), nil
}

func (n *nic) AllFeatures() (map[int]eth.Features, error) { return nil, unix.EOPNOTSUPP }

func (n *nic) SetFeatures(_ string, c eth.FeatureChange) error {
	if err := n.change("features +%s -%s", strings.Join(c.On, "+"), strings.Join(c.Off, "-")); err != nil {
		return err
	}
	n.wanted = slices.DeleteFunc(slices.Clone(n.wanted), func(name string) bool { return slices.Contains(c.Off, name) })
	for _, name := range c.On {
		if slices.Contains(n.hw, name) && !slices.Contains(c.Off, name) && !slices.Contains(n.wanted, name) {
			n.wanted = append(n.wanted, name)
		}
	}
	return nil
}

// machine is a kernel whose one NIC, eth0, is driven by a nic.
type machine struct {
	*kerneltest.Kernel
	nic *nic
}

func newMachine(n *nic) *machine {
	k := &kerneltest.Kernel{}
	i := kerneltest.NIC("eth0", ether.Addr{8, 0, 0x27, 0x12, 0x34, 0x56})
	i.MaxMTU = n.mtu
	i.Flags |= ifcfg.FlagUp | ifcfg.FlagRunning
	k.Add(i).HasMedia = hardware(&n.link)
	return &machine{Kernel: k, nic: n}
}

func (m *machine) Media(int) (*ifcfg.Media, error) {
	return media(m.nic, "eth0", m.Named("eth0").LinkUp)
}

func (m *machine) SetMedia(_ int, r ifcfg.MediaRequest) error { return setMedia(m.nic, "eth0", r) }

func (m *machine) Caps(int) (map[int]ifcfg.Caps, error) {
	f, err := m.nic.Features("eth0")
	if err != nil {
		return nil, err
	}
	c, err := withEEE(m.nic, &m.nic.link, featureCaps(&f))
	return map[int]ifcfg.Caps{1: c}, err
}

func (m *machine) SetCaps(_ int, on, off ifcfg.Cap) error { return setCaps(m.nic, "eth0", on, off) }

func (m *machine) SetEtherCaps(_ int, on, off ifcfg.EtherCap) error {
	return setEtherCaps(m.nic, "eth0", on, off)
}

// run runs a line in a style and gives what it says, as a golden file has it:
// what the driver was asked to change, standard output, and errors.
func (m *machine) run(style string, args []string) string {
	var out bytes.Buffer
	warn := func(err error) { fmt.Fprintf(&out, "! %v\n", err) }
	s := ifcfg.Session{Kernel: m, Aggr: &kerneltest.Aggr{Kernel: m.Kernel}, Out: &out, Warn: warn}
	s.Style, _ = ifcfg.StyleNamed(style)
	if args[0] == "-m" {
		s.Options.SupportedMedia, args = true, args[1:]
	}
	cmd, err := ifcfg.Parse(ifcfg.FormCommand, args, nil)
	var usage *ifcfg.UsageError
	switch {
	case errors.As(err, &usage):
		return "! usage\n"
	case err == nil && len(cmd.Ops) == 0:
		err = s.Status(cmd.Iface, cmd.Family, ifcfg.Filter{})
	case err == nil:
		err = s.Configure(cmd)
	}
	if err != nil {
		warn(err)
	}
	var asked strings.Builder
	for _, l := range m.nic.log {
		fmt.Fprintf(&asked, "> %s\n", l)
	}
	m.nic.log = nil
	return asked.String() + out.String()
}

// TestNIC replays testdata/nic: a file for each driver, with lines
//
//	$ ifconfig eth0 media 100baseTX
//	> what the driver was asked to do
//	! what went wrong
//
// where "$ netbsd10 ifconfig" chooses that style, and "# cable out" and "# cable
// in" do what they say.
func TestNIC(t *testing.T) {
	for name, n := range nics() {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", "nic", name+".txt")
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(newMachine(n), string(want))
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

func replay(m *machine, file string) string {
	var out strings.Builder
	for sc := bufio.NewScanner(strings.NewReader(file)); sc.Scan(); {
		line := sc.Text()
		switch {
		case line == "", strings.HasPrefix(line, "#"):
			if cable, ok := strings.CutPrefix(line, "# cable "); ok {
				m.Named("eth0").LinkUp = cable == "in"
			}
			fmt.Fprintln(&out, line)
		case strings.HasPrefix(line, "$ "):
			fmt.Fprintln(&out, line)
			style, args, _ := strings.Cut(line[2:], "ifconfig ")
			out.WriteString(m.run(strings.TrimSpace(style), strings.Fields(args)))
		}
	}
	return out.String()
}
