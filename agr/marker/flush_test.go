package marker_test

import (
	"testing"
	"time"

	"ifagr/agr/marker"
	"ifagr/agr/slow"
	"ifagr/netutil/ether"
)

const ms = time.Millisecond

var asker = marker.FlushConfig{
	Source: own, System: ether.Addr{2, 0, 0, 0, 0, 9}, Port: 3, TransactionID: 0xffffffff,
}

// with changes a configuration.
func with(f func(*marker.FlushConfig)) marker.FlushConfig {
	c := asker
	f(&c)
	return c
}

// sent lets a Flush do what is due at a time and reads the Marker that it sends.
func sent(t *testing.T, f *marker.Flush, now time.Duration) (slow.Marker, bool) {
	t.Helper()
	b := f.Advance(nil, now)
	if b == nil {
		return slow.Marker{}, false
	}
	m, err := slow.ParseMarker(b)
	if err != nil || ether.Addr(b[6:12]) != own || ether.Addr(b[:6]) != ether.SlowProtocols {
		t.Fatalf("frame %x: %v", b, err)
	}
	return m, true
}

// answer is the far end's to a Marker.
func answer(m slow.Marker) slow.Marker {
	m.Type = slow.MarkerResponse
	return m
}

// M7: over with the response to any of its Markers, and with nothing else.
func TestFlush_6_5_2_Answered(t *testing.T) {
	tests := []struct {
		name string
		m    func(first, second slow.Marker) slow.Marker
		want bool
	}{
		{"first", func(a, _ slow.Marker) slow.Marker { return answer(a) }, true},
		{"second", func(_, b slow.Marker) slow.Marker { return answer(b) }, true},
		{"one that was not sent", func(_, b slow.Marker) slow.Marker { b.TransactionID++; return answer(b) }, false},
		{"one of before", func(a, _ slow.Marker) slow.Marker { a.TransactionID--; return answer(a) }, false},
		{"another port", func(a, _ slow.Marker) slow.Marker { a.RequesterPort++; return answer(a) }, false},
		{"another system", func(a, _ slow.Marker) slow.Marker { a.RequesterSystem[0]++; return answer(a) }, false},
		{"no response", func(a, _ slow.Marker) slow.Marker { return a }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := marker.BeginFlush(asker, 0)
			first, ok1 := sent(t, f, 0)
			second, ok2 := sent(t, f, marker.AskAgain)
			if !ok1 || !ok2 || first.TransactionID == second.TransactionID {
				t.Fatalf("Markers %+v %v, %+v %v", first, ok1, second, ok2)
			}
			if got := f.Received(tt.m(first, second)); got != tt.want || f.Over() != tt.want || f.Answered() != tt.want {
				t.Errorf("taken %v, over %v, answered %v, want %v", got, f.Over(), f.Answered(), tt.want)
			}
		})
	}
}

// No answer before a Marker was sent, and none twice.
func TestFlush_6_5_2_Unasked(t *testing.T) {
	f := marker.BeginFlush(with(func(c *marker.FlushConfig) { c.Queues = true }), 0)
	early := slow.Marker{Type: slow.MarkerResponse, RequesterPort: 3, RequesterSystem: asker.System, TransactionID: 0xffffffff}
	if f.Received(early) || f.Over() {
		t.Error("an answer counted before anything was asked")
	}
	f.QueueEmpty(0)
	m, _ := sent(t, f, marker.RingWait)
	if !f.Received(answer(m)) || f.Received(answer(m)) {
		t.Error("the answer did not count once")
	}
}

// Nothing is asked while a frame may wait in front of the Marker.
func TestFlush_6_5_2_BehindTheData(t *testing.T) {
	f := marker.BeginFlush(with(func(c *marker.FlushConfig) { c.Queues = true }), 5*time.Second)
	for now := 5 * time.Second; now < 5*time.Second+20*ms; now += ms {
		if _, ok := sent(t, f, now); ok || !f.WantsQueue() {
			t.Fatalf("at %v: asked %v, wants the queue %v", now, ok, f.WantsQueue())
		}
	}
	f.QueueEmpty(5*time.Second + 20*ms)
	if _, ok := sent(t, f, 5*time.Second+20*ms); ok {
		t.Error("asked before the hardware can have sent what it has")
	}
	if _, ok := sent(t, f, 5*time.Second+20*ms+marker.RingWait); !ok {
		t.Error("not asked")
	}
}

