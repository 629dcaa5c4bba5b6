package ctl

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ifagr/netutil/ether"
)

func manual(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "man", "agrd.5"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// constants counts the constants of a type in a file of this package. A group
// that goes on without a type counts as the type of its first line.
func constants(t *testing.T, file, of string) int {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, d := range f.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		last := ""
		for _, s := range group.Specs {
			spec := s.(*ast.ValueSpec)
			if id, ok := spec.Type.(*ast.Ident); ok {
				last = id.Name
			} else if spec.Values != nil {
				last = ""
			}
			if last == of {
				n += len(spec.Names)
			}
		}
	}
	return n
}

// The manual of the protocol has every request, command, option and error, with
// its number, and no other.
func TestManualNumbers(t *testing.T) {
	requests := map[string]Request{
		"SIOCIFCREATE": SIOCIFCREATE, "SIOCIFDESTROY": SIOCIFDESTROY, "SIOCIFGCLONERS": SIOCIFGCLONERS,
		"SIOCGIFFLAGS": SIOCGIFFLAGS, "SIOCSIFFLAGS": SIOCSIFFLAGS, "SIOCSIFMTU": SIOCSIFMTU,
		"SIOCSIFLLADDR": SIOCSIFLLADDR, "SIOCGETAGR": SIOCGETAGR, "SIOCSETAGR": SIOCSETAGR,
	}
	commands := []Command{AddPort, RemovePort, PortList, GetStatus, Watch, GetOwner, List, SetOptions}
	text := manual(t)
	for name, code := range requests {
		if line := fmt.Sprintf("\n.It Dv %s Ta Li %#x Ta ", name, uint32(code)); !strings.Contains(text, line) {
			t.Errorf("no line %q", line)
		}
	}
	_, after, _ := strings.Cut(text, ".Ss Agrreq\n")
	body, _, _ := strings.Cut(after, ".Ss List of ports\n")
	for _, c := range commands {
		if line := fmt.Sprintf("\n.It Li %d Ta ", c); !strings.Contains(body, line) {
			t.Errorf("no command %d", c)
		}
	}
	for _, tt := range []struct {
		what              string
		code, table, rows int
	}{
		{"requests", constants(t, "wire.go", "Request"), len(requests), strings.Count(text, "\n.It Dv SIOC")},
		{"commands", constants(t, "wire.go", "Command"), len(commands), strings.Count(body, "\n.It Li ")},
	} {
		if tt.code != tt.table || tt.code != tt.rows {
			t.Errorf("%d %s in the code, %d in this test, %d in the manual", tt.code, tt.what, tt.table, tt.rows)
		}
	}
	_, after, _ = strings.Cut(text, ".It Sy option Ta ")
	for o := OptMode; o < optionsEnd; o++ {
		if !strings.Contains(after, fmt.Sprintf("\n.It Li %d Ta Cm ", o)) {
			t.Errorf("no option %d", o)
		}
	}
	if n := strings.Count(after, "\n.It Li "); n != int(optionsEnd)-1 {
		t.Errorf("%d options, want %d", n, optionsEnd-1)
	}
	for e, name := range errnos {
		if line := ".It Er " + name.symbol + " Ta " + name.text + "\n"; e != int(OK) && !strings.Contains(text, line) {
			t.Errorf("no error %s", name.symbol)
		}
	}
}

// Sizes, offsets and limits are those of the code.
func TestManualSizes(t *testing.T) {
	text := strings.Join(strings.Fields(manual(t)), " ")
	for _, want := range []string{
		fmt.Sprintf("This is version .Li %d .", Version),
		fmt.Sprintf(".It %d Ta 16 Ta name of the interface .It %d Ta Ta payload", requestHeader-NameSize, requestHeader),
		fmt.Sprintf(".It %d Ta %d Ta Li OK", replyHeader-symbolSize, symbolSize),
		fmt.Sprintf(".It %d Ta Ta payload; of an error", replyHeader),
		fmt.Sprintf("version of the structure, Li %d ", AgrReqVersion),
		fmt.Sprintf(".It %d Ta Ta buffer", agrReqSize),
		fmt.Sprintf("Each is %d octets, and there may be %d in a request.", settingSize, maxSettings),
		fmt.Sprintf(".It %d Ta %d Ta name of a port", 12, NameSize),
		fmt.Sprintf(".It %d Ta %d Ta link-layer address .It %d Ta %d Ta zero", 12+NameSize, ether.AddrLen, settingSize-settingReserved, settingReserved),
		fmt.Sprintf("its name, %d octets, and its flags, %d octets: .Li %d collecting, .Li %d distributing", NameSize, portInfoSize-NameSize, PortCollecting, PortDistributing),
		fmt.Sprintf(".Li %#x for .Cm link0 , .Li %#x for .Cm link1 and .Li %#x for .Cm link2 .", uint16(Link0), uint16(Link1), uint16(Link2)),
		fmt.Sprintf("at most %d octets with its header", MaxMessage),
		fmt.Sprintf("User 0 may have %d connections, every other user %d, and all others together %d;", maxConns, maxConnsOfUser, maxOtherConns),
		fmt.Sprintf("without a request for %.0f seconds is closed, as is one that does not take a reply for %.0f.", idleTimeout.Seconds(), writeTimeout.Seconds()),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the manual does not say %q", want)
		}
	}
}

// The example of the manual is the message that a client sends.
func TestManualExample(t *testing.T) {
	_, after, _ := strings.Cut(manual(t), ".Sh EXAMPLES\n")
	var got []byte
	for _, m := range regexp.MustCompile(`(?m)^(?:[0-9a-f]{2} ?)+$`).FindAllString(after, -1) {
		for _, h := range strings.Fields(m) {
			var b byte
			fmt.Sscanf(h, "%02x", &b)
			got = append(got, b)
		}
	}
	if want := goldenMessages(t)["add-port"]; !bytes.Equal(want, got) {
		t.Errorf("the manual has\n% x, want\n% x", got, want)
	}
}
