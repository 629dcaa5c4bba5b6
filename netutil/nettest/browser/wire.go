package browser

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// answerWait is how long Chromium may take to answer.
const answerWait = 20 * time.Second

// args are the parameters of a command.
type args map[string]any

// message is a command, an answer or an event, as it travels.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// event is what is read of an event's parameters.
type event struct {
	Params struct {
		Entry struct{ Level, Text, URL string } // Log.entryAdded
		Type  string                            // Runtime.consoleAPICalled
		Args  []struct{ Value any }

		ExceptionDetails struct { // Runtime.exceptionThrown
			Text      string
			Exception struct{ Description string }
		}
		Request struct{ URL string } // Network.requestWillBeSent
	}
}

// wire is the pipe to Chromium: JSON, each followed by a NUL.
type wire struct {
	mu         sync.Mutex
	w          io.Writer
	last       int
	waiting    map[int]chan message
	complaints []string
	requests   []string
}

func newWire(r io.Reader, w io.Writer) *wire {
	c := &wire{w: w, waiting: make(map[int]chan message)}
	go c.read(bufio.NewReader(r))
	return c
}

// read takes in answers and events until the pipe ends.
func (c *wire) read(r *bufio.Reader) {
	for {
		b, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		b = bytes.TrimRight(b, "\x00")
		var m message
		if json.Unmarshal(b, &m) != nil {
			continue
		}
		c.mu.Lock()
		if answer := c.waiting[m.ID]; answer != nil {
			delete(c.waiting, m.ID)
			answer <- m
		} else {
			c.note(m.Method, b)
		}
		c.mu.Unlock()
	}
}

// note remembers what an event says. The caller has the lock.
func (c *wire) note(method string, b []byte) {
	var e event
	if json.Unmarshal(b, &e) != nil {
		return
	}
	p := e.Params
	switch {
	case method == "Log.entryAdded" && p.Entry.Level == "error":
		c.complaints = append(c.complaints, p.Entry.Text+" "+p.Entry.URL)
	case method == "Runtime.exceptionThrown":
		c.complaints = append(c.complaints, p.ExceptionDetails.Text+" "+p.ExceptionDetails.Exception.Description)
	case method == "Runtime.consoleAPICalled" && p.Type == "error":
		c.complaints = append(c.complaints, fmt.Sprint(p.Args))
	case method == "Network.requestWillBeSent":
		c.requests = append(c.requests, p.Request.URL)
	}
}

// call sends a command and waits for its answer.
func (c *wire) call(session, method string, params args, result any) error {
	if params == nil {
		params = args{}
	}
	answer := make(chan message, 1)
	c.mu.Lock()
	c.last++
	b, err := json.Marshal(message{ID: c.last, Session: session, Method: method, Params: params})
	if err == nil {
		c.waiting[c.last] = answer
		_, err = c.w.Write(append(b, 0))
	}
	c.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case m := <-answer:
		if m.Error != nil {
			return errors.New(m.Error.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-time.After(answerWait):
		return errors.New("no answer")
	}
}

func (c *wire) list(of *[]string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(*of)
}
