// Package dist decides which port a frame leaves through (Frame Distribution,
// IEEE 802.1AX-2014 6.2.4 and 6.2.7). A frame is hashed into one of 256
// conversations; a Table maps each conversation to a port.
//
//	frame -> Hash.Conversation -> Table[conversation] -> port number
//
// Rebalance moves as little as possible: a port that leaves gives only its own
// conversations away, a port that joins takes its fair share, and none moves
// between two others. The package is pure and allocates nothing for a frame.
//
// # The hash
//
// The hash is MurmurHash3 x86_32 with Hash.Seed as its seed, over a sequence of
// whole 32-bit words, so that its tail step never runs and a program of the
// kernel can compute it with loads, multiplications and rotations alone. The
// length that its last step mixes in is four times the number of words. "Load"
// means four octets of the frame, the first one in the least significant place;
// "number" means a field's value as the standard that defines it reads it.
//
//	word     what                                              when
//	0        load of octets 0..3: destination                  always
//	1        load of octets 4..7: destination, source          always
//	2        load of octets 8..11: source                      always
//	3        number: TCI of the outermost tag, 0 without one   always
//	4, 5, 6  loads of source and destination, number: protocol IPv4
//	4..11    loads of source and destination                   IPv6
//	12       number: flow label, 20 bits                       IPv6
//	last     load of source and destination port               L4 only
//
// A tag is TPID 0x8100 or 0x88a8. At most two are looked through to find IP; a
// frame that has a third is hashed by words 0 to 3. The TCI is all 16 bits:
// priority, drop eligible, VLAN.
//
// The IPv4 words are there when the type is 0x0800, the version is 4, the header
// length is at least 20 and the frame holds 20 octets of it; the IPv6 words when
// the type is 0x86dd, the version is 6 and the frame holds its 40 octets.
//
// The ports' word is there in mode L4 when the protocol is TCP, UDP or SCTP, the
// frame holds the four octets behind the IP header (IPv4: behind its options),
// and the packet is no fragment, neither the first nor a later one. No IPv6
// extension header is walked: a packet whose first next header is another than
// those three, a fragment header included, is hashed as in L3, so all fragments
// of a packet are in one conversation.
//
// A frame of fewer than 14 octets has no words, one whose tag is cut short has
// words 0 to 3 with TCI 0. The conversation is the sum's least significant octet.
package dist
