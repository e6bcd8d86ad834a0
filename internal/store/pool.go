package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// This file holds the rule for every connection to PostgreSQL (promise D6),
// whichever pool it belongs to, and also after it was taken out of its pool, as the
// connection is on which the job runner listens.

// The times of connections.
const (
	// lookEvery is how long a connection is used before it is asked again whether its
	// server takes writes. Statements that write find out by themselves.
	lookEvery = 5 * time.Second
	// leaveTime is how long statements may go on that run on a server that was found
	// to take no writes any more. It is more than statement_timeout.
	leaveTime = 12 * time.Second
)

// connections are all connections of a process to the database. When one of them
// finds that its server takes no writes any more, because another one was promoted,
// all of them leave it: those that only read would go on for half an hour with what
// was true before.
type connections struct {
	mu      sync.Mutex
	pools   []*pgxpool.Pool
	sockets map[*socket]struct{}
	left    time.Time // when they left a server last
}

// socket is a connection of the network. It is in sockets until it is closed.
type socket struct {
	net.Conn
	of *connections
}

func (s *socket) Close() error {
	s.of.mu.Lock()
	delete(s.of.sockets, s)
	s.of.mu.Unlock()
	return s.Conn.Close()
}

// The names of a connection's own data.
const (
	bornAt   = "ridecopilot.born"
	lookedAt = "ridecopilot.looked"
)

// watch makes the connections of a pool follow the rule.
func (cs *connections) watch(c *pgxpool.Config) {
	dial := c.ConnConfig.DialFunc
	c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		s := &socket{Conn: conn, of: cs}
		cs.mu.Lock()
		cs.sockets[s] = struct{}{}
		cs.mu.Unlock()
		return s, nil
	}
	c.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	fatal := c.ConnConfig.OnPgError
	c.ConnConfig.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		if err.Code == pgReadOnly {
			cs.leave(conn)
		}
		return !unusable(err.Code) && fatal(conn, err)
	}
	connected := c.AfterConnect
	c.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		data := conn.PgConn().CustomData()
		data[bornAt], data[lookedAt] = time.Now(), time.Now()
		return connected(ctx, conn)
	}
	c.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
		data := conn.PgConn().CustomData()
		if at, ok := data[lookedAt].(time.Time); ok && time.Since(at) < lookEvery {
			return true, nil
		}
		if err := pgconn.ValidateConnectTargetSessionAttrsReadWrite(ctx, conn.PgConn()); err != nil {
			if errors.Is(err, pgconn.ErrReadOnlyConnection) {
				cs.leave(conn.PgConn())
			}
			return false, nil // the pool tries another connection
		}
		data[lookedAt] = time.Now()
		return true, nil
	}
}

// unusable tells whether a connection must not be used after an error: its server
// went away, is going, or takes no writes.
func unusable(code string) bool {
	return code == pgReadOnly || len(code) == 5 && (code[:2] == "08" || code[:3] == "57P")
}

// leave ends all connections to the server of one that takes no writes: those that
// are idle now, those at work when their work is done, and whatever is still open
// after leaveTime. Connections that are opened from now on stay.
func (cs *connections) leave(found *pgconn.PgConn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if born, ok := found.CustomData()[bornAt].(time.Time); !ok || born.Before(cs.left) {
		return // it is among those that leave already
	}
	cs.left = time.Now()
	var old []*socket
	for s := range cs.sockets {
		old = append(old, s)
	}
	for _, p := range cs.pools {
		go p.Reset() // closes sockets, which takes the lock
	}
	time.AfterFunc(leaveTime, func() {
		for _, s := range old {
			_ = s.Close() // most have gone
		}
	})
}

// open makes a pool.
func (cs *connections) open(ctx context.Context, o Options, conns, def int32) (*pgxpool.Pool, error) {
	c, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, errNoURL // the driver's own words might hold the password (promise P4)
	}
	if conns == 0 {
		conns = def
	}
	c.MaxConns = conns
	c.MaxConnLifetime = 30 * time.Minute
	c.MaxConnLifetimeJitter = 5 * time.Minute
	c.MaxConnIdleTime = 5 * time.Minute
	c.HealthCheckPeriod = 10 * time.Second
	c.PingTimeout = acquireTimeout
	c.ConnConfig.ConnectTimeout = acquireTimeout
	c.ConnConfig.Tracer = o.Tracer
	p := c.ConnConfig.RuntimeParams
	p["timezone"] = "UTC"
	p["statement_timeout"] = "10000"
	p["lock_timeout"] = "3000"
	p["idle_in_transaction_session_timeout"] = "15000"
	p["synchronous_commit"] = "on"
	if p["application_name"] == "" {
		p["application_name"] = "ridecopilot"
	}
	c.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		conn.TypeMap().RegisterType(&pgtype.Type{
			Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
		})
		return nil
	}
	if o.Password != nil {
		c.BeforeConnect = func(ctx context.Context, cc *pgx.ConnConfig) error {
			var err error
			cc.Password, err = o.Password(ctx)
			return err
		}
	}
	cs.watch(c)
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	cs.mu.Lock()
	cs.pools = append(cs.pools, pool)
	cs.mu.Unlock()
	return pool, nil
}

var errNoURL = errors.New("it is not a connection string like postgres://user:password@host:5432/database")
