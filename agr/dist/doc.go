// Package dist decides which port a frame leaves through (Frame Distribution,
// IEEE 802.1AX-2014 6.2.4 and 6.2.7). A frame is hashed into one of 256
// conversations; a Table maps each conversation to a port.
//
//	frame -> Hash.Conversation -> Table[conversation] -> port number
//
// Rebalance moves as little as possible: a port that leaves gives only its own
// conversations away, a port that joins takes its fair share, and none moves
// between two others. The package is pure and allocates nothing for a frame.
package dist
