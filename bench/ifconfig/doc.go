// Command ifconfig measures our ifconfig beside ip and net-tools' ifconfig on a
// machine with thousands of interfaces. README.md says how to read what it
// prints.
//
//	few:  a network namespace with lo and a veth pair
//	many: another with thousands, an address on each
//
//	each round: each command once in its namespace, in an order that changes
//	    from round to round -> time, CPU time
//	at the end: each command once more, stopped at its exit -> memory
package main
