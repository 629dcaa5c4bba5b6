// Package tap makes TAP devices, network interfaces whose far side is a file
// descriptor of this process, and adopts persistent ones (Linux, tun(4) and the
// kernel's Documentation/networking/tuntap.rst).
//
//	host stack -> agr0 -> Device.Read    (virtio_net_hdr, then the frame)
//	host stack <- agr0 <- Device.Write   (the same)
//
// Every frame is preceded by a virtio_net_hdr of HeaderLen octets in the
// machine's byte order, in both directions, so that segmentation and checksums
// stay where they are: unfinished, for the device that the frame leaves through.
//
// A device is made not persistent and becomes it as the last step, so nothing is
// left behind when a step fails or the process dies in the middle. Its owner is
// set as the first step, because /dev/net/tun is open to everybody and a
// persistent TAP without owner would be anybody's.
package tap
