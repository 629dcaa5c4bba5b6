package rtnl

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// TestClassifierGolden compares requests with octets that a person has read, in
// the byte order of amd64 and arm64.
func TestClassifierGolden(t *testing.T) {
	shield := BPFClassifier{Index: 7, Priority: 1, Handle: 0x61670001, Program: 9, Name: "agr_shield"}
	tests := map[string]func() ([]byte, error){
		"clsact": func() ([]byte, error) { return clsactRequest(7) },
		"bpf":    shield.MarshalBinary,
		"delete": shield.deletion,
	}
	for name, request := range tests {
		t.Run(name, func(t *testing.T) {
			b, err := request()
			if err != nil {
				t.Fatal(err)
			}
			got := hex.Dump(b)
			file := filepath.Join("testdata", "classifier", name+".hex")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// classifierMessage is a filter as the kernel describes it, of any kind.
func classifierMessage(tb testing.TB, kind string) []byte {
	tb.Helper()
	b, err := attributes(tcmsg(7, 0x61670001, tcIngress, classifierInfo(1, etherAll)), func(ae *netlink.AttributeEncoder) error {
		ae.Nested(unix.TCA_OPTIONS, func(ae *netlink.AttributeEncoder) error {
			ae.String(bpfName, "agr_in")
			ae.Uint32(bpfID, 41)
			return nil
		})
		ae.String(unix.TCA_KIND, kind)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestDecodeClassifier(t *testing.T) {
	want := Classifier{Index: 7, Kind: "bpf", Priority: 1, Protocol: 3, Handle: 0x61670001, Name: "agr_in", Program: 41}
	got, err := decodeClassifier(classifierMessage(t, "bpf"))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("-want +got\n%s%v", diff, err)
	}
	// Another kind numbers its options in its own way.
	want.Kind, want.Name, want.Program = "u32", "", 0
	got, err = decodeClassifier(classifierMessage(t, "u32"))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("-want +got\n%s%v", diff, err)
	}
	if _, err := decodeClassifier(make([]byte, sizeofTcMsg-1)); err == nil {
		t.Error("a short message")
	}
}

// FuzzDecodeClassifier: what is read can be asked for again, and is then read
// again.
func FuzzDecodeClassifier(f *testing.F) {
	f.Add(classifierMessage(f, "bpf"))
	f.Add(classifierMessage(f, "u32"))
	f.Add(make([]byte, sizeofTcMsg))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeClassifier(b)
		if err != nil {
			return
		}
		if c.Kind != "bpf" && (c.Name != "" || c.Program != 0) {
			t.Errorf("%+v", c)
		}
		asked := BPFClassifier{Index: c.Index, Priority: c.Priority, Handle: c.Handle, Name: c.Name}
		out, err := asked.MarshalBinary()
		if err != nil {
			return // a name that no request can carry
		}
		again, err := decodeClassifier(out)
		want := Classifier{
			Index: c.Index, Kind: "bpf", Priority: c.Priority, Protocol: etherAll, Handle: c.Handle, Name: c.Name,
		}
		if diff := cmp.Diff(want, again); diff != "" || err != nil {
			t.Errorf("-asked for +read\n%s%v", diff, err)
		}
	})
}
