// Package ctl is the wire of agrd's control socket: an ioctl-shaped protocol
// over SOCK_SEQPACKET (design D4), its client and its server.
//
//	ifconfig -> Client -> one message {version, request, name, payload}
//	agrd     <- Server <- Handler
//	         -> one message {version, namespace, errno, payload}
//
// The requests are NetBSD's (SIOCIFCREATE, SIOCSETAGR, ...) with their
// structures little-endian and their buffers inline; what NetBSD has no request
// for is a command of SIOCGETAGR or SIOCSETAGR from 100 up. Errors travel as NetBSD's symbols
// and print as NetBSD's strings, whatever the numbers are on this system.
package ctl
