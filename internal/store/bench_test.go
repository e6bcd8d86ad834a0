package store_test

import (
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/account/password"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/seed"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
	"github.com/ridecopilot/ridecopilot/internal/text"
)

// BenchmarkStore measures what requests are made of, on either engine, with
// 10,000 posts and a driver who has worked every day.
func BenchmarkStore(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *store.Store{"sqlite": storetest.New, "postgres": storetest.Postgres} {
		b.Run(name, func(b *testing.B) {
			storetest.SkipUnless(b, name)
			s := open(b)
			hasher := password.NewHasher(password.Params{Memory: 64, Time: 1})
			hash, err := hasher.Hash(b.Context(), "plecat la munte 7")
			must(b, err)
			_, err = seed.Run(b.Context(), s, seed.Options{Drivers: 200, Posts: 10_000, Entries: 10_000, PasswordHash: hash, Now: noon, RandomSeed: 1})
			must(b, err)
			accounts := account.NewService(s, account.Options{Secret: "a secret of more than thirty-two bytes", Hasher: hasher, Now: func() time.Time { return noon }})
			c, err := accounts.SignIn(b.Context(), account.Actor{}, account.SessionAPI, seed.DemoEmail, "plecat la munte 7")
			must(b, err)
			by := account.Actor{ID: c.User.ID}
			posts := listing.NewService(s, func() time.Time { return noon })
			books := earnings.NewService(s, s, func() time.Time { return noon })
			page, err := posts.Posts(b.Context(), by, listing.Filter{}, listing.Order{Key: "created_at", Desc: true}, listing.Place{Limit: 10})
			must(b, err)
			year, price := 2015, fixed.Amount(500_000)
			filter := listing.Filter{Make: page.Posts[0].Make, YearMin: &year, PriceMax: &price}
			for what, do := range map[string]func() error{
				"authenticate": func() error { _, err := accounts.Authenticate(b.Context(), account.SessionAPI, c.Access); return err },
				"post":         func() error { _, err := posts.Post(b.Context(), by, page.Posts[0].ID); return err },
				"list": func() error {
					_, err := posts.Posts(b.Context(), by, filter, listing.Order{Key: "price"}, listing.Place{Limit: 10})
					return err
				},
				"list by cursor": func() error {
					_, err := posts.Posts(b.Context(), by, filter, listing.Order{Key: "created_at", Desc: true}, listing.Place{Limit: 10, Cursor: &listing.Cursor{}})
					return err
				},
				"search": func() error {
					_, err := posts.Posts(b.Context(), by, listing.Filter{Words: text.Words("dacia bucuresti")}, listing.Order{Key: "created_at", Desc: true}, listing.Place{Limit: 10})
					return err
				},
				"summary of 90 days": func() error {
					_, err := books.Summary(b.Context(), by, earnings.Period{Days: 90}, earnings.ByWeek, nil, "")
					return err
				},
			} {
				b.Run(what, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						must(b, do())
					}
				})
			}
		})
	}
}
