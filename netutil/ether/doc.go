// Package ether holds what every layer of ifagr agrees on about Ethernet: the
// address type, the EtherTypes and group addresses that matter to link
// aggregation, and a header parser that allocates nothing.
//
// It imports nothing of ours and does no I/O.
package ether
