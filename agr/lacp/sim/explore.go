package sim

import (
	"sync"
	"sync/atomic"
)

// Finding is a seed with a violation.
type Finding struct {
	Seed uint64
	*Violation
}

// Explore runs seeds from first on, on a number of processors, until most seeds
// have a violation. found is told of each of these, one at a time.
func Explore(first, seeds uint64, processors, most int, found func(Finding)) Stats {
	var (
		next  atomic.Uint64
		bad   atomic.Int64
		lock  sync.Mutex
		done  sync.WaitGroup
		total Stats
	)
	for range processors {
		done.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= seeds || bad.Load() >= int64(most) {
					return
				}
				st, v := Run(Generate(first+i), nil)
				lock.Lock()
				total.Add(&st)
				if v != nil {
					bad.Add(1)
					found(Finding{Seed: first + i, Violation: v})
				}
				lock.Unlock()
			}
		})
	}
	done.Wait()
	return total
}
