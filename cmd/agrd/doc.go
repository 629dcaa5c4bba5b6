// Command agrd is the link aggregation daemon: it owns the agr interfaces of one
// network namespace and answers ifconfig(8) on its control socket.
//
//	agrd [options]          serve
//	agrd monitor [-j] [agr] show transitions as they happen
//	agrd status [-html] [agr] show how the aggregates are, as text or as a page
//	agrd web [-l address]   the same as a page that keeps itself up to date
//	agrd netstart [if...]   configure interfaces from ifconfig.xxN files
//	agrd teardown [agr...]  end agr interfaces in order
//	agrd demo               two systems, two links, one aggregate, and a cut
//
// See agrd(8).
package main