// run lets a Flush go on by itself, without an answer, until it is over; it gives
// the number of Markers and the time.
func run(t *testing.T, f *marker.Flush) (markers int, end time.Duration) {
	t.Helper()
	for range 1000 {
		at, ok := f.Deadline()
		if !ok {
			return markers, end
		}
		if _, ok := sent(t, f, at); ok {
			markers++
		}
		end = at
	}
	t.Fatal("never over")
	return 0, 0
}

// Every Flush ends, and when is stated.
func TestFlush_6_2_7_NoAnswer(t *testing.T) {
	tests := []struct {
		name    string
		cfg     marker.FlushConfig
		markers int
		want    time.Duration
	}{
		{"far end says nothing", asker, 4, marker.Patience},
		{"slow Collector", with(func(c *marker.FlushConfig) { c.MaxDelay = 600 * ms }), 5, 610 * ms},
		{"known to be silent", with(func(c *marker.FlushConfig) { c.Silent = true }), 0, marker.Settle},
		{"silent and slow", with(func(c *marker.FlushConfig) { c.Silent, c.MaxDelay = true, 50*ms }), 0, 60 * ms},
		{
			"queue that is never empty", with(func(c *marker.FlushConfig) { c.Queues = true }),
			4, marker.QueueWait + marker.Patience,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := marker.BeginFlush(tt.cfg, 0)
			markers, end := run(t, f)
			if markers != tt.markers || end != tt.want || f.Answered() {
				t.Errorf("%d Markers, over after %v, answered %v; want %d, %v, false", markers, end, f.Answered(), tt.markers, tt.want)
			}
		})
	}
}

// FuzzFlush lets anything happen to a Flush for a while, and then only time pass. Each
// octet of a life is what happens, and after how long.
//
// It is over within the stated time, keeps to the budget of a slow protocol, and is
// answered only if it was.
func FuzzFlush(f *testing.F) {
	f.Add(true, false, uint16(0), []byte{0x05, 0x45, 0x85, 0xc5})
	f.Add(false, false, uint16(600), []byte{0x9e, 0x9e, 0x9e, 0x9e, 0xc0})
	f.Add(false, true, uint16(50), []byte{0xc1, 0x41})
	f.Add(true, false, uint16(20), []byte{0x81, 0x81, 0x81, 0x42, 0x80, 0xc8})
	f.Fuzz(func(t *testing.T, queues, silent bool, delay uint16, life []byte) {
		cfg := with(func(c *marker.FlushConfig) {
			c.Queues, c.Silent, c.MaxDelay = queues, silent, time.Duration(delay)*10*time.Microsecond
		})
		l := &flushLife{flush: marker.BeginFlush(cfg, 0)}
		for _, b := range life[:min(len(life), 200)] {
			l.now += time.Duration(b&0x3f) * ms
			l.happens(t, b>>6)
		}
		late := l.now
		for at, ok := l.flush.Deadline(); ok; at, ok = l.flush.Deadline() {
			l.now = max(l.now, at)
			l.advance(t)
		}
		longest := marker.QueueWait + marker.RingWait + max(marker.Patience, cfg.MaxDelay+marker.Settle)
		if l.now > late+longest || l.markers > marker.ResponseLimit || silent && l.markers > 0 || l.flush.Answered() != l.answered {
			t.Errorf("over at %v, of which %v had passed, %d Markers, answered %v, want %v", l.now, late, l.markers, l.flush.Answered(), l.answered)
		}
	})
}

// flushLife is a Flush to which something happens.
type flushLife struct {
	flush    *marker.Flush
	now      time.Duration
	markers  int
	last     slow.Marker
	answered bool
}

func (l *flushLife) happens(t *testing.T, what byte) {
	switch {
	case what == 0:
		l.flush.QueueEmpty(l.now)
	case what == 1 && l.markers > 0:
		over := l.flush.Over()
		if l.flush.Received(answer(l.last)) == over {
			t.Errorf("over %v, but the answer says otherwise", over)
		}
		l.answered = l.answered || !over
	case what == 2:
		l.advance(t)
	case l.flush.Received(l.last):
		t.Errorf("%+v is no answer", l.last)
	}
}

// advance does what is due, which must move the deadline on.
func (l *flushLife) advance(t *testing.T) {
	if m, ok := sent(t, l.flush, l.now); ok {
		l.markers, l.last = l.markers+1, m
	}
	if at, ok := l.flush.Deadline(); ok && at <= l.now-ms {
		t.Fatalf("at %v something is due at %v", l.now, at)
	}
}
