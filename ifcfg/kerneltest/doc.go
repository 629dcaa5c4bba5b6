// Package kerneltest has the outside world of ifconfig in memory: a Kernel and
// an Aggr that behave as Linux and agrd do, as far as ifconfig can tell, and
// that write down every change they are asked for.
package kerneltest
