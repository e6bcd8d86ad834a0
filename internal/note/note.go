// Package note carries what the outermost ring tells about a request, and what
// the inside finds out for the one line that the request leaves in the log. It
// holds nothing that the log may not show (promise P4).
package note

import "context"

// Request is what is known of a request. It belongs to the goroutine that
// answers it.
type Request struct {
	ID    string // as the client got it
	User  string // a keyed hash of who made it; empty for nobody
	Limit string // the limit that was hit, one of a fixed list of words
	Busy  error  // why it was answered that the server is busy; nil when it was not
}

type key struct{}

// With returns a context in which r is noted.
func With(ctx context.Context, r *Request) context.Context { return context.WithValue(ctx, key{}, r) }

// Of is the request that ctx belongs to; nil outside of one.
func Of(ctx context.Context) *Request {
	r, _ := ctx.Value(key{}).(*Request)
	return r
}

// User notes who makes the request; hash is called inside of one alone.
func User(ctx context.Context, hash func() string) {
	if r := Of(ctx); r != nil {
		r.User = hash()
	}
}

// Busy notes why a request is answered that the server is busy: for load, or for
// a part of it that does not answer. The outermost ring tells of many in one line.
func Busy(ctx context.Context, why error) {
	if r := Of(ctx); r != nil {
		r.Busy = why
	}
}

// Limit notes that a limit was hit: by its name, which is a label of a metric
// and never a client's text.
func Limit(ctx context.Context, name string) {
	if r := Of(ctx); r != nil {
		r.Limit = name
	}
}
