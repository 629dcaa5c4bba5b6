package lab

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// Bed stands where package nettest expects a test: it ends a benchmark that
// cannot go on, and removes what was made. Of testing.TB it has what nettest
// calls; the rest is nil.
type Bed struct {
	testing.TB
	ctx context.Context

	mu       sync.Mutex
	err      error
	cleanups []func()
}

// Run calls f with a Bed, in a goroutine of its own, and then what f has given
// to Cleanup, last things first. It returns what f failed with. When the context
// ends, f ends at its next Bed.Wait.
func Run(ctx context.Context, f func(b *Bed)) error {
	b := &Bed{ctx: ctx}
	inGoroutine(func() { f(b) })
	for {
		b.mu.Lock()
		n := len(b.cleanups)
		if n == 0 {
			defer b.mu.Unlock()
			return b.err
		}
		last := b.cleanups[n-1]
		b.cleanups = b.cleanups[:n-1]
		b.mu.Unlock()
		inGoroutine(last)
	}
}

// inGoroutine runs f, which may end its goroutine.
func inGoroutine(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// Context ends when the benchmark is interrupted.
func (b *Bed) Context() context.Context { return b.ctx }

// Wait waits, and ends f when the benchmark is interrupted meanwhile.
func (b *Bed) Wait(d time.Duration) {
	select {
	case <-b.ctx.Done():
		b.Fatal("interrupted")
	case <-time.After(d):
	}
}

// Part runs f with a Bed of its own, so that what f makes is removed when it
// returns. A failure in f is one of b.
func (b *Bed) Part(f func(b *Bed)) {
	if err := Run(b.ctx, f); err != nil {
		b.Fatal(err)
	}
}

// Parallel calls f with 0 to n-1 at the same time, and ends b's goroutine when
// one of them has failed.
func (b *Bed) Parallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
	b.mu.Lock()
	failed := b.err != nil
	b.mu.Unlock()
	if failed {
		runtime.Goexit()
	}
}

// Helper does nothing.
func (b *Bed) Helper() {}

// Name is that of no test.
func (b *Bed) Name() string { return "bench" }

// Cleanup adds something to do at the end.
func (b *Bed) Cleanup(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cleanups = append(b.cleanups, f)
}

// Error notes a failure and goes on.
func (b *Bed) Error(args ...any) { b.note(errors.New(fmt.Sprint(args...))) }

// Errorf notes a failure and goes on.
func (b *Bed) Errorf(format string, args ...any) { b.note(fmt.Errorf(format, args...)) }

// Fatal notes a failure and ends the goroutine.
func (b *Bed) Fatal(args ...any) {
	b.Error(args...)
	runtime.Goexit()
}

// Fatalf notes a failure and ends the goroutine.
func (b *Bed) Fatalf(format string, args ...any) {
	b.Errorf(format, args...)
	runtime.Goexit()
}

// Skipf is Fatalf: a benchmark that lacks something has no result.
func (b *Bed) Skipf(format string, args ...any) { b.Fatalf(format, args...) }

// Logf says nothing: a benchmark prints its results itself.
func (b *Bed) Logf(string, ...any) {}

// note keeps the first failures.
func (b *Bed) note(err error) {
	const most = 5
	b.mu.Lock()
	defer b.mu.Unlock()
	if errs, ok := b.err.(interface{ Unwrap() []error }); ok && len(errs.Unwrap()) >= most {
		return
	}
	all := []error{}
	if errs, ok := b.err.(interface{ Unwrap() []error }); ok {
		all = slices.Clone(errs.Unwrap())
	}
	b.err = errors.Join(append(all, err)...)
}
