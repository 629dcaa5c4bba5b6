// Package marker is the Marker protocol (IEEE 802.1AX-2014 6.5): it lets one
// end find out that all frames of a conversation have arrived, so that it can
// move the conversation to another port without reordering it.
//
//	Marker Information from a port -> Respond -> Marker Response to the same port
//
//	last frame of a port -> Flush: our Marker -> Marker Response -> its conversations may move
//
// The responder answers in every state of LACP: a port that collects nothing may
// still be asked whether it has. In agr(4)'s static mode (link1) there is no
// Marker protocol; that is the caller's decision.
//
// The package has no clock and does no I/O.
package marker
