package ifcfg_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ifagr/agr/ctl"
	"ifagr/ifcfg"
	"ifagr/ifcfg/kerneltest"
	"ifagr/netutil/ether"
)

// agrState is what agrd says about an agr with one port that distributes and
// one that does not.
func agrState() *ctl.Status {
	actor := ctl.LACPEnd{
		SystemPriority: 0x8000, System: ether.Addr{2, 0, 0, 0, 0, 1}, Key: 16, PortPriority: 0x8000, Port: 1, State: 0x3d,
	}
	partner := ctl.LACPEnd{
		SystemPriority: 0xffff, System: ether.Addr{2, 0xaa, 0, 0, 0, 1}, Key: 5, PortPriority: 0x7fff, Port: 0x102, State: 0x3f,
	}
	lonely := actor
	lonely.Port, lonely.PortPriority, lonely.State = 2, 9, 0x45
	at := time.Date(2026, 11, 22, 10, 20, 30, 0, time.UTC)
	return &ctl.Status{
		Options: ctl.Options{
			Mode: "passive", Timeout: "fast", SystemPriority: 100, Key: 7, Fallback: "single", FallbackAfter: 30,
			MinLinks: 3, MinLinksDown: 2, MaxPorts: 4, Hash: "l4", MACPolicy: "fixed", FixedMAC: ether.Addr{2, 0xcc, 0, 0, 0, 1},
			Coupled: true, RestoreMin: 5, RestoreMax: 60,
		},
		Version: ctl.StatusVersion, Name: "agr0", Datapath: "user", DatapathWhy: "asked for", Shield: "tcx", Active: 1, Speed: 1000,
		Drops: 1, Held: 2,
		Aggregators: []ctl.Aggregator{
			{
				ID: 1, Active: true, Speed: 1000,
				Actor:   ctl.LAGEnd{SystemPriority: 0x8000, System: actor.System, Key: 16},
				Partner: ctl.LAGEnd{SystemPriority: 0xffff, System: partner.System, Key: 5},
			},
			{ID: 2, Actor: ctl.LAGEnd{SystemPriority: 0x8000, System: actor.System, Key: 16}},
		},
		Ports: []ctl.PortStatus{
			{
				Name: "re0", Flags: 3, Receive: "CURRENT", Periodic: "SLOW_PERIODIC", Mux: "DISTRIBUTING", Selected: "SELECTED",
				Aggregator: 1, Actor: actor, Partner: partner,
				ActorChurn: "NO_CHURN", PartnerChurn: "NO_CHURN", Keepalive: true,
				Counters: ctl.Counters{
					RxFrames: 1, RxBytes: 60, RxDropped: 2, TxFrames: 3, TxBytes: 4096, TxErrors: 1, LACPTx: 5, LACPAnswered: 1, LACPRx: 4, MarkerTx: 2, MarkerRx: 1,
				},
			},
			{
				Name: "re1", Receive: "DEFAULTED", Periodic: "NO_PERIODIC", Mux: "WAITING", Selected: "STANDBY", Aggregator: 2,
				Actor: lonely, Reason: "another aggregator is active",
				ActorChurn: "MONITOR", PartnerChurn: "CHURN", PartnerChurns: 2, HeldUntil: at,
				KeepaliveWhy: "no LACP partner",
				LastPartner:  &ctl.Heard{LACPEnd: partner, Time: at.Add(-time.Hour)},
				Counters: ctl.Counters{
					LACPTx: 1, LACPTxErrors: 1, LACPStrangers: 6, LACPBad: ctl.Bad{Short: 2, Length: 1}, MarkerBad: ctl.Bad{Type: 1}, UnknownRx: 3, SlowDropped: 4, Flaps: 1,
				},
				ForeignAddrs: []string{"10.0.0.9/24"}, Conflict: "mtu", Loopback: true,
			},
		},
	}
}

