// Package web serves the picture of a daemon's aggregates to browsers on the same
// machine, and keeps it up to date. It is a client of the daemon like any other:
// it needs no privilege, and outlives it.
//
//	Daemon.Watch  -> follower.events -> \
//	                                     board: what there is to see, each piece with
//	Daemon.Status -> follower.look   -> /       the number of its last change
//	                                     |
//	              GET /        a whole page
//	              GET /events  Server-Sent Events: the pieces that are newer than what
//	                           this browser has, again and again
//
// A browser that is slow gets the newest pieces and not those between, and is told
// how many transitions it has missed. Nothing is asked of the daemon while nobody
// looks, except for its transitions.
//
// Only requests are answered whose Host header names this machine's loopback: a
// page of somebody else whose name was made to point here gets nothing.
package web
