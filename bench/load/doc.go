// Package load makes the traffic of the benchmarks and counts it: as much TCP as
// goes through, as many small UDP datagrams, one echo after the other. Each role
// is a process of its own, so that its processor time is its own, and plain
// blocking sockets are used, so that what is measured is the kernel and the
// datapath rather than the runtime's poller.
//
//	source  tcp-source ADDRESS STREAMS       counts octets handed over
//	        udp-source ADDRESS FLOWS         counts datagrams, and refused ones
//	        echo ADDRESS                     counts requests and replies; the
//	                                         median of the round trips in ns
//	sink    tcp-sink                         counts octets
//	        udp-sink                         counts datagrams, and those that found
//	                                         no room in the socket
//
// Streams and flows go to successive addresses from ADDRESS on, because the
// default hash of an aggregate tells them apart by these; Addresses is how many
// there are. The line "stop" ends the sending and leaves the counts.
package load
