// Package sim runs two to five systems, up to ten cables between them and all that can
// go wrong with these on a virtual clock, and checks what must always hold.
//
//	seed -> Generate -> Scenario -> Run -> Stats, and the first Violation
//	                       ^                   |
//	                       +----- Shrink <-----+
//
// A Scenario is data: systems with their options, segments, and faults with their
// times. The same one gives the same run, to the last line of the trace. A seed is an
// hour of four cycles: a storm of StormTime in which faults happen, SettleTime without
// any, and RestTime in which nothing may change any more.
//
// Some systems die and begin anew, as a computer does; of others only the daemon dies, and
// another one succeeds it that remembers (lacp.Memory), while frames go on to move. It
// reads none of the LACPDUs that came meanwhile; at most it knows what a kernel has noted
// of them.
//
// The systems are those of package lacp. What a driver makes of them is in data.go: the
// conversations of package dist, the flushes of package marker, ports that leave in
// order. Their hosts exchange frames with serial numbers, most of them when ports come
// and go.
//
// # What is checked
//
// At each step: what lacptest.Watch has for a single system (not more than three
// LACPDUs in a second, one LAG ID for all ports that distribute, none of them without
// a partner that is in sync and collects, unless the default partner stands in); that a
// port collects only if the LACPDU that it heard last was meant for it as it is; that
// frames are handed over from ports that collect only, that slow protocols stay on the
// port, and that no frame comes twice or after a later one of its conversation.
//
// When it is quiet: that no state changes (CHURN aside), that both ends of each cable
// use it or neither does, that something is used where something can be and, between
// two systems with cables of one speed, as many cables as both let be used, that no
// cable between two ports of one system is used, and that no frame is lost where it is
// sent.
//
// # What is not promised
//
// Order and uniqueness of frames are promised where the segment of each of the two
// frames keeps order itself, doubles and reflects nothing, takes less than MostDelay
// (which is less than the pause after which a conversation may take another way), and
// has two ends. What a Collector keeps when the carrier goes is taken to be lost,
// because conversations of a dead port do not wait. A stranger's LACPDU that names a
// smaller CollectorMaxDelay than the far end has misleads its reader until the end of
// the storm.
//
// Two systems that each clear Aggregation whenever they are not in sync start each other
// anew for ever; there is one such system at most. ClearAgg is the same as a fault, and
// over before there has to be rest.
//
// Nobody promises rest where three ends share a segment: each LACPDU is another
// partner's. Systems connected with a hub are checked at each step only. A passive
// system with a looped cable that hears nobody else says nothing that it could hear, so
// it uses the cable if the default partner stands in; and a partner with a timeout that
// is asked for LACPDUs seldom may be remembered for the sum of two long timeouts. With
// coupled control frames may be sent that a far end does not collect because it has
// fewer links than its min-links: coupled control does not look at that.
package sim
