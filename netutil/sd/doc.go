// Package sd speaks with a service manager, systemd(1) above all, as
// sd_notify(3) and sd_listen_fds(3) describe it: a datagram says how the service
// is, and sockets that the manager has made come as descriptors from 3 up.
//
//	manager -> LISTEN_FDS, LISTEN_PID     -> Sockets
//	manager -> NOTIFY_SOCKET              -> Notifier.Send -> manager
//	manager -> WATCHDOG_USEC, WATCHDOG_PID -> WatchdogInterval
//
// Without a manager there are no sockets and no watchdog, and what is sent goes
// nowhere: a program need not ask how it was started.
package sd
