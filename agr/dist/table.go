package dist

// Conversations is how many conversations an aggregate tells apart.
const Conversations = 256

// Table maps each conversation to the number of the port that it is sent
// through; 0 is no port.
type Table [Conversations]uint16

// Share is a port that may carry conversations and how much of them.
type Share struct {
	Port   uint16
	Weight uint64 // its speed; 0 counts as 1
}
