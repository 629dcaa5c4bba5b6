package main

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
)

// late is how long after the last echo request an answer is waited for.
const late = 500 * time.Millisecond

// ping sends echo requests at a steady rate and keeps count.
type ping struct {
	conn     *icmp.PacketConn
	dst      net.Addr
	interval time.Duration
	quit     chan struct{}
	wg       sync.WaitGroup

	mu       sync.Mutex
	sent     int
	answered map[int]bool
	stopped  bool
}

// pingCount is what became of the echo requests so far. The newest, which may
// still be answered, are not in it.
type pingCount struct{ sent, lost int }

// startPing begins to ping an address from a namespace.
func startPing(ns *namespace, dst netip.Addr, interval time.Duration) (*ping, error) {
	p := &ping{
		dst:      &net.IPAddr{IP: dst.AsSlice()},
		interval: interval, quit: make(chan struct{}), answered: make(map[int]bool),
	}
	err := ns.do(func() (err error) {
		p.conn, err = icmp.ListenPacket("ip4:icmp", "0.0.0.0")
		return err
	})
	if err != nil {
		return nil, err
	}
	p.wg.Go(p.send)
	p.wg.Go(p.receive)
	return p, nil
}

func (p *ping) send() {
	tick := time.NewTicker(p.interval)
	defer tick.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-tick.C:
		}
		p.mu.Lock()
		seq := p.sent
		p.sent++
		p.mu.Unlock()
		m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: os.Getpid() & 0xffff, Seq: seq & 0xffff}}
		if b, err := m.Marshal(nil); err == nil {
			p.conn.WriteTo(b, p.dst) // what cannot be sent is not answered either
		}
	}
}

func (p *ping) receive() {
	b := make([]byte, 1500)
	for {
		n, _, err := p.conn.ReadFrom(b)
		if err != nil {
			return // closed
		}
		m, err := icmp.ParseMessage(1, b[:n])
		if err != nil || m.Type != ipv4.ICMPTypeEchoReply {
			continue
		}
		if echo, ok := m.Body.(*icmp.Echo); ok && echo.ID == os.Getpid()&0xffff {
			p.mu.Lock()
			p.answered[echo.Seq] = true
			p.mu.Unlock()
		}
	}
}

// count is the ledger of the requests that have had time to be answered.
func (p *ping) count() pingCount {
	p.mu.Lock()
	sent := p.sent
	p.mu.Unlock()
	time.Sleep(late)
	p.mu.Lock()
	defer p.mu.Unlock()
	c := pingCount{sent: sent}
	for seq := range sent {
		if !p.answered[seq&0xffff] {
			c.lost++
		}
	}
	return c
}

// stop ends the pings and returns the final ledger.
func (p *ping) stop() pingCount {
	p.mu.Lock()
	stopped := p.stopped
	p.stopped = true
	p.mu.Unlock()
	if stopped {
		return pingCount{}
	}
	close(p.quit)
	c := p.count()
	p.conn.Close()
	p.wg.Wait()
	return c
}
