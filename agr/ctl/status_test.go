package ctl

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fields lists every field of the JSON of a type, below a path.
func fields(t reflect.Type, path string, into map[string]bool) {
	switch t.Kind() {
	case reflect.Pointer:
		fields(t.Elem(), path, into)
		return
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			fields(t.Elem(), path+"[]", into)
			return
		}
	}
	_, isText := reflect.PointerTo(t).MethodByName("UnmarshalText")
	if t.Kind() != reflect.Struct || isText {
		return
	}
	for f := range t.Fields() {
		if f.Anonymous {
			fields(f.Type, path, into)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		at := strings.TrimPrefix(path+"."+name, ".")
		into[at] = true
		fields(f.Type, at, into)
	}
}

// documented lists the fields that a section of docs/status.md has.
func documented(t *testing.T, section string) map[string]bool {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "status.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(b), "\n## "+section+"\n")
	if !ok {
		t.Fatalf("no section %s", section)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	has := make(map[string]bool)
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]*)` \\|").FindAllStringSubmatch(text, -1) {
		has[m[1]] = true
	}
	return has
}

// The schema of what ifconfig -j and agrd monitor -j print is written down: every
// field, and no other.
func TestSchemaIsDocumented(t *testing.T) {
	for section, typ := range map[string]reflect.Type{
		"Status": reflect.TypeFor[Status](), "Transition": reflect.TypeFor[Transition](),
	} {
		has := make(map[string]bool)
		fields(typ, "", has)
		want, got := slices.Sorted(maps.Keys(has)), slices.Sorted(maps.Keys(documented(t, section)))
		if d := cmp.Diff(want, got); d != "" || len(want) < 5 {
			t.Errorf("docs/status.md, %s (-code +document):\n%s", section, d)
		}
	}
}
