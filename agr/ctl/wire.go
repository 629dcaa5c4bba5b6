package ctl

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"ifagr/netutil/ether"
)

// Version is the version of the wire. A message of another version is answered,
// with EINVAL and a sentence, in a reply that any version can read: the first
// six octets of a reply never change their place.
const Version = 1

// MaxMessage is the most octets that one message may have, header included.
const MaxMessage = 64 << 10

// NameSize is the size of an interface name on the wire, the NUL included
// (IFNAMSIZ, the same on NetBSD and Linux).
const NameSize = 16

// Request says what is asked for. The values are group and number of NetBSD's
// ioctls of that name (sys/sockio.h).
type Request uint32

// The requests that agrd answers.
const (
	SIOCSIFFLAGS   Request = 'i'<<8 | 16  // payload: set, clear uint16 (IFF_LINK0-2)
	SIOCGIFFLAGS   Request = 'i'<<8 | 17  // reply: flags uint16
	SIOCSETAGR     Request = 'i'<<8 | 57  // payload: agrreq, port name
	SIOCGETAGR     Request = 'i'<<8 | 58  // payload: agrreq; reply depends on its command
	SIOCSIFLLADDR  Request = 'i'<<8 | 60  // payload: 6 octets
	SIOCIFGCLONERS Request = 'i'<<8 | 120 // reply: names of NameSize octets
	SIOCIFDESTROY  Request = 'i'<<8 | 121
	SIOCIFCREATE   Request = 'i'<<8 | 122
	SIOCSIFMTU     Request = 'i'<<8 | 127 // payload: int32
)

// AgrReqVersion is the only version of NetBSD's struct agrreq.
const AgrReqVersion = 2

// Command is the command of an agrreq. Those from 100 up are ours.
type Command uint32

// Commands of SIOCSETAGR (AddPort, RemovePort, SetOptions) and SIOCGETAGR (the
// others).
const (
	AddPort    Command = 1
	RemovePort Command = 2
	PortList   Command = 3
	GetStatus  Command = 100 // reply: Status as JSON
	Watch      Command = 101 // reply: a stream of Transition as JSON, one a message, the present state first; an empty name watches all
	GetOwner   Command = 102 // reply: name of the agr that the named interface is a port of, or zeros
	List       Command = 103 // reply: names of all agr interfaces, NameSize octets each
	SetOptions Command = 104 // buffer: settings, of which all take effect or none does
)

// firstOwnCommand is the first command that NetBSD's agr(4) does not have.
const firstOwnCommand = GetStatus

// flags of a reply.
const replyMore = 1 << 0 // the payload goes on in the next message

const (
	requestHeader = 2 + 2 + 4 + NameSize
	replyHeader   = 2 + 2 + 8 + symbolSize
	symbolSize    = 16
	agrReqSize    = 4 + 4 + 8
	portInfoSize  = NameSize + 4
)

// ErrMessage is the cause of every error about a message that cannot be read.
var ErrMessage = errors.New("malformed message")

// message is a request as it travels.
type message struct {
	version uint16
	code    Request
	name    string
	payload []byte
}

// reply is an answer as it travels.
type reply struct {
	version uint16
	flags   uint16
	netns   uint64
	errno   Errno
	payload []byte // of an error: a sentence that says more than its number
}

func (m message) append(b []byte) ([]byte, error) {
	if len(m.name) >= NameSize {
		return nil, fmt.Errorf("ctl: interface name %q: longer than %d octets: %w", m.name, NameSize-1, ErrMessage)
	}
	if requestHeader+len(m.payload) > MaxMessage {
		return nil, fmt.Errorf("ctl: payload of %d octets: %w", len(m.payload), ErrMessage)
	}
	b = binary.LittleEndian.AppendUint16(b, m.version)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(m.code))
	b = appendName(b, m.name)
	return append(b, m.payload...), nil
}

func parseMessage(b []byte) (message, error) {
	if len(b) < requestHeader {
		return message{}, fmt.Errorf("ctl: request of %d octets, need %d: %w", len(b), requestHeader, ErrMessage)
	}
	m := message{
		version: binary.LittleEndian.Uint16(b),
		code:    Request(binary.LittleEndian.Uint32(b[4:])),
		payload: b[requestHeader:],
	}
	var err error
	m.name, err = parseName(b[8:requestHeader])
	return m, err
}

func (r reply) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, r.version)
	b = binary.LittleEndian.AppendUint16(b, r.flags)
	b = binary.LittleEndian.AppendUint64(b, r.netns)
	var symbol [symbolSize]byte
	copy(symbol[:], r.errno.Symbol())
	b = append(b, symbol[:]...)
	return append(b, r.payload...)
}

