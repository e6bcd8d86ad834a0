package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// checkTally holds what triggers keep against what the rows say.
func checkTally(t *testing.T, s *store.Store, after string) {
	t.Helper()
	want := count(t, s, `SELECT count(*) FROM car_post p JOIN account o ON o.id = p.owner_id WHERE p.status = 'active' AND p.moderated_at IS NULL AND o.is_active`)
	page, err := s.Posts(t.Context(), 1, listing.Filter{}, listing.Order{Key: "created_at", Desc: true}, listing.Place{Limit: 1})
	if err != nil || page.Count != want || !page.Exact {
		t.Errorf("after %s the list counts %d posts, exact %v, %v, want %d", after, page.Count, page.Exact, err, want)
	}
	day := map[string]string{"sqlite": `substr(p.created_at, 1, 10)`, "postgres": `CAST(p.created_at AT TIME ZONE 'UTC' AS date)`}[s.Engine()]
	if n := count(t, s, `SELECT count(*) FROM car_post p JOIN account o ON o.id = p.owner_id WHERE o.is_active <> p.owner_active`); n != 0 {
		t.Errorf("after %s %d posts do not know whether their owner is active", after, n)
	}
	if n := count(t, s, `SELECT count(*) FROM (
			SELECT day FROM (
				SELECT day, posts FROM post_tally
				UNION ALL
				SELECT `+day+`, -1 FROM car_post p WHERE p.status = 'active' AND p.moderated_at IS NULL AND p.owner_active
			) AS both_sides GROUP BY day HAVING sum(posts) <> 0
		) AS wrong`); n != 0 {
		t.Errorf("after %s %d days are counted wrongly", after, n)
	}
}

// setActive lets a user in, or shuts them off.
func setActive(t *testing.T, s *store.Store, id int64, active bool) error {
	_, err := s.UpdateUser(t.Context(), account.System(account.SourceAdmin), id, func(u *account.User, _ *account.Effects) error {
		u.Active, u.UpdatedAt = active, noon
		return nil
	})
	return err
}

// setStatus changes the status of a post.
func setStatus(t *testing.T, s *store.Store, p listing.Post, status string) error {
	_, err := s.UpdatePost(t.Context(), actor(p.OwnerID), p.ID, func(p *listing.Post, _ *listing.Effects) error {
		p.Status = status
		return nil
	})
	return err
}

// Whatever is done, the total of the list is that of the posts to be seen.
func TestTally(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ana, dan := newUser(t, s, "ana@example.com"), newUser(t, s, "dan@example.com")
		create := func(u account.User, at time.Time, status string) listing.Post {
			p := aPost(u.ID)
			p.CreatedAt, p.Status = at, status
			p, _, err := s.CreatePost(t.Context(), actor(u.ID), p, 0)
			must(t, err)
			return p
		}
		midnight := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		var posts []listing.Post
		for _, at := range []time.Time{midnight, midnight.Add(-time.Microsecond), midnight.AddDate(0, 0, -40)} {
			for _, status := range listing.Statuses {
				posts = append(posts, create(ana, at, status), create(dan, at, status))
			}
		}
		checkTally(t, s, "creations")
		for i, p := range posts {
			must(t, setStatus(t, s, p, listing.Statuses[i%len(listing.Statuses)]))
		}
		checkTally(t, s, "changes of the status")
		must(t, setStatus(t, s, posts[0], listing.StatusActive))
		_, err := s.UpdatePost(t.Context(), account.System(account.SourceAdmin), posts[0].ID, func(p *listing.Post, _ *listing.Effects) error {
			p.Moderation = &listing.Moderation{Reason: "Another car.", At: noon}
			return nil
		})
		must(t, err)
		checkTally(t, s, "a closing")
		must(t, setActive(t, s, dan.ID, false))
		checkTally(t, s, "shutting off")
		create(dan, midnight, listing.StatusActive)
		must(t, s.LoadPosts(t.Context(), []listing.Post{aPost(dan.ID), aPost(ana.ID), aPost(dan.ID)}))
		checkTally(t, s, "creations of somebody who is shut off")
		must(t, setActive(t, s, dan.ID, true))
		checkTally(t, s, "letting in")
		exec(t, s, `UPDATE car_post SET created_at = $1, status = 'active' WHERE owner_id = $2`, midnight.AddDate(1, 0, 0), ana.ID)
		checkTally(t, s, "changes by hand")
		must(t, s.DeletePost(t.Context(), actor(ana.ID), posts[0].ID, func(listing.Post) error { return nil }))
		checkTally(t, s, "a deletion")
		must(t, s.DeleteUser(t.Context(), actor(dan.ID), dan.ID, func(account.User, account.Settings) error { return nil }, nil))
		checkTally(t, s, "the erasure of an account")
		exec(t, s, `DELETE FROM car_post`)
		checkTally(t, s, "the deletion of all")
	})
}

// Those who create, change and delete at once, while the owner is shut off and
// let in, are each counted once.
func TestRaceTally(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		users := []account.User{newUser(t, s, "ana@example.com"), newUser(t, s, "dan@example.com")}
		// What a turn may meet: the post or the place is taken, or the server is busy.
		fine := func(err error) error {
			if errors.Is(err, fault.Conflict) || errors.Is(err, fault.NotFound) || errors.Is(err, fault.Unavailable) {
				return nil
			}
			return err
		}
		for _, err := range together(8, func(i int) error {
			u := users[i%2]
			r := rand.New(rand.NewPCG(1, uint64(i)))
			var mine []listing.Post
			for range 12 {
				var err error
				switch n := r.IntN(10); {
				case n < 5 || len(mine) == 0:
					var p listing.Post
					if p, _, err = s.CreatePost(t.Context(), actor(u.ID), aPost(u.ID), 1000); err == nil {
						mine = append(mine, p)
					}
				case n < 7:
					err = setStatus(t, s, mine[r.IntN(len(mine))], listing.Statuses[r.IntN(len(listing.Statuses))])
				case n < 8:
					last := len(mine) - 1
					err = s.DeletePost(t.Context(), actor(u.ID), mine[last].ID, func(listing.Post) error { return nil })
					mine = mine[:last]
				default:
					err = setActive(t, s, u.ID, r.IntN(2) == 0)
				}
				if err := fine(err); err != nil {
					return err
				}
			}
			return nil
		}) {
			must(t, err)
		}
		checkTally(t, s, "a crowd")
	})
}

