package ctl

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ifagr/netutil/ether"
)

var update = flag.Bool("update", false, "rewrite the golden messages")

// goldenMessages are the octets that travel: a change of any is a change of the
// protocol's version.
func goldenMessages(t *testing.T) map[string][]byte {
	t.Helper()
	request := func(code Request, name string, payload []byte) []byte {
		b, err := message{version: Version, code: code, name: name, payload: payload}.append(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	addPort := agrReq{version: AgrReqVersion, cmd: AddPort, buflen: 3, buf: []byte("re0")}
	list := agrReq{version: AgrReqVersion, cmd: PortList, buflen: MaxMessage}
	settings := appendSettings(nil, everySetting())
	options := agrReq{version: AgrReqVersion, cmd: SetOptions, buflen: uint64(len(settings)), buf: settings}
	ports := []PortInfo{{"re0", PortCollecting | PortDistributing}, {"re1", PortCollecting}}
	answer := reply{version: Version, netns: 7}
	answer.payload = appendPortList([]byte{44, 0, 0, 0, 0, 0, 0, 0}, ports)
	busy := reply{version: Version, netns: 7, errno: EBUSY, payload: []byte("re0 has inet 192.0.2.1: Device busy")}
	return map[string][]byte{
		"create":      request(SIOCIFCREATE, "agr0", nil),
		"add-port":    request(SIOCSETAGR, "agr0", addPort.append(nil)),
		"set-options": request(SIOCSETAGR, "agr0", options.append(nil)),
		"port-list":   request(SIOCGETAGR, "agr0", list.append(nil)),
		"ports":       answer.append(nil),
		"busy":        busy.append(nil),
	}
}

// everySetting has each option once.
func everySetting() []Setting {
	return []Setting{
		{Option: OptMode, A: ModePassive},
		{Option: OptTimeout, A: TimeoutFast},
		{Option: OptSystemPrio, A: 100},
		{Option: OptKey, A: 7},
		{Option: OptPortPrio, Port: "re0", A: 5},
		{Option: OptFallback, A: FallbackSingle, B: 30},
		{Option: OptMinLinks, A: 3, B: 2},
		{Option: OptMaxPorts, A: 4},
		{Option: OptHash, A: HashL4},
		{Option: OptMACPolicy, A: MACFixed, MAC: ether.Addr{2, 0xcc, 0, 0, 0, 1}},
		{Option: OptCoupled, A: ControlCoupled},
		{Option: OptWaitRestore, A: 5, B: 60},
	}
}

func TestSettingsRoundTrip(t *testing.T) {
	want := everySetting()
	if len(want) != int(optionsEnd-OptMode) {
		t.Errorf("%d of %d options", len(want), optionsEnd-OptMode)
	}
	got, err := parseSettings(appendSettings(nil, want))
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

func TestSettingsMalformed(t *testing.T) {
	good := appendSettings(nil, []Setting{{Option: OptMode, A: 1}})
	patch := func(at int, with byte) []byte {
		b := bytes.Clone(good)
		b[at] = with
		return b
	}
	tests := []struct {
		name string
		b    []byte
	}{
		{"none", nil},
		{"cut short", good[:len(good)-1]},
		{"too many", bytes.Repeat(good, maxSettings+1)},
		{"option 0", patch(0, 0)},
		{"an option of the future", patch(0, byte(optionsEnd))},
		{"reserved octet", patch(len(good)-1, 1)},
		{"name without NUL", append(append(bytes.Clone(good[:12]), bytes.Repeat([]byte("a"), NameSize)...), good[12+NameSize:]...)},
	}
	for _, tt := range tests {
		if all, err := parseSettings(tt.b); !errors.Is(err, ErrMessage) || all != nil {
			t.Errorf("%s: %v, %v; want ErrMessage", tt.name, all, err)
		}
	}
	if all, err := parseSettings(bytes.Repeat(good, maxSettings)); err != nil || len(all) != maxSettings {
		t.Errorf("as many as there may be: %d, %v", len(all), err)
	}
}

func TestGoldenMessages(t *testing.T) {
	for name, got := range goldenMessages(t) {
		path := filepath.Join("testdata", name+".hex")
		if *update {
			if err := os.WriteFile(path, []byte(hex.Dump(got)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), hex.Dump(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestMessageRoundTrip(t *testing.T) {
	want := message{version: Version, code: SIOCSETAGR, name: "agr0", payload: []byte("x")}
	b, err := want.append(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseMessage(b)
	if err != nil || got.version != want.version || got.code != want.code || got.name != want.name || string(got.payload) != "x" {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestMessageBounds(t *testing.T) {
	tests := []struct {
		name string
		m    message
	}{
		{"name of 16 octets", message{name: strings.Repeat("a", NameSize)}},
		{"payload too long", message{name: "agr0", payload: make([]byte, MaxMessage)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tt.m.append(nil); !errors.Is(err, ErrMessage) {
				t.Errorf("err = %v, want ErrMessage", err)
			}
		})
	}
}

// NetBSD: 4 + 20 n octets for n ports.
func TestPortListSize(t *testing.T) {
	ports := []PortInfo{{"re0", 3}, {"re1", 0}, {"re2", 1}}
	b := appendPortList(nil, ports)
	if want := 4 + 20*len(ports); len(b) != want || portListSize(len(ports)) != want {
		t.Errorf("%d octets, portListSize %d, want %d", len(b), portListSize(len(ports)), want)
	}
	got, err := parsePortList(b)
	if d := cmp.Diff(ports, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	for n := range len(b) {
		if _, err := parsePortList(b[:n]); !errors.Is(err, ErrMessage) {
			t.Errorf("%d of %d octets: err = %v, want ErrMessage", n, len(b), err)
		}
	}
}

func TestErrnoSymbols(t *testing.T) {
	for e := OK; int(e) < len(errnos); e++ {
		if got, ok := ErrnoBySymbol(e.Symbol()); !ok || got != e {
			t.Errorf("%d: symbol %q finds %d, %v", e, e.Symbol(), got, ok)
		}
		if len(e.Symbol()) >= symbolSize {
			t.Errorf("%s does not fit into %d octets", e.Symbol(), symbolSize)
		}
	}
	if got := Errno(250).Error(); got != "Unknown error" {
		t.Errorf("an errno out of range says %q", got)
	}
}

func TestPortNameIsCut(t *testing.T) {
	tests := []struct{ in, want string }{
		{"re0", "re0"},
		{"re0\x00junk", "re0"},
		{"", ""},
		{"abcdefghijklmnop", "abcdefghijklmno"}, // 16 octets: NetBSD uses 15
	}
	for _, tt := range tests {
		if got := portName([]byte(tt.in)); got != tt.want {
			t.Errorf("portName(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, requestHeader))
	f.Add(make([]byte, replyHeader))
	f.Add(appendSettings(nil, everySetting()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := parseMessage(b); err == nil {
			again, err := m.append(nil)
			if len(b) <= MaxMessage && (err != nil || len(again) != len(b)) {
				t.Errorf("%x parses and becomes %x, %v", b, again, err)
			}
		}
		if r, err := parseReply(b); err == nil {
			if again := r.append(nil); len(again) != len(b) {
				t.Errorf("%x parses and becomes %x", b, again)
			}
		}
		if all, err := parseSettings(b); err == nil && !bytes.Equal(appendSettings(nil, all), b) {
			t.Errorf("%x parses and becomes %v", b, all)
		}
		parseAgrReq(b)
		parsePortList(b)
		parseNames(b)
	})
}
