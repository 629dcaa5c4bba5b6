package slow_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

const captures = "../../testdata/captures"

// readCapture returns the frames of a classic little-endian pcap file.
func readCapture(t testing.TB, path string) [][]byte {
	t.Helper()
	const magic, fileHeader, frameHeader = 0xa1b2c3d4, 24, 16
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) < fileHeader || binary.LittleEndian.Uint32(b) != magic {
		t.Fatalf("%s: not a pcap file", path)
	}
	var frames [][]byte
	for b = b[fileHeader:]; len(b) >= frameHeader; {
		end := frameHeader + int(binary.LittleEndian.Uint32(b[8:]))
		if end > len(b) {
			t.Fatalf("%s: cut short", path)
		}
		frames = append(frames, b[frameHeader:end])
		b = b[end:]
	}
	if len(frames) == 0 {
		t.Fatalf("%s: no frames", path)
	}
	return frames
}

// everyCapture calls f with each frame of each capture.
func everyCapture(t testing.TB, f func(file string, number int, frame []byte)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(captures, "*.pcap"))
	if err = errors.Join(err, errNone(files)); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for i, frame := range readCapture(t, file) {
			f(filepath.Base(file), i+1, frame)
		}
	}
}

func errNone(files []string) error {
	if len(files) == 0 {
		return errors.New("no captures in " + captures)
	}
	return nil
}
