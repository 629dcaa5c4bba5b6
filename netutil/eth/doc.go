// Package eth asks Ethernet drivers about their link, and changes what they do
// with it.
//
//	Conn.Settings(name) -> Settings   speed, duplex, connector, link modes
//	Conn.Carrier(name)  -> bool       one system call, nothing allocated
//
//	Tool.Settings  SetLink            the same, and who sets the clock
//	Tool.Pause     SetPause           IEEE 802.3 31B
//	Tool.EEE       SetEEE             IEEE 802.3 78
//	Tool.Features  SetFeatures        offloads; AllFeatures of all interfaces at once
//
// What a driver does not know is the zero value, never an error: a virtual
// interface has no connector, many have no speed, and loopback answers nothing.
// Of the Tool's requests, those that a driver does not have are EOPNOTSUPP.
//
// A Conn uses the ethtool ioctl (netdevice(7), SIOCETHTOOL), because a poll must
// be one system call and because ioctl needs no family to be looked up when a
// program starts. A Tool asks by ethtool's generic netlink family, which dumps all
// interfaces at once and can change one thing without writing back the rest, and
// by ioctl where the kernel does not know a request:
//
//	request -> netlink -- EOPNOTSUPP or no family --> ioctl -> answer
package eth
