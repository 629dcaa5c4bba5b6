// Command ifconfig configures network interfaces and prints their status, with the
// words and the output of NetBSD's ifconfig(8). See man/ifconfig.8.
//
//	argv -> getopt (options.go) -> ifcfg.Parse -> Session.Configure or Status
//	                                                |              |
//	                              ifcfg/linux: rtnetlink   ifcfg/agrclient: agrd
package main
