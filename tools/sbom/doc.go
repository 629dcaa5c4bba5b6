// Command sbom prints what programs consist of, as a CycloneDX bill of
// materials in JSON: the modules that the linker has put into them, with their
// versions and checksums, and the Go they were built with.
//
//	sbom bin/agrd bin/ifconfig >sbom.cdx.json
//
//	program -> debug/buildinfo -> modules of all of them, once -> JSON
//
// The same programs give the same octets: there is no time and no random number
// in it.
package main
