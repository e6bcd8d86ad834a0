package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// worker makes the requests of one connection, one after the other: the next
// is sent when the answer to the last has come (a closed loop).
type worker struct {
	next func(b []byte) []byte // appends a whole request to b
	want int                   // the status that is no error
	or   int                   // another one, while others write
	took func(body []byte)     // is given the answer's body; nil lets it pass by
	now  *worker               // of a mixture: whose request it is
}

// client speaks HTTP/1.1 on one connection, and no more of it than servers here
// use. A general client costs as much as answering a small request does, and
// shares the cores with what is measured.
type client struct {
	addr string
	conn net.Conn
	r    *bufio.Reader
	out  []byte
	body []byte
}

const (
	dialTimeout   = 5 * time.Second
	answerTimeout = 60 * time.Second
)

func (c *client) dial() error {
	if c.conn != nil {
		return nil
	}
	conn, err := net.DialTimeout("tcp", c.addr, dialTimeout) //nolint:noctx // bounded by the timeout
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	c.conn, c.r = conn, bufio.NewReaderSize(conn, 64<<10)
	return nil
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close() // nothing is left to lose
		c.conn = nil
	}
}

// do sends a request and reads the answer. The body is good until the next
// call, and nil unless it is to be kept.
func (c *client) do(request []byte, keep bool) (status int, body []byte, err error) {
	if err := c.dial(); err != nil {
		return 0, nil, err
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if err := c.conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return 0, nil, fmt.Errorf("set deadline: %w", err)
	}
	if _, err := c.conn.Write(request); err != nil {
		return 0, nil, fmt.Errorf("send: %w", err)
	}
	status, length, chunked, last, err := c.head()
	if err != nil {
		return 0, nil, err
	}
	c.body = c.body[:0]
	keep = keep || status >= 400 // it says why
	switch {
	case status == 204 || status == 304:
	case chunked:
		err = c.chunks(keep)
	default:
		err = c.read(length, keep)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read the body: %w", err)
	}
	if last {
		c.close()
	}
	return status, c.body, nil
}

var errAnswer = errors.New("this is no answer in HTTP/1.1")

// head reads the status line and the headers.
func (c *client) head() (status, length int, chunked, last bool, err error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, 0, false, false, fmt.Errorf("read the status: %w", err)
	}
	if len(line) < 13 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, 0, false, false, errAnswer
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, false, false, errAnswer
	}
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return 0, 0, false, false, fmt.Errorf("read the headers: %w", err)
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			return status, length, chunked, last, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 {
				return 0, 0, false, false, errAnswer
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("Connection")):
			last = bytes.EqualFold(value, []byte("close"))
		}
	}
}

// read reads n bytes of the body.
func (c *client) read(n int, keep bool) error {
	if !keep {
		_, err := c.r.Discard(n)
		return err
	}
	at := len(c.body)
	c.body = append(c.body, make([]byte, n)...)
	_, err := io.ReadFull(c.r, c.body[at:])
	return err
}

// chunks reads a body that comes in pieces.
func (c *client) chunks(keep bool) error {
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(bytes.TrimRight(line, "\r\n")), 16, 32)
		if err != nil || n < 0 {
			return errAnswer
		}
		if err := c.read(int(n), keep); err != nil {
			return err
		}
		if _, err := c.r.Discard(2); err != nil { // the line break behind it
			return err
		}
		if n == 0 {
			return nil
		}
	}
}

// sample is what some seconds of load have shown.
type sample struct {
	took    []time.Duration // of each answer that was as wanted
	elapsed time.Duration
	errors  int
	first   string // what the first error was
}

// drive lets every worker send requests over a connection of its own for a
// while, or until all together have sent budget (0: as many as they can).
func drive(ctx context.Context, addr string, workers []*worker, d time.Duration, budget int64) sample {
	var wg sync.WaitGroup
	var left atomic.Int64
	left.Store(budget)
	each := make([]sample, len(workers))
	ready := make(chan struct{})
	for i, w := range workers {
		wg.Go(func() {
			c := &client{addr: addr}
			defer c.close()
			err := c.dial() // before the clock runs
			<-ready
			if err != nil {
				each[i].fail(err.Error())
			}
			each[i].loop(ctx, c, w, time.Now().Add(d), func() bool { return budget == 0 || left.Add(-1) >= 0 })
		})
	}
	start := time.Now()
	close(ready)
	wg.Wait()
	all := sample{elapsed: time.Since(start)}
	for _, s := range each {
		all.add(s)
	}
	return all
}

func (s *sample) add(o sample) {
	s.took = append(s.took, o.took...)
	s.errors += o.errors
	if s.first == "" {
		s.first = o.first
	}
}

func (s *sample) fail(why string) {
	s.errors++
	if s.first == "" {
		s.first = why
	}
}

func (s *sample) loop(ctx context.Context, c *client, w *worker, until time.Time, more func() bool) {
	for ctx.Err() == nil && more() {
		c.out = w.next(c.out[:0])
		kind := w
		if w.now != nil {
			kind = w.now
		}
		begin := time.Now()
		if begin.After(until) {
			return
		}
		status, body, err := c.do(c.out, kind.took != nil)
		took := time.Since(begin)
		switch {
		case err != nil:
			s.fail(err.Error())
			time.Sleep(10 * time.Millisecond) // so that a server that is gone is not hammered at
		case status != kind.want && status != kind.or:
			s.fail(fmt.Sprintf("status %d instead of %d: %.200s", status, kind.want, body))
		default:
			s.took = append(s.took, took)
		}
		if kind.took != nil && err == nil {
			kind.took(body)
		}
	}
}