func parseReply(b []byte) (reply, error) {
	if len(b) < replyHeader {
		return reply{}, fmt.Errorf("ctl: reply of %d octets, need %d: %w", len(b), replyHeader, ErrMessage)
	}
	r := reply{
		version: binary.LittleEndian.Uint16(b),
		flags:   binary.LittleEndian.Uint16(b[2:]),
		netns:   binary.LittleEndian.Uint64(b[4:]),
		payload: b[replyHeader:],
	}
	symbol, _, _ := bytes.Cut(b[12:replyHeader], []byte{0})
	var ok bool
	if r.errno, ok = ErrnoBySymbol(string(symbol)); !ok {
		return reply{}, fmt.Errorf("ctl: reply with the unknown error %q: %w", symbol, ErrMessage)
	}
	return r, nil
}

// agrReq is NetBSD's struct agrreq with its buffer inline.
type agrReq struct {
	version uint32
	cmd     Command
	buflen  uint64 // of a get: how much the caller takes, 0 to ask for the size
	buf     []byte
}

func (r agrReq) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, r.version)
	b = binary.LittleEndian.AppendUint32(b, uint32(r.cmd))
	b = binary.LittleEndian.AppendUint64(b, r.buflen)
	return append(b, r.buf...)
}

func parseAgrReq(b []byte) (agrReq, error) {
	if len(b) < agrReqSize {
		return agrReq{}, fmt.Errorf("ctl: agrreq of %d octets, need %d: %w", len(b), agrReqSize, ErrMessage)
	}
	return agrReq{
		version: binary.LittleEndian.Uint32(b),
		cmd:     Command(binary.LittleEndian.Uint32(b[4:])),
		buflen:  binary.LittleEndian.Uint64(b[8:]),
		buf:     b[agrReqSize:],
	}, nil
}

// appendPortList appends NetBSD's struct agrportlist.
func appendPortList(b []byte, ports []PortInfo) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(ports)))
	for _, p := range ports {
		b = appendName(b, p.Name)
		b = binary.LittleEndian.AppendUint32(b, uint32(p.Flags))
	}
	return b
}

func portListSize(n int) int { return 4 + portInfoSize*n }

func parsePortList(b []byte) ([]PortInfo, error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("ctl: port list of %d octets: %w", len(b), ErrMessage)
	}
	n := uint64(binary.LittleEndian.Uint32(b))
	b = b[4:]
	if uint64(len(b)) != n*portInfoSize {
		return nil, fmt.Errorf("ctl: port list of %d ports in %d octets: %w", n, len(b), ErrMessage)
	}
	ports := make([]PortInfo, 0, n)
	for ; len(b) > 0; b = b[portInfoSize:] {
		name, err := parseName(b[:NameSize])
		if err != nil {
			return nil, err
		}
		ports = append(ports, PortInfo{Name: name, Flags: PortFlags(binary.LittleEndian.Uint32(b[NameSize:]))})
	}
	return ports, nil
}

func appendNames(b []byte, names []string) []byte {
	for _, n := range names {
		b = appendName(b, n)
	}
	return b
}

func parseNames(b []byte) ([]string, error) {
	if len(b)%NameSize != 0 {
		return nil, fmt.Errorf("ctl: names in %d octets: %w", len(b), ErrMessage)
	}
	names := make([]string, 0, len(b)/NameSize)
	for ; len(b) > 0; b = b[NameSize:] {
		n, err := parseName(b[:NameSize])
		if err != nil {
			return nil, err
		}
		names = append(names, n)
	}
	return names, nil
}

// appendName appends a name as a NUL-padded field. A longer one is cut, as
// NetBSD cuts a port's name; interface names were checked before.
func appendName(b []byte, name string) []byte {
	var field [NameSize]byte
	copy(field[:NameSize-1], name)
	return append(b, field[:]...)
}

func parseName(b []byte) (string, error) {
	name, rest, ok := bytes.Cut(b, []byte{0})
	if !ok {
		return "", fmt.Errorf("ctl: interface name %q: no NUL: %w", b, ErrMessage)
	}
	if len(bytes.Trim(rest, "\x00")) != 0 {
		return "", fmt.Errorf("ctl: interface name %q: octets behind its NUL: %w", name, ErrMessage)
	}
	return string(name), nil
}

func parseMAC(b []byte) (ether.Addr, error) {
	a, ok := ether.FromSlice(b)
	if !ok {
		return a, fmt.Errorf("ctl: address of %d octets: %w", len(b), ErrMessage)
	}
	return a, nil
}
