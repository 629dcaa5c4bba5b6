// Package hook puts eBPF programs (sched_cls) where an interface's frames come
// in: behind packet sockets, before everything else that may look at a frame.
//
//	Attach  ->  stays when the process ends, without a pin       -> Detach
//	Hold    ->  stays as long as the process lives, or to Close
//	List    ->  what is there, whoever attached it
//
// There are two kinds of hook, and a frame meets them in this order:
//
//	packet sockets -> TCX: a list of programs (Linux 6.6)
//	               -> Clsact: the filters of a clsact qdisc (Linux 4.5)
//	               -> bridge, VLAN, protocol stack
//
// Which kind there is shows by asking for it, never by the kernel's version. The
// verdicts mean the same at both: TC_ACT_UNSPEC (TCX_NEXT) leaves the frame to
// whatever comes next, every other one is final. A program is loaded without
// expected attach type, which kernels without tcx do not know.
//
// A program is known by its name. At one interface there is one of a name: what
// is attached replaces what was there before, of either kind. At no time does a
// frame meet neither of the two; it meets both only where the first of them
// leaves it to the next. In the usual case, which is tcx and CAP_SYS_ADMIN, or
// clsact, the exchange is one step and a frame meets exactly one.
//
// Programs of others stay where they are. A program that is attached first goes
// before them; one that replaces another takes its place.
//
// Without CAP_SYS_ADMIN the kernel does not tell the names of the programs at a
// tcx hook. CAP_NET_ADMIN and CAP_BPF are enough for everything if the caller
// remembers the ids of his own programs, and names those as well.
//
// The clsact qdisc is made when there is none, and the handle of our filter
// remembers that. Detach removes the qdisc if it was made here and no filter, ours
// or not, is left in it: one that somebody else made stays even if it is empty.
//
// An interface index means an interface of the calling thread's network
// namespace.
package hook
