package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"ifagr/netutil/ether"
)

// Version is the version of the file's format.
const Version = 1

// bootIDPath is where Linux says which boot this is (random(4)).
const bootIDPath = "/proc/sys/kernel/random/boot_id"

// Errors that Load tells apart. Each means that nothing is known.
var (
	ErrForeign = errors.New("written in another boot or network namespace")
	ErrCorrupt = errors.New("corrupt")
	// ErrVersion says that another version of this program has written it, which
	// knows what has to be undone.
	ErrVersion = errors.New("written by another version of this program")
)

// File is the whole state of a daemon.
type File struct {
	Version int    `json:"version"`
	BootID  string `json:"boot_id"`
	Netns   uint64 `json:"netns"` // SO_NETNS_COOKIE
	Agrs    []Agr  `json:"agrs"`
}

// Agr is one agr interface.
type Agr struct {
	Name      string     `json:"name"`
	Datapath  string     `json:"datapath,omitempty"`     // "kernel" or "user"; empty in old files
	Why       string     `json:"datapath_why,omitempty"` // it is that one
	LinkFlags uint16     `json:"link_flags"`             // link0-2
	System    ether.Addr `json:"system"`                 // LACP system id, zero without ports
	Seed      uint32     `json:"seed"`                   // of the distribution hash
	Options   Options    `json:"options"`                // DefaultOptions in old files
	Ports     []Port     `json:"ports"`                  // in the order of their agrport
}

// Port is one port and what it was before.
type Port struct {
	Name   string `json:"name"`
	Index  int    `json:"ifindex"`
	Number uint16 `json:"number"` // LACP port number
	// Priority is the LACP port priority, DefaultPriority in old files.
	Priority uint16 `json:"priority"`
	Undo     Undo   `json:"undo"`
	// TakenDown says that the daemon took the port down for a change of its
	// address, and must bring it up again.
	TakenDown bool `json:"taken_down,omitempty"`
	// Programs are the kernel's numbers of the eBPF programs that may be at its
	// ingress. In one boot no number is given twice.
	Programs []uint32 `json:"programs,omitempty"`
	// Groups are the link-layer groups that it was made to receive without a socket.
	Groups []ether.Addr `json:"groups,omitempty"`
	// Left says that it is no port any more, but has not got everything back.
	Left bool `json:"left,omitempty"`
}

// Undo is what a port gets back when it leaves.
type Undo struct {
	MAC         ether.Addr `json:"mac"`
	MTU         int        `json:"mtu"`
	AddrGenMode uint8      `json:"addr_gen_mode"` // rtnl.AddrGenMode; 0 where the kernel has no IPv6
	// What the user datapath changes where it has no eBPF: IFF_NOARP, and two
	// settings in the kernel's words, empty where there are none.
	NoARP       bool   `json:"noarp"`
	RPFilter    string `json:"rp_filter,omitempty"`
	DisableIPv6 string `json:"disable_ipv6,omitempty"`
}

// envelope carries a checksum of the exact octets of the body (CRC-32, IEEE).
type envelope struct {
	CRC32 uint32          `json:"crc32"`
	State json.RawMessage `json:"state"`
}

// Path is the state file of the network namespace with that cookie.
func Path(dir string, cookie uint64) string {
	return filepath.Join(dir, strconv.FormatUint(cookie, 10)+".json")
}

// BootID reads the identity of the running boot.
func BootID() (string, error) {
	b, err := os.ReadFile(bootIDPath)
	if err != nil {
		return "", fmt.Errorf("state: boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// Load reads the file at path. Without a file it returns an empty state and no
// error. A file of another boot or namespace gives ErrForeign; one in another
// format gives ErrVersion; one that is damaged gives ErrCorrupt and is renamed to
// path+".bad" by SetAside, not here.
func Load(path, bootID string, netns uint64) (File, error) {
	fresh := File{Version: Version, BootID: bootID, Netns: netns}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return fresh, fmt.Errorf("state: load: %w", err)
	}
	f, err := decode(b, bootID, netns)
	if err != nil {
		return fresh, fmt.Errorf("state: load %s: %w", path, err)
	}
	return f, nil
}

// decode reads the head first: of a file that is not for here and now, or in
// another format, nothing else has to be understood.
func decode(b []byte, bootID string, netns uint64) (File, error) {
	var head struct {
		Version int    `json:"version"`
		BootID  string `json:"boot_id"`
		Netns   uint64 `json:"netns"`
	}
	if err := open(b, &head); err != nil {
		return File{}, err
	}
	switch {
	case head.Version == 0:
		return File{}, fmt.Errorf("%w: it has no version", ErrCorrupt)
	case head.BootID != bootID || head.Netns != netns:
		return File{}, ErrForeign
	case head.Version != Version:
		return File{}, fmt.Errorf("%w: version %d, this program reads %d", ErrVersion, head.Version, Version)
	}
	var f File
	return f, open(b, &f)
}

// Save replaces the file at path atomically: a reader, or a successor after a
// crash, finds the old state or the new one, whole.
func Save(path string, f File) error {
	f.Version = Version
	if err := save(path, f); err != nil {
		return fmt.Errorf("state: save: %w", err)
	}
	return nil
}

// Remove deletes the file; it is not an error if there is none.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("state: remove: %w", err)
	}
	return nil
}

// SetAside renames a file that Load could not read, so that a person can look
// at it, and returns its new path.
func SetAside(path string) (string, error) {
	bad := path + ".bad"
	if err := os.Rename(path, bad); err != nil {
		return "", fmt.Errorf("state: set aside: %w", err)
	}
	return bad, nil
}

// Owner names the agr interface that the interface with that index and name is
// a port of, "" if it is none's.
func (f File) Owner(index int, name string) string {
	for _, a := range f.Agrs {
		for _, p := range a.Ports {
			if p.Index == index || index == 0 && p.Name == name {
				return a.Name
			}
		}
	}
	return ""
}
