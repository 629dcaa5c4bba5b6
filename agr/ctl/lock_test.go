package ctl

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// asHolder, in the environment, makes this test binary take a lock again and again, as
// often as asHolderTimes says.
const (
	asHolder      = "CTL_TEST_AS_HOLDER"
	asHolderTimes = "CTL_TEST_AS_HOLDER_TIMES"
)

// beHolder fails when somebody else has the lock at the same time. Every other time it
// leaves the file, as a process does that is killed.
func beHolder(path string) error {
	times, err := strconv.Atoi(os.Getenv(asHolderTimes))
	if err != nil {
		return err
	}
	for i := range times {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		lock, err := Lock(ctx, path)
		cancel()
		if err != nil {
			return err
		}
		mark, err := os.OpenFile(path+".holder", os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		if err := errors.Join(mark.Close(), os.Remove(mark.Name())); err != nil {
			return err
		}
		if i%2 == 0 {
			lock.Unlock()
		} else {
			lock.File().Close()
		}
	}
	return nil
}

// A lock of root's in a directory of another user's is one for that user as well: he
// waits while root's daemon has it, and takes it when that was killed, and never are
// there two.
func TestLockOfRoot(t *testing.T) {
	p := newProcess(t)
	service := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	dir := filepath.Join(p.dir, "run")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Chown(dir, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "lock")
	roots, err := Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	waits := p.command(service, asHolder+"="+path, asHolderTimes+"=1")
	if err := waits.Start(); err != nil {
		t.Fatal(err)
	}
	again, cancel := context.WithTimeout(t.Context(), 10*lockRetry)
	defer cancel()
	if _, err := Lock(again, path); !errors.Is(err, ErrLocked) {
		t.Errorf("while root has it: %v, want ErrLocked", err)
	}
	roots.File().Close() // as a process that is killed
	if err := waits.Wait(); err != nil {
		t.Errorf("the service: %v", err)
	}
	var wg sync.WaitGroup
	for _, user := range []*syscall.SysProcAttr{nil, service, nil, service} {
		wg.Go(func() {
			if out, err := p.command(user, asHolder+"="+path, asHolderTimes+"=100").CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
}

// One holds the lock at a time, although every holder removes the file.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var holders atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				lock, err := Lock(t.Context(), path)
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d holders", n)
				}
				holders.Add(-1)
				lock.Unlock()
			}
		})
	}
	wg.Wait()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is left: %v", err)
	}
}

func TestLockGivesUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock, err := Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := Lock(ctx, path); !errors.Is(err, ErrLocked) {
		t.Errorf("err = %v, want ErrLocked", err)
	}
}
