package nettest

import (
	"testing"
	"time"
)

// pollEvery is how often Eventually tries.
const pollEvery = 20 * time.Millisecond

// Eventually calls f until it returns nil, and ends the test with f's last error
// when it does not within the timeout. It tries at least once.
func Eventually(t testing.TB, timeout time.Duration, f func() error) {
	t.Helper()
	if err := poll(timeout, f); err != nil {
		t.Fatalf("not within %v: %v", timeout, err)
	}
}

// poll is Eventually that returns its error.
func poll(timeout time.Duration, f func() error) error {
	end := time.Now().Add(timeout)
	for {
		err := f()
		if err == nil || time.Now().After(end) {
			return err
		}
		pause(pollEvery)
	}
}

// pause waits for something that cannot be waited for otherwise.
func pause(d time.Duration) { <-time.After(d) }
