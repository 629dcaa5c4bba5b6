package kernel_test

import (
	"errors"
	"slices"
	"testing"

	"ifagr/agr/datapath"
	"ifagr/agr/datapath/kernel"
	"ifagr/netutil/hook"
)

// TestNote: a program is told of before it is at the port, and is not there when that
// fails. Who was told can take it away, and what he tells the next device goes with it.
func TestNote(t *testing.T) {
	a, _ := cables(t, hook.TCX)
	a.start()
	index := a.index("re0")
	there := func() (ids []uint32) {
		list, err := hook.List(index)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			ids = append(ids, uint32(p.ID))
		}
		return ids
	}
	var told []uint32
	refused := errors.New("refused")
	port := datapath.Port{Number: 9, Index: index, Name: "re0"}
	a.Do(func() {
		if err := a.dev.RemovePort(1); err != nil {
			t.Fatal(err)
		}
		port.Note = func(uint32) error { return refused }
		if err := a.dev.AddPort(port); !errors.Is(err, refused) || len(there()) != 0 {
			t.Errorf("%v, and there are %v", err, there())
		}
		port.Note = func(program uint32) error {
			told = append(told, program)
			if got := there(); len(got) != 0 {
				t.Errorf("there already: %v", got)
			}
			return nil
		}
		if err := a.dev.AddPort(port); err != nil || len(told) != 1 || !slices.Equal(there(), told) {
			t.Errorf("%v, told %v, there are %v", err, told, there())
		}
		if err := kernel.Unhook(index, told); err != nil || len(there()) != 0 {
			t.Errorf("%v, there are %v", err, there())
		}
	})
}
