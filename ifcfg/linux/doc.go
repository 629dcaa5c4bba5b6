// Package linux is ifcfg's Kernel on this system: interfaces and addresses over
// rtnetlink, link modes over ethtool, a few settings under /proc/sys/net.
//
// It is where NetBSD's rules meet Linux's: which addresses go when one goes, in
// which order they stand, what an interface keeps when it is taken down. What
// Linux cannot know of an interface is in package softstate: the metric, zeroed
// counters, and interfaces that are no devices yet (pseudo.go). A Kernel belongs to the network namespace of the thread that opened it, and is
// to be used on a thread in that namespace.
package linux
