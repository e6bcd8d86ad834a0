package server

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// listener closes connections above the cap as soon as they are made (O2): one
// that waits in a queue costs as much and helps nobody.
type listener struct {
	net.Listener
	s *Server
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.s.conns.Add(1) <= l.s.maxConns {
			return &conn{Conn: c, done: sync.OnceFunc(func() { l.s.conns.Add(-1) })}, nil
		}
		l.s.conns.Add(-1)
		l.s.metrics.rejected.WithLabelValues("connections").Inc()
		_ = c.Close() // there was no conversation to end well
	}
}

// conn is a counted connection that reads along.
type conn struct {
	net.Conn
	done func()
	scan scanner
}

func (c *conn) Close() error {
	c.done()
	return c.Conn.Close()
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.scan.write(p[:n])
	return n, err
}

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// ambiguous tells whether the connection of a request has carried one with more
// than one idea of its length.
func ambiguous(ctx context.Context) bool {
	c, ok := ctx.Value(connKey{}).(*conn)
	return ok && c.scan.ambiguous.Load()
}

// scanner reads along with net/http and notices what net/http hides: it drops
// the Content-Length of a request that has a Transfer-Encoding too, and the
// Transfer-Encoding of one that speaks HTTP/1.0. Because every chunked request is
// the last of its connection, the length of all others is known, and finding the
// next one takes no more than counting.
type scanner struct {
	ambiguous atomic.Bool
	off       bool   // nothing more to look at
	skip      int64  // bytes of a body to come
	head      []byte // of the head read so far
}

func (s *scanner) write(p []byte) {
	for len(p) > 0 && !s.off {
		if s.skip > 0 {
			n := min(s.skip, int64(len(p)))
			s.skip -= n
			p = p[n:]
			continue
		}
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			i = len(p) - 1
		}
		s.head = append(s.head, p[:i+1]...)
		p = p[i+1:]
		switch {
		case len(bytes.Trim(s.head, "\r\n")) == 0: // blank lines before a request
			s.head = s.head[:0]
		case bytes.HasSuffix(s.head, []byte("\n\r\n")) || bytes.HasSuffix(s.head, []byte("\n\n")):
			s.judge()
			s.head = s.head[:0]
		case len(s.head) > headerBytes+4096: // net/http gives up before that
			s.off = true
		}
	}
	if s.off {
		s.head = nil
	}
}

// judge reads a whole head.
func (s *scanner) judge() {
	first, rest, _ := strings.Cut(string(s.head), "\n")
	length, coded := "", false
	for line := range strings.Lines(rest) {
		k, v, _ := strings.Cut(line, ":")
		switch strings.ToLower(strings.TrimSpace(k)) {
		case "content-length":
			length = strings.TrimSpace(v)
		case "transfer-encoding":
			coded = true
		}
	}
	if coded {
		s.off = true
		if length != "" || strings.HasSuffix(strings.TrimSpace(first), "HTTP/1.0") {
			s.ambiguous.Store(true)
		}
		return
	}
	if length != "" {
		n, err := strconv.ParseInt(length, 10, 64)
		if err != nil || n < 0 {
			s.off = true // net/http refuses it, too
			return
		}
		s.skip = n
	}
}
