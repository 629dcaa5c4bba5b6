// Package netstart configures the interfaces of a machine from NetBSD's files:
// ifconfig.xxN with the arguments of one ifconfig on each line, the variables
// ifconfig_xxN and ifaliases_xxN of rc.conf, and ifaliases. See
// man/ifconfig.if.5.
//
//	ifconfig -l, -C, the files -> plan.go: which interfaces, in which order
//	    for each: create it when it is missing, then each line of its script:
//	      lines.go  join lines, leave comments out
//	      words.go  quotes and backslashes, as a shell has them
//	      run.go    ifcfg.Parse and Session.Configure, or the shell for !command
//	    aliases.go: the additional inet addresses of all
//
// No line is run by a shell but those that begin with an exclamation mark, and
// these only from a file that nobody but root could have written. A line that
// fails is reported with its file and number, and the next one is run.
package netstart
