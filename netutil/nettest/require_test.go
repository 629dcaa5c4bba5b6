package nettest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// recorder is a test that fails, or is skipped, without failing the outer one.
type recorder struct {
	testing.TB
	cleanups []func()
	message  string
}

type stopped struct{}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Fatal(args ...any) {
	r.message = fmt.Sprint(args...)
	panic(stopped{})
}
func (r *recorder) Fatalf(format string, args ...any) { r.Fatal(fmt.Sprintf(format, args...)) }
func (r *recorder) Skipf(format string, args ...any)  { r.Fatal(fmt.Sprintf(format, args...)) }

// recordFailure runs a test, with its cleanups, and returns what it ended with.
func recordFailure(t testing.TB, test func(testing.TB)) string {
	r := &recorder{TB: t}
	func() {
		defer func() {
			if v := recover(); v != nil && v != any(stopped{}) {
				panic(v)
			}
		}()
		test(r)
	}()
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
	return r.message
}

func TestRequire(t *testing.T) {
	t.Run("a package is a failure", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		got := recordFailure(t, func(t testing.TB) { Require(t, Tshark) })
		if !strings.Contains(got, "apt-get install tshark") || strings.Contains(got, "SKIP") {
			t.Errorf("ended with %q", got)
		}
	})
	t.Run("a kernel feature is a skip", func(t *testing.T) {
		err := Check(TUN)
		if err != nil && !errors.Is(err, ErrFeature) {
			t.Errorf("TUN: %v", err)
		}
		if err := Check(TCX); err != nil && !errors.Is(err, ErrFeature) {
			t.Errorf("TCX: %v", err)
		}
		for _, n := range []Need{Clsact, VLAN, Bridge} {
			if err := Check(n); err != nil && !errors.Is(err, ErrFeature) {
				t.Errorf("%v: %v", n, err)
			}
		}
	})
	t.Run("what is there", func(t *testing.T) {
		if got := recordFailure(t, func(t testing.TB) { Require(t, Root, IPRoute, OVS, Ping) }); got != "" {
			t.Errorf("ended with %q", got)
		}
	})
}
