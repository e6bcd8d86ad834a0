// Package faulttest breaks things for tests, in the ways in which they break in
// use: a [Proxy] loses and moves connections, a [Cluster] is a PostgreSQL that
// fails over to a standby, hangs and restarts, and a [Program] is a process that
// is killed and started again.
package faulttest

import (
	"net"
	"sync"
	"testing"
)

// Proxy passes TCP connections on to a target, as a load balancer or a name that
// moves does. It is safe for concurrent use.
type Proxy struct {
	listener net.Listener

	mu      sync.Mutex
	target  string
	refuse  bool
	release chan struct{} // closed while bytes pass; open while the proxy hangs
	conns   map[net.Conn]struct{}
	closed  bool
	wait    sync.WaitGroup
}

// NewProxy listens on a free port of the loopback until the test ends.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, target: target, release: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	close(p.release)
	p.wait.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Addr is the host and port to connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Turn sends new connections to another target. Those that are open stay.
func (p *Proxy) Turn(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Refuse closes new connections at once, or takes them again.
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = on
}

// Hang keeps all bytes back and all connections open, as a network that drops
// packets does, or lets the bytes pass again.
func (p *Proxy) Hang(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.release:
		if on {
			p.release = make(chan struct{})
		}
	default:
		if !on {
			close(p.release)
		}
	}
}

// Cut closes every open connection.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close() // that it breaks is the purpose
	}
}

// Open counts the connections that clients hold.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns) / 2 // both ends of each are in it
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.Hang(false)
	p.Cut()
	p.wait.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wait.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer client.Close() // the other end has gone
	p.mu.Lock()
	target, refuse := p.target, p.refuse
	p.mu.Unlock()
	if refuse {
		return
	}
	server, err := net.Dial("tcp", target) // to this machine
	if err != nil {
		return
	}
	defer server.Close() // the other end has gone
	if !p.hold(client, server) {
		return
	}
	defer p.drop(client, server)
	var both sync.WaitGroup
	both.Go(func() { p.pass(server, client) })
	both.Go(func() { p.pass(client, server) })
	both.Wait()
}

func (p *Proxy) hold(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = struct{}{}
	}
	return !p.closed
}

func (p *Proxy) drop(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}

// pass copies one direction and closes both ends at its end.
func (p *Proxy) pass(to, from net.Conn) {
	defer to.Close()   // the copy tells of what counts
	defer from.Close() // the copy tells of what counts
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		release := p.release
		p.mu.Unlock()
		<-release
		if n > 0 {
			if _, werr := to.Write(buffer[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