// Design D13: after NetBSD's line for a port comes what LACP knows about it.
func TestStatusVerboseAgr(t *testing.T) {
	b := newBench(t)
	b.must(t, "agr0 agrport re0 agrport re1 up link0")
	b.aggr.SetState("agr0", "re0", ctl.PortCollecting|ctl.PortDistributing)
	b.aggr.States = map[string]*ctl.Status{"agr0": agrState()}
	b.s.Options.Verbose = true
	if err := b.s.Status("agr0", ifcfg.FamilyNone, ifcfg.Filter{}); err != nil {
		t.Fatal(err)
	}
	const want = `agr0: flags=0x9843<UP,BROADCAST,RUNNING,SIMPLEX,LINK0,MULTICAST> mtu 1500
	agrport: re0, flags=0x3<COLLECTING,DISTRIBUTING>
			actor: state=0x3d<ACTIVITY,AGGREGATION,SYNC,COLLECTING,DISTRIBUTING>
			actor: port=0001 prio=8000 key=0010
			partner=[FFFF,02-AA-00-00-00-01,0005]
			partner: port=0102 prio=7FFF state=0x3f<ACTIVITY,TIMEOUT,AGGREGATION,SYNC,COLLECTING,DISTRIBUTING>
			receive=CURRENT periodic=SLOW_PERIODIC mux=DISTRIBUTING selected=SELECTED aggregator=1
			churn: actor=NO_CHURN partner=NO_CHURN
			keepalive: by the kernel, 1 LACPDU
			input: 1 packet, 60 bytes, 2 drops
			output: 3 packets, 4096 bytes, 1 error
			LACPDUs: 5 sent, 4 received
			Markers: 2 sent, 1 received
	agrport: re1, flags=0x0
			actor: state=0x45<ACTIVITY,AGGREGATION,DEFAULTED>
			actor: port=0002 prio=0009 key=0010
			partner=[0000,00-00-00-00-00-00,0000]
			partner: port=0000 prio=0000 state=0x0
			receive=DEFAULTED periodic=NO_PERIODIC mux=WAITING selected=STANDBY aggregator=2
			churn: actor=MONITOR partner=CHURN, 2 partner churns
			keepalive: none, no LACP partner
			input: 0 packets, 0 bytes
			output: 0 packets, 0 bytes
			LACPDUs: 1 sent, 0 received, 3 bad (2 short, 1 wrong length), 6 of strangers ignored, 1 error
			Markers: 0 sent, 0 received, 1 bad (1 wrong type)
			1 flap, slow protocols: 3 unknown, 4 too many
			reason: another aggregator is active
			held until: 2026-11-22 10:20:30
			last partner=[FFFF,02-AA-00-00-00-01,0005] port=0102 at 2026-11-22 09:20:30
			foreign address: 10.0.0.9/24
			conflict: mtu
			loopback: its partner is this system
	datapath: user (asked for), ports shielded by tcx
		output: 1 drop, 2 held
	options: lacpmode passive lacptimeout fast lacpsyspri 100 lacpkey 7 lacpfallback single,30 lacpcoupled lacprestore 5,60 lacpportpri re1 9
	options: minlinks 3,2 maxports 4 agrhash l4 agrmac fixed 02:cc:00:00:00:01
	aggregator: 1, 1000 Mb/s
		actor=[8000,02-00-00-00-00-01,0010]
		partner=[FFFF,02-AA-00-00-00-01,0005]
	address: 02:00:00:00:00:01
	input: 0 packets, 0 bytes
	output: 0 packets, 0 bytes
`
	if diff := cmp.Diff(want, b.out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Without agrd an agr interface is shown as the kernel has it, with a warning.
func TestStatusWithoutAgrd(t *testing.T) {
	b := newBench(t)
	b.s.Aggr = &kerneltest.Aggr{Kernel: b.k} // knows nothing of agr0
	b.s.Options.Verbose = true
	if err := b.s.Status("agr0", ifcfg.FamilyNone, ifcfg.Filter{}); err != nil {
		t.Fatal(err)
	}
	const want = "agr0: flags=0x8802<BROADCAST,SIMPLEX,MULTICAST>\n\tinput: 0 packets, 0 bytes\n\toutput: 0 packets, 0 bytes\n"
	if diff := cmp.Diff(want, b.out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"SIOCGETAGR: Device not configured"}, b.warns); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestStatusCounters(t *testing.T) {
	b := newBench(t)
	b.k.Named("re0").Counters = ifcfg.Counters{
		InPackets: 1, InBytes: 1000, InMulticasts: 1, InErrors: 2, InDrops: 1, InUnknown: 3,
		OutPackets: 2, OutBytes: 504, OutMulticasts: 4, OutErrors: 6, Collisions: 1,
	}
	tests := []struct {
		name  string
		human bool
		want  string
	}{
		{"plain", false, "\tinput: 1 packet, 1000 bytes, 1 multicast, 2 errors, 1 queue drop, 3 unknown protocol\n" +
			"\toutput: 2 packets, 504 bytes, 4 multicasts, 6 errors, 1 collision\n"},
		{"-h", true, "\tinput: 1 packet, 1.0K byte, 1 multicast, 2 errors, 1 queue drop, 3 unknown protocol\n" +
			"\toutput: 2 packets, 504 bytes, 4 multicasts, 6 errors, 1 collision\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b.out.Reset()
			b.s.Options = ifcfg.Options{Verbose: true, Human: tt.human}
			if err := b.s.Status("re0", ifcfg.LinkLayer, ifcfg.Filter{}); err != nil {
				t.Fatal(err)
			}
			const head = "re0: flags=0x8802<BROADCAST,SIMPLEX,MULTICAST> mtu 1500\n\tec_capabilities=5<VLAN_MTU,JUMBO_MTU>\n" +
				"\tec_enabled=0\n\taddress: 02:00:00:00:00:01\n\tstatus: no carrier\n"
			if diff := cmp.Diff(head+tt.want, b.out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Lines that no transcript and no Linux kernel of the tests has.
func TestStatusRare(t *testing.T) {
	b := newBench(t)
	i := b.k.Named("re0")
	i.Flags |= ifcfg.FlagUp
	i.LinkUp, i.MTU, i.Metric, i.MaxMTU = true, 9000, 3, 9000
	i.HasMedia = true
	hundred := ifcfg.Medium{Subtype: "100baseTX"}
	i.Media = &ifcfg.Media{Type: "Ethernet", Current: hundred, Active: hundred, Valid: false}
	i.Addrs = []ifcfg.Addr{
		{
			IP: ip("2001:db8::1").IP, Mask: ifcfg.MaskOf(64, 128), Preferred: 0, Valid: 100,
			Flags: ifcfg.AddrDuplicated | ifcfg.AddrDeprecated | ifcfg.AddrAutoconf | ifcfg.AddrTemporary,
		},
		{IP: ip("fe80::1").IP, Mask: ifcfg.MaskOf(64, 128), Preferred: ifcfg.Infinite, Valid: ifcfg.Infinite, Flags: ifcfg.AddrTentative},
		{IP: ip("10.0.0.1").IP, Mask: ip("255.0.255.0").IP},
	}
	b.s.Options.Lifetimes = true
	const want = `re0: flags=0x8803<UP,BROADCAST,SIMPLEX,MULTICAST> metric 3 mtu 9000
	ec_capabilities=5<VLAN_MTU,JUMBO_MTU>
	ec_enabled=4<JUMBO_MTU>
	address: 02:00:00:00:00:01
	media: Ethernet 100baseTX
	inet 10.0.0.1 netmask 0xff00ff00 broadcast 10.255.0.255
	inet6 2001:db8::1 prefixlen 64 duplicated deprecated autoconf temporary pltime 0 vltime 100
	inet6 fe80::1%re0 prefixlen 64 tentative scopeid 0x2
`
	if err := b.s.Status("re0", ifcfg.FamilyNone, ifcfg.Filter{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The inner end of an agr's pair is nobody's business (design D8).
func TestListHidesInnerEnds(t *testing.T) {
	b := newBench(t)
	inner := kerneltest.NIC("agr0p", ether.Addr{2, 0, 0, 0, 0, 8})
	inner.Inner = true
	b.k.Add(inner)
	if err := b.s.List(ifcfg.Filter{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("lo0 re0 re1 agr0 agr1\n", b.out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNoInet6(t *testing.T) {
	b := newBench(t)
	b.k.NoInet6 = true
	const want = "status: getsock: Address family not supported by protocol family"
	if err := b.s.Status("re0", ifcfg.Inet6, ifcfg.Filter{}); err == nil || err.Error() != want {
		t.Errorf("status: error %v, want %s", err, want)
	}
	if err := b.s.StatusAll(ifcfg.Inet6, ifcfg.Filter{}); err == nil || err.Error() != want {
		t.Errorf("status of all: error %v, want %s", err, want)
	}
	if got := b.out.String(); got != "" {
		t.Errorf("printed %q, want nothing", got)
	}
}

func TestStyleNamed(t *testing.T) {
	for name, known := range map[string]bool{"": true, "netbsd7": true, "netbsd6": false} {
		if s, ok := ifcfg.StyleNamed(name); ok != known || ok && s.String() != "netbsd7" {
			t.Errorf("StyleNamed(%q) = %v, %v", name, s, ok)
		}
	}
}
