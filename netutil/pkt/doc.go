// Package pkt sends and receives whole Ethernet frames on one physical port
// through packet(7) sockets. It has one type for each of the uses that an
// aggregate has for them:
//
//	Slow    slow-protocol frames to and from the daemon (0x8809 only)
//	Data    data frames in batches, with virtio_net_hdr and VLAN tags
//	Sender  data frames one by one, outwards only
//	Groups  group addresses and promiscuous mode, as long as it is open
//
// A socket is made with protocol 0, which receives nothing, then set up, then
// bound, so that no frame of another interface or from before its options
// reaches it. Everything that a socket holds of its port goes with the socket,
// also when the process dies.
//
// The sockets of Slow and Groups are mdlayher/socket's, which brings the runtime's
// poller, deadlines, and Close from another goroutine; mdlayher/packet on top of
// it hides what is needed here, the packet type and PACKET_AUXDATA. Those of Data
// and Sender are bare: being known to the poller costs a fifth of what a small
// frame costs in all.
//
// # Tags
//
// The kernel takes the outermost VLAN tag out of a received frame and reports it
// beside the frame. Batch puts it back where it was. A priority tag (VLAN 0) is
// lost to a socket that is bound to one protocol, not to one that is bound to
// all.
package pkt
