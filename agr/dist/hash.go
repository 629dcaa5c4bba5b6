package dist

// Mode is what of a frame makes it belong to a conversation.
type Mode uint8

// The modes of the extension word agrhash.
const (
	// L3 is what agr(4)'s manual names: destination and source address, VLAN
	// tag, IPv4 source, destination and protocol, IPv6 source, destination and
	// flow label.
	L3 Mode = iota
	L2      // destination, source, VLAN tag
	L4      // L3 and the ports of TCP, UDP and SCTP; fragments count as L3
)

// Hash maps frames to conversations. The zero value is L3 with seed 0.
type Hash struct {
	Mode Mode
	Seed uint32
}
