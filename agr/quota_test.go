package agr

import (
	"testing"
	"time"
)

func TestQuota(t *testing.T) {
	start := time.Unix(0, 0)
	q := quota{limit: 2}
	steps := []struct {
		at      time.Duration
		ok      bool
		refused int
	}{
		{0, true, 0},
		{time.Millisecond, true, 0},
		{2 * time.Millisecond, false, 0},
		{999 * time.Millisecond, false, 0},
		{time.Second, true, 2},
		{3 * time.Second, true, 0},
	}
	for _, s := range steps {
		if ok, refused := q.take(start.Add(s.at)); ok != s.ok || refused != s.refused {
			t.Errorf("at %v: %v, %d; want %v, %d", s.at, ok, refused, s.ok, s.refused)
		}
	}
}
