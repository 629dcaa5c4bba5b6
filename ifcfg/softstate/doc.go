// Package softstate remembers what NetBSD's kernel would know of interfaces and
// Linux's does not: the metric, where the counters began again, and interfaces
// that exist before there is anything for them to stand on.
//
//	Load -> State                      what is known; nothing when in doubt
//	Update(change) -> State on disk    under a lock, atomically
//
// There is one file for each network namespace, named after its cookie. A file
// is believed when it belongs to root or to the user of this process, in the
// boot that it was written in, and what it says about an interface only as long
// as that is still the same one. Nothing needs the file: without it interfaces
// have a metric of 0 and counters that began with them.
package softstate
