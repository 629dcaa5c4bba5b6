// Package ifcfg is the language of NetBSD's ifconfig(8): it parses a command
// line into operations, applies them, and prints the status of interfaces.
//
//	words -> Parse -> Command{Iface, Family, Ops}      nothing has happened yet
//	                      |
//	         no Ops: Session.Status     prints the interface
//	         Ops:    Session.Configure  applies them, ordered by Stage:
//	                   now:     create, destroy, flags, mtu, metric, agrport  (as written)
//	                   media:   the media change
//	                   address: the address change of the line's family
//	                   prefer:  the address preference
//	                   offload: what the interface does for the protocols, then for Ethernet
//	                      |
//	         Kernel (interfaces, addresses)   Aggr (agrd's interfaces and ports)
//
// The whole line is parsed before anything is done. What it needs from outside
// are the interfaces of kernel.go and aggr.go; package kerneltest has both in
// memory, package linux has the Kernel of this system.
//
// A feature is a file (inet.go, agr.go, media.go ...): it brings its keywords,
// the operations that they make, its sections of the status and its line of
// the usage text. The features are listed in features.go and nowhere else.
//
// Errors carry NetBSD's errno and print as NetBSD's ifconfig prints them,
// without the "ifconfig: " in front.
package ifcfg
