package store

import (
	"context"
	"fmt"
)

// work is a kind of work: the tables that it is about. A table that is locked, or
// slow, holds up the kinds that read it, and those may not take all connections of
// requests from the others (promise D8).
type work int

const (
	onPeople  work = iota // accounts, sessions, outbox, idempotency keys, and whether all is well
	onPosts               // car posts, favourites, reports
	onEntries             // of the calculator
	onPapers              // documents
	onUploads             // photos and files, and what is to be removed of them
	onDesk                // what operators look at, imports and backups
	kindsOfWork
)

// shareOf is how many of sixteen connections a kind of work has at most. Half is
// enough for any. The kinds that read car posts and uploads are four, posts, uploads,
// papers and desk: together they leave one to the others.
var shareOf = [kindsOfWork]int32{onPeople: 8, onPosts: 8, onEntries: 8, onPapers: 2, onUploads: 3, onDesk: 2}

// shares limit the connections of each kind of work. Nil, as on SQLite, limits
// nothing: there no statement waits for a lock with others behind it but the one
// writer, for whom all wait in order.
type shares [kindsOfWork]chan struct{}

// newShares divides a pool of so many connections.
func newShares(conns int32) *shares {
	var s shares
	for w := range s {
		s[w] = make(chan struct{}, max(2, conns*shareOf[w]/16))
	}
	return &s
}

// enter waits for a place in the share of a kind of work, as long as for a
// connection at most. leave gives it back.
func (s *shares) enter(ctx context.Context, w work) (leave func(), err error) {
	if s == nil {
		return func() {}, nil
	}
	places := s[w]
	leave = func() { <-places }
	select {
	case places <- struct{}{}:
		return leave, nil
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, acquireTimeout)
	defer cancel()
	select {
	case places <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the share of work %d: %w", w, ctx.Err())
	}
}
