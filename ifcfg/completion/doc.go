// Package completion writes the completions of the shells bash and zsh for
// ifconfig, out of the grammar that its parser uses:
//
//	ifcfg.Places (the grammar as a machine) -> Bash, Zsh -> completion/
//
// Nothing that is shipped imports it; its test compares the files with what it
// writes, and -update rewrites them.
package completion
