package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// TestShares_D8: no kind of work takes more than half of the connections, and those
// that one locked table can hold up together leave some to the others.
func TestShares_D8(t *testing.T) {
	const conns = 16
	s := newShares(conns)
	for w, places := range s {
		if n := cap(places); n < 1 || n > conns/2 {
			t.Errorf("work %d has %d of %d connections, want at most half", w, n, conns)
		}
	}
	for _, locked := range [][]work{
		{onPosts, onUploads, onDesk},           // car_post
		{onPosts, onUploads, onPapers, onDesk}, // upload
		{onEntries, onDesk},                    // entry
	} {
		sum := 0
		for _, w := range locked {
			sum += cap(s[w])
		}
		if sum >= conns {
			t.Errorf("work %v together has %d of %d connections", locked, sum, conns)
		}
	}
}

// TestShares_Full_D8: who finds a share full waits for a place, and is busy when
// there is none.
func TestShares_Full_D8(t *testing.T) {
	s := newShares(16)
	var leave func()
	for range cap(s[onPapers]) {
		var err error
		if leave, err = s.enter(t.Context(), onPapers); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := s.enter(ctx, onPapers); !errors.Is((&Store{}).explain(err), fault.Unavailable) {
		t.Errorf("enter a full share = %v, want %v", err, fault.Unavailable)
	}
	if out, err := s.enter(t.Context(), onPosts); err != nil {
		t.Errorf("enter another share = %v", err)
	} else {
		out()
	}
	leave()
	if _, err := s.enter(t.Context(), onPapers); err != nil {
		t.Errorf("enter a share with a place = %v", err)
	}
	var none *shares
	if out, err := none.enter(t.Context(), onPosts); err != nil {
		t.Errorf("enter without shares = %v", err)
	} else {
		out()
	}
}
