// Package agr runs link aggregates: one Manager for a network namespace, and in
// it one owner goroutine for each agrN.
//
//	control socket -> Manager -> aggregate.do(request)  \
//	rtnetlink      -> Manager.look -> aggregate.views    \   owner goroutine
//	carrier poll   -> Manager.poll -> aggregate.carriers  >  of one agrN:
//	a port's 0x8809 -> reader      -> aggregate.frames   /   lacp.Step, settle
//	a timer        -> lacp.Advance                      /
//
//	settle: lacp.Ready -> LACPDUs out, datapath.Program, carrier, log, events
//
// The protocol (lacp, marker), the distribution (dist) and the movement of
// frames (datapath) are decided elsewhere; this package wires them to the
// operating system and owns every change to a port: each is in the undo log
// (state) before it is made, and is undone in reverse when an agrport fails or
// a port leaves (design D11, D12).
//
// The owner looks at the world as it is and moves towards what should be; an
// event is only a reason to look.
package agr
