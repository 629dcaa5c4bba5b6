package main

import (
	"cmp"
	"debug/buildinfo"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// run prints the bill of the programs at these paths.
func run(paths []string, w io.Writer) error {
	b := bill{modules: make(map[string]cdx.Component)}
	for _, path := range paths {
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return err
		}
		b.add(filepath.Base(path), info)
	}
	enc := cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON)
	return enc.SetPretty(true).SetEscapeHTML(false).Encode(b.document())
}

// bill is what has been found so far.
type bill struct {
	programs []cdx.Component
	modules  map[string]cdx.Component // by their package URL
	uses     []cdx.Dependency         // of the programs
}

// add takes what one program consists of.
func (b *bill) add(name string, info *debug.BuildInfo) {
	program := cdx.Component{BOMRef: "program:" + name, Type: cdx.ComponentTypeApplication, Name: name}
	b.programs = append(b.programs, program)
	refs := []string{b.use("std", info.GoVersion, "")}
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		refs = append(refs, b.use(dep.Path, dep.Version, dep.Sum))
	}
	slices.Sort(refs)
	b.uses = append(b.uses, cdx.Dependency{Ref: program.BOMRef, Dependencies: &refs})
}

// use notes a module and returns its name in the bill. sum is go.sum's.
func (b *bill) use(path, version, sum string) string {
	url := "pkg:golang/" + path + "@" + version
	c := cdx.Component{BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: url}
	if sum != "" {
		c.Properties = &[]cdx.Property{{Name: "go:sum", Value: sum}}
	}
	b.modules[url] = c
	return url
}

// document puts all in order.
func (b *bill) document() *cdx.BOM {
	all := slices.Clone(b.programs)
	for _, c := range b.modules {
		all = append(all, c)
	}
	slices.SortFunc(all, func(x, y cdx.Component) int { return cmp.Compare(x.BOMRef, y.BOMRef) })
	doc := cdx.NewBOM()
	doc.Metadata = &cdx.Metadata{Component: &cdx.Component{BOMRef: "ifagr", Type: cdx.ComponentTypeApplication, Name: "ifagr"}}
	doc.Components = &all
	doc.Dependencies = &b.uses
	return doc
}
