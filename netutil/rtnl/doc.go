// Package rtnl reads and changes network interfaces and their addresses over
// rtnetlink, and says when to look again.
//
//	Conn.Links, LinkByName, LinkByIndex -> Link    one dump, or one request
//	Conn.Addrs(index, family)           -> []Addr  filtered by the kernel
//	Conn.SetUp, SetMTU, SetAddr, AddAddr, ...      one acknowledged request each
//	Conn.Queue(index) -> Queue                     what waits to be sent
//	Conn.AddClsact, AddClassifier, ...             programs that see what arrives
//	Watch -> Watcher.C                             "look again", never what changed
//
// What is read is plain data, decoded in one pass; nothing is cached. Looking up
// one interface costs the same whether there are five interfaces or five
// thousand.
//
// A Conn and a Watcher belong to the network namespace of the thread that opened
// them, for good, whatever thread uses them later. Multicast reads a file of
// /proc instead and so follows the calling thread. A caller that works in
// another namespace than its process locks its goroutine to a thread first.
//
// Errors read `rtnl set mtu re0: invalid argument` and carry the kernel's number:
//
//	var errno unix.Errno
//	if errors.As(err, &errno) && errno == unix.EBUSY { ... }
//	if errors.Is(err, rtnl.ErrNotFound) { ... } // the interface is not there
package rtnl
