// Command testsum runs the tests and ends with one line that says how they
// went. What follows its name is given to go test.
//
//	testsum -race -count=1 ./...
//
//	go test -json -> event -> summary -> one line for a package,
//	                                     the output of what failed,
//	                                     N passed, N failed, N skipped
//
// Its exit status is 0 only if tests ran, none failed, and each one that was
// skipped named the kernel feature that it found missing, with a message that
// contains "SKIP-FEATURE: name". A test that could run here and did not is a
// failure of the run.
package main
