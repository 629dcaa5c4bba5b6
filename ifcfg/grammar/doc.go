// Package grammar is the engine behind the ifconfig language: a small parser
// whose sentences are described by nodes, and which knows no network verb.
//
// A language is a graph of nodes. Each node looks at one word and either takes
// it, and names the node for the next word, or leaves it alone:
//
//	            +--> Keywords  up down mtu ...  --+
//	Iface ----> Branch --> Addr   a positional    +--> back to the Branch
//	            +--> End       the line may stop  |
//	                 mtu --> Integer -------------+
//
// The values of the words taken since the last emission are the arguments of
// the next one: "mtu" takes no value, Integer adds the number, and its Emit
// makes an operation of it. Parse returns the operations of the whole line or
// an error, and never a part of them.
//
// The rules that depend on what came before ("only once", "only after") are
// facts: a word may set a Fact, ask for one, or refuse to follow one. A word
// that may not come yet is not recognised at all, so that another node of the
// same Branch may take it; that is how NetBSD's ifconfig(8) tries such a word
// as an address.
//
// The parser keeps its position in one value on the stack of Parse: there is
// no cursor outside it, and nothing here panics or does I/O.
package grammar
