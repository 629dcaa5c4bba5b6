// Package nettest gives tests a network of their own: namespaces, links between
// them, an independent LACP implementation at the far end, and numbered traffic
// that tells what was lost on the way. Only tests may import it.
//
//	a, b := nettest.New(t), nettest.New(t)         two namespaces
//	nettest.Veth(a, "re0", b, "q0")                one link
//	nettest.Veth(a, "re1", b, "q1")                another
//	far := nettest.StartOVS(t, b, nettest.OVSConfig{Ports: []string{"q0", "q1"}})
//	a.Run("ip", "link", "show")                    a program inside
//	a.Do(func() { rtnl.Open() })                   our own code inside
//	nettest.Eventually(t, 5*time.Second, func() error { ... far.Show() ... })
//
// Everything is removed when the test ends, failed or not. Namespaces are named
// ifagr-PID-nN, so that what a killed test left behind is found by the next one
// and `ip netns exec` works while one looks for a mistake.
//
// A test that needs root or a Debian package fails without it, with a sentence
// that says how to get it. It is skipped only when the kernel lacks a feature,
// with the message `SKIP-FEATURE: NAME`.
package nettest
