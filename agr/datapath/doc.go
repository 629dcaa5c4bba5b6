// Package datapath says what a datapath is: the part of an aggregate that moves
// data frames between agrN and its ports. It decides nothing; the owner
// goroutine of package agr tells it which ports there are, which of them collect
// and which port each conversation belongs to.
//
//	agr0 -> dist.Hash -> conversation -> Device's table -> port
//	port -> collecting? -> agr0
//
// Frames that belong to one link (ether.StaysOnPort) never cross.
package datapath
