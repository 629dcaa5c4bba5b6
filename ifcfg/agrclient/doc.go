// Package agrclient is ifcfg's Aggr on this system: requests to agrd over its
// control socket (design D4). Both programs use it.
//
//	Create -> connect -> no daemon: start the agrd beside this program -> wait -> request
//	others -> connect -> no daemon: ENXIO; Owner: the state file that it has left
//
// Two programs that create at once start one daemon.
package agrclient
