// Package user is the datapath in which every frame passes through this process:
// agrN is a TAP device, and each port has a pair of packet sockets. It needs
// nothing of the kernel but those two, so it runs where eBPF cannot, at the cost
// of copying each frame out of the kernel and back.
//
// Out, from the host to a port. One goroutine, the outbound, does all of it:
//
//  1. It reads as many frames as wait at the TAP device, up to a batch, each
//     behind its virtio_net_hdr: segmentation and checksums are still to be done,
//     by the port.
//  2. It loads the current program, once for the batch, and the time. When the
//     program is a new one, it first sends the frames that were held and are not
//     to be held any more.
//  3. A frame that belongs to a single link (ether.StaysOnPort) is dropped. Any
//     other is hashed into its conversation. If the program holds the conversation,
//     a copy of the frame is kept. Else the conversation says which port: if the
//     program wants another one than it has, it moves, at once when the old port
//     no longer distributes, else when it has been idle, with the old port's queue
//     empty. With link0 the ports take turns instead.
//  4. The frame is queued at the port, and behind the last frame each port sends
//     its queue with one system call. A port that refuses loses its own frames,
//     and never stops the others.
//
// A new program wakes the outbound, and whoever brought it waits until step 2, when
// nothing is under way by an older one: a Marker sent from then on is behind the
// last frame of what the new program holds.
//
// In, from a port to the host. Each port has one goroutine, its inbound:
//
//  1. It receives as many frames as wait at the port's socket, up to a batch, with
//     their virtio_net_hdr, and VLAN tags put back.
//  2. Frames that belong to a single link are left out; whoever they are for has
//     his own socket on the port.
//  3. It loads the current program, once for the batch. Unless the port collects,
//     the batch is dropped.
//  4. The rest is written to the TAP device, one frame a system call, since a TAP
//     device takes no more.
//
// The port's own protocol stack must not see data frames as well, or it would
// answer them twice: a shield takes them away behind the packet sockets (shield.go).
//
// The program is immutable and replaced as a whole, through an atomic pointer, so
// no frame takes a lock; a batch takes the lock of the port it is sent to, which
// only the port's removal contends for. What conversations remember belongs to the
// outbound alone; the others read copies of it. Nothing is allocated for a frame
// that is not held.
package user
