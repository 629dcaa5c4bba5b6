package kernel

// PortProgram is the name of the program at a port's ingress, by which one that a
// killed daemon has left is found.
const PortProgram = agrProgAgrIn
