// Package picture shows the state of aggregates to people, as a page and as
// text. It decides what is said about a port, and reads no clock, socket or file:
//
//	ctl.Status, now and a moment ago -> Look -> Agr -> Fragment: HTML of one aggregate
//	ctl.Transition                   -> Event       -> Row: HTML of one line
//	Page{Agrs, Events}                              -> Static: a page that stands for itself
//	                                                -> Live: one that a server keeps up to date
//	                                                -> Text
//
// The page is one file without anything from elsewhere. Its Content-Security-Policy
// allows the style and the program that are in it, by their hashes, and nothing
// else; nothing in it depends on colour alone. The program (live.js) takes
// fragments from a stream of events and patches them in.
package picture
