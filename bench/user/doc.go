// Command user measures the user datapath against one bare veth pair, in the
// same run and with the same traffic, and prints the ratios:
//
//	namespace A                          namespace B
//	  source -- bare ----------------------- bare -- sink       the yardstick
//	  source -- agr0 -- daemon == veth x 2 == daemon -- agr0 -- sink
//
// Each round measures both ways in random order, TCP with four streams and then
// small UDP datagrams; a ratio is of one round, and the result is the median of
// the rounds. Sources, sinks and daemons are processes of their own, as they
// would be. It needs root, makes two namespaces and removes them.
//
//	go run ./bench/user -rounds 7 -time 2s
package main
