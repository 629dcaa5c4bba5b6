// Command sim runs package agr/lacp/sim for a number of simulated hours and prints
// what was done and what went wrong. A seed is an hour. The first seed that fails is
// made as small as it goes and printed.
//
//	sim -hours 1000               seeds 1 to 1000
//	sim -seed 77 -hours 1 -trace  all that happens with seed 77
//	sim -file small.json -trace   the same of a scenario that -save has written
package main
