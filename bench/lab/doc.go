// Package lab is what a benchmark stands on: network namespaces as tests have
// them, programs inside, processor time to the nanosecond, and statistics that
// say when a figure means nothing.
//
//	lab.Run(func(b *lab.Bed) {             b is a testing.TB for nettest
//	    ns := nettest.New(b)
//	    p := lab.Start(b, ns, "sink")      this program again, in another role
//	    before, m := p.Read(), lab.ReadMachine()
//	    ...
//	})                                     everything is removed
//
// A figure is compared with another one of the same round, because a machine
// changes its mind about its speed from minute to minute; Ratios holds one ratio
// for each round and answers with the median, the quartiles and the interval
// that the median lies in with 95 % confidence.
package lab
