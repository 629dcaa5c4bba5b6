// Package lacp is the Link Aggregation Control Protocol (IEEE 802.1AX-2014 6.4)
// as a value: no clock, no goroutine, no lock, no I/O. What happens goes in as
// events with the time at which it happened; what is to be done comes out as data.
//
//	    AddPort LinkChange Received ...          timers due
//	                | Step                        | Advance
//	                v                             v
//	receive machine --> mux --> selection --> one active aggregator --> how many
//	       ^                                                              ports |
//	       +------------------ again, until nothing changes <-------------------+
//	                |
//	  churn, periodic, transmit --> Ready: Send, Mux, Transitions
//
// The loop that drives it owns the clock:
//
//	for {
//		r := sys.Ready()
//		program(r.Mux) // first: no LACPDU may announce what is not done yet
//		for _, t := range r.Send {
//			if write(t.Port, slow.AppendLACPDU(nil, mac(t.Port), t.PDU)) {
//				sys.Sent(t, now())
//			} else {
//				sys.Step(now(), lacp.NotSent{Number: t.Port})
//			}
//		}
//		wait := forever
//		if at, ok := sys.Deadline(); ok {
//			wait = at - now()
//		}
//		select {
//		case e := <-events:
//			sys.Step(now(), e)
//		case <-after(wait):
//			sys.Advance(now())
//		}
//	}
//
// Each machine has a file: rx.go (6.4.12), ptx.go (6.4.13), select.go (6.4.14),
// mux.go (6.4.15, independent and coupled control), tx.go (6.4.16), churn.go
// (6.4.17). In each, one function sets the state, and what the standard asks for
// stands above the case. Which of several aggregators is agrN is in active.go, how
// many of its ports carry frames in limit.go, and which port is kept out because
// its link flaps in restore.go. config.go is what an administrator decides, and
// reason.go says in words why a port does not distribute.
//
// testdata/cases.txt lists what the protocol is asked from outside, mistakes.txt what
// implementations are known to get wrong, each with the test that asks it.
package lacp
