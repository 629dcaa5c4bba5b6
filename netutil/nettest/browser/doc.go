// Package browser drives a headless Chromium in a namespace, for tests of pages.
//
//	test -> Open, Eval, Screenshot -> JSON on a pipe -> Chromium in the namespace
//	test <- Complaints, Requests   <- events of the page
//
// It speaks the few words of the Chrome DevTools Protocol that a test needs, over
// the two descriptors of --remote-debugging-pipe: no port, and no library.
package browser
