// Package lacptest is a scripted network for tests of package lacp: systems,
// the cables between their ports, and a virtual clock. The same script gives the
// same run, to the octet.
//
//	Node --Ready--> frame --> Link (delay, loss, cut) --> frame --Received--> Node
//	  ^                                                                        |
//	  +------------- the Network's queue and the Nodes' Deadlines <------------+
//
// A test connects ports, lets time pass with Run or RunUntil, breaks things in
// between, and looks at Status, at the Frames that were sent and at the Changes of
// state. After each step the Network checks what must hold in every state (Watch),
// and remembers the first violation for Err.
//
// What can be broken, each direction of a Link for itself: its carrier and speed;
// frames that are lost (Cut, Drop, Lose), doubled (Duplicate), damaged (Corrupt),
// late or out of order (Delay, Jitter), sent back (Reflect), or not what an honest
// partner would say (Edit); cables that are exchanged (Swap). A Node can be stopped
// and started, kept from its work (Pause), put to sleep (Jump), and configured
// anew in any state.
package lacptest