// A page by number is the same slice of the list, however deep, in every order.
func TestPosts_Deep(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ana, off := newUser(t, s, "ana@example.com"), newUser(t, s, "off@example.com")
		must(t, setActive(t, s, off.ID, false))
		r := rand.New(rand.NewPCG(1, 2))
		posts := make([]listing.Post, 14_000)
		for i := range posts {
			p := aPost(ana.ID)
			if i%9 == 0 {
				p.OwnerID = off.ID
			}
			if i%10 == 3 {
				p.Status = listing.StatusPaused
			}
			year := 2000 + i%20
			p.Year = &year
			p.CreatedAt = noon.Add(-time.Duration(r.Int64N(int64(9 * 24 * time.Hour)))).Truncate(time.Hour) // many at once
			posts[i] = p
		}
		must(t, s.LoadPosts(t.Context(), posts))
		must(t, s.FinishLoad(t.Context()))
		checkTally(t, s, "a load")
		for _, o := range []listing.Order{{Key: "created_at", Desc: true}, {Key: "created_at"}, {Key: "price"}, {Key: "make", Desc: true}, {Key: "id"}} {
			t.Run(fmt.Sprint(o), func(t *testing.T) {
				all, err := s.Posts(t.Context(), ana.ID, listing.Filter{}, o, listing.Place{Limit: len(posts)})
				must(t, err)
				if len(all.Posts) != all.Count || all.Count <= listing.CountLimit {
					t.Fatalf("the list has %d posts and counts %d", len(all.Posts), all.Count)
				}
				want := ids(all.Posts)
				for _, offset := range []int{0, 4999, 5000, 5001, 5500, 6000, all.Count - 11, all.Count - 1, all.Count, all.Count + 5000} {
					page, err := s.Posts(t.Context(), ana.ID, listing.Filter{}, o, listing.Place{Limit: 10, Offset: offset})
					must(t, err)
					if from, to := min(offset, len(want)), min(offset+10, len(want)); !slices.Equal(ids(page.Posts), want[from:to]) || page.Count != all.Count || page.HasNext != (to < len(want)) {
						t.Errorf("at %d: %v, %d in all, next %v, want %v", offset, ids(page.Posts), page.Count, page.HasNext, want[from:to])
					}
				}
				// Narrowed, to more than is counted and to less.
				for _, from := range []int{2000, 2007, 2030} {
					var want []int64
					for _, p := range all.Posts {
						if *p.Year >= from {
							want = append(want, p.ID)
						}
					}
					for _, offset := range []int{0, 3000, len(want) - 4, len(want), 20_000} {
						page, err := s.Posts(t.Context(), ana.ID, listing.Filter{YearMin: &from}, o, listing.Place{Limit: 10, Offset: max(0, offset)})
						must(t, err)
						at, to := min(max(0, offset), len(want)), min(max(0, offset)+10, len(want))
						if !slices.Equal(ids(page.Posts), want[at:to]) || page.Count != min(len(want), listing.CountLimit) ||
							page.Exact != (len(want) <= listing.CountLimit) || page.HasNext != (to < len(want)) {
							t.Errorf("from %d, at %d: %v, %d in all, exact %v, next %v, want %v", from, offset, ids(page.Posts), page.Count, page.Exact, page.HasNext, want[at:to])
						}
					}
				}
			})
		}
	})
}

// The migration counts what is there already.
func TestMigrate_Tally_D15(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			s := storetest.Empty(t, engine)
			must(t, s.MigrateTo(t.Context(), 4, nil))
			olderPosts(t, s)
			_, err := s.Migrate(t.Context(), nil)
			must(t, err)
			if n := count(t, s, `SELECT CAST(sum(posts) AS bigint) FROM post_tally`); n != 4 {
				t.Errorf("%d posts are counted, want those 4 of the active owner", n)
			}
			checkTally(t, s, "the migration")
		})
	}
}

// olderPosts stores posts as the releases before the fifth migration did: four of an
// active owner that are to be counted, a draft, and five of an owner who is not active.
func olderPosts(t *testing.T, s *store.Store) {
	t.Helper()
	for id, active := range map[int64]bool{1: true, 2: false} {
		exec(t, s, `INSERT INTO account (id, name, password_hash, is_active, created_at, updated_at) VALUES ($1, 'x', 'x', $2, $3, $3)`, id, active, noon)
		for i := range 5 {
			exec(t, s, olderPost, id, listing.Statuses[min(i, 1)], noon.AddDate(0, 0, -i/2))
		}
	}
}

const olderPost = `
	INSERT INTO car_post (owner_id, make, model, version, engine, fuel, body, transmission, color, emission_standard, location, contact, description,
		offer, currency, status, created_at, updated_at, make_key, model_key, fuel_key, body_key, transmission_key, location_key, search)
	VALUES ($1, '', '', '', '', '', '', '', '', '', '', '', '', 'rent', 'EUR', $2, $3, $3, '', '', '', '', '', '', '')`
