package media

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// enters has an owner come to the turnstile, and tells the outcome.
func enters(t *testing.T, turnstile *Turnstile, owner int64) <-chan error {
	outcome := make(chan error, 1)
	go func() { outcome <- turnstile.Enter(t.Context(), owner) }()
	synctest.Wait()
	return outcome
}

func inside(outcome <-chan error) bool { return len(outcome) == 1 }

// Places are given out in turn, and an owner who has two holds up nobody else.
func TestTurnstile_O2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turnstile Turnstile
		enters(t, &turnstile, 1)
		enters(t, &turnstile, 1)
		third, fourth := enters(t, &turnstile, 1), enters(t, &turnstile, 1)
		if inside(third) || inside(fourth) {
			t.Fatal("an owner has three places")
		}
		if other := enters(t, &turnstile, 2); !inside(other) {
			t.Fatal("another owner waits")
		}
		turnstile.Leave(1)
		synctest.Wait()
		if !inside(third) || inside(fourth) {
			t.Fatalf("after one has left: third %t, fourth %t", inside(third), inside(fourth))
		}
		for owner := int64(3); turnstile.inside < completionsAtOnce; owner++ {
			enters(t, &turnstile, owner)
		}
		late := enters(t, &turnstile, 100)
		turnstile.Leave(2)
		synctest.Wait()
		if !inside(late) {
			t.Fatal("the first who fits in waits, behind one who does not")
		}
		// Nobody waits for ever, and who gives up takes no place.
		time.Sleep(placeTime)
		synctest.Wait()
		if err := <-fourth; !errors.Is(err, ErrBusy) {
			t.Errorf("%v, want %v", err, ErrBusy)
		}
		turnstile.Leave(1)
		turnstile.Leave(1)
		if again := enters(t, &turnstile, 1); !inside(again) {
			t.Error("a place was lost")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		turnstile.Enter(ctx, 1)
		if err := turnstile.Enter(ctx, 1); !errors.Is(err, ErrBusy) || !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want %v and %v", err, ErrBusy, context.Canceled)
		}
	})
}

// The queue has an end.
func TestTurnstileQueue_O2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turnstile Turnstile
		for range completionsOfOne + mostQueued {
			enters(t, &turnstile, 1)
		}
		if err := <-enters(t, &turnstile, 1); !errors.Is(err, ErrBusy) {
			t.Errorf("%v, want %v", err, ErrBusy)
		}
		time.Sleep(placeTime)
	})
}
