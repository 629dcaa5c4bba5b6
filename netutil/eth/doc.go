// Package eth asks Ethernet drivers about their link: speed, duplex, link modes,
// and, cheaply enough to poll, carrier.
//
//	Conn.Settings(name) -> Settings   speed, duplex, connector, link modes
//	Conn.Carrier(name)  -> bool       one system call, nothing allocated
//
// What a driver does not know is the zero value, never an error: a virtual
// interface has no connector, many have no speed, and loopback answers nothing.
//
// It uses the ethtool ioctl (netdevice(7), SIOCETHTOOL) and not ethtool's generic
// netlink family, because a poll must be one system call and because ioctl needs
// no family to be looked up when a program starts.
package eth
