// Command datapath measures what moves the frames of an aggregate, and LACP at
// scale, and prints tables with ratios:
//
//	namespace A                              namespace B
//	  source -- p0 ============================ p0 -- sink     bare: the yardstick
//	  source -- agr0 == p0, p1 ======== p0, p1 == agr0 -- sink kernel, user
//	  source -- br0 === p0, p1 ======== p0, p1 === br0 -- sink Open vSwitch
//
// Each way has two namespaces of its own. A round of a test measures every way
// once, in random order, and a ratio is one of figures of the same round; see
// package lab for how a noisy machine is told. Sources, sinks and daemons are
// processes of their own. It needs root; everything that it makes it removes.
//
//	go run ./bench/datapath                     everything but scale
//	go run ./bench/datapath throughput          one part
//	go run ./bench/datapath -n 100 scale
package main
