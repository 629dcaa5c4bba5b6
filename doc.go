// Package ifagr is NetBSD's ifconfig(8) and agr(4) link aggregation for Linux.
// It has no code of its own: this directory holds the rules that bind the
// packages below it, as tests.
//
//	cmd/ifconfig -> ifcfg -> Linux, through rtnetlink and ethtool
//	     |
//	     +-> agr/ctl ... cmd/agrd -> agr -> agr/lacp, agr/marker, agr/dist (pure)
//	                                    -> agr/datapath -> agrN and its ports
//
// README.md tells what the programs do, CONTRIBUTING.md how the code is kept.
package ifagr
