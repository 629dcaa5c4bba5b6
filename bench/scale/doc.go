// Package scale measures LACP with very many aggregates, all with the short
// timeout, so that every port sends and expects a LACPDU each second:
//
//	namespace A                        namespace B
//	  agr0     p0    ================= p0    agr0
//	           p1    ================= p1
//	  agr999   p1998 ================= p1998 agr999
//	           p1999 ================= p1999
//	  one process for all              another
//
// ifconfig has no word for the short timeout, so the processes are not agrd, but
// this program with the packages that agrd is made of. What they send is timed
// by the kernel of the other end, where a packet socket sees every LACPDU. Then
// the same is measured while the metrics of both are read.
package scale
