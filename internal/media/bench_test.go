package media_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/bucket"
	"github.com/ridecopilot/ridecopilot/internal/bucket/buckettest"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

// noisy is a photo of 12 megapixels with about as much in it as a phone's.
func noisy(b *testing.B) []byte {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	m := image.NewNRGBA(image.Rect(0, 0, 4000, 3000))
	for y := range 3000 {
		for x := range 4000 {
			n := r.IntN(24)
			m.SetNRGBA(x, y, color.NRGBA{uint8(x/20 + n), uint8(y/16 + n), uint8((x+y)/32 + n), 255})
		}
	}
	var out bytes.Buffer
	must(b, jpeg.Encode(&out, m, &jpeg.Options{Quality: 88}))
	return out.Bytes()
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkMedia measures the permits, what a photo of 12 megapixels costs from
// the client's word that it is there until it is ready, and a list of ten posts
// with three photos each.
func BenchmarkMedia(b *testing.B) {
	raw := noisy(b)
	for name, open := range map[string]func(testing.TB) *store.Store{"sqlite": storetest.New, "postgres": storetest.Postgres} {
		for where, bucketOf := range map[string]func() media.Bucket{
			"disk": func() media.Bucket { d, _ := buckettest.NewDisk(b); return d },
			"s3":   func() media.Bucket { return buckettest.NewS3(b) },
		} {
			b.Run(name+"/"+where, func(b *testing.B) {
				storetest.SkipUnless(b, name)
				s := open(b)
				posts := listing.NewService(s, time.Now)
				svc := media.NewService(media.Options{Store: s, Bucket: bucketOf(), Posts: posts})
				u, err := s.CreateUser(b.Context(), account.Actor{}, account.User{
					Name: "Ana", Email: "ana@example.com", PasswordHash: "x", Active: true, CreatedAt: time.Now().UTC(), UpdatedAt: time.Now().UTC(),
				}, account.DefaultSettings(), nil)
				must(b, err)
				by := account.Actor{ID: u.ID, Source: account.SourceAPI, Manages: true}
				target := func() media.Target {
					d, year, price, period := listing.DefaultDetails(), 2020, fixed.Amount(12_000), "day"
					d.Make, d.Model, d.Year, d.Price, d.PricePeriod = "Dacia", "Logan", &year, &price, &period
					p, _, err := posts.Create(b.Context(), by, d, nil)
					must(b, err)
					return media.Target{Post: p.ID}
				}
				start := func(t media.Target) (media.Upload, bucket.Form) {
					u, form, _, err := svc.Start(b.Context(), by, media.Request{Target: t, File: media.File{Name: "a.jpg", ContentType: "image/jpeg", Size: int64(len(raw))}}, nil)
					must(b, err)
					return u, form
				}
				upload := func(t media.Target) media.Upload {
					u, form := start(t)
					if res := buckettest.Post(b, form, raw, nil); res.StatusCode != http.StatusNoContent {
						b.Fatal(res.Status)
					}
					return u
				}
				b.Run("permit", func(b *testing.B) {
					for b.Loop() {
						u, _ := start(target())
						_ = u
					}
				})
				b.Run("complete", func(b *testing.B) {
					for b.Loop() {
						b.StopTimer()
						t := target()
						u := upload(t)
						b.StartTimer()
						_, err := svc.Complete(b.Context(), by, t, u.ID)
						must(b, err)
					}
				})
				b.Run("process", func(b *testing.B) {
					var peak uint64
					for b.Loop() {
						b.StopTimer()
						t := target()
						u := upload(t)
						_, err := svc.Complete(b.Context(), by, t, u.ID)
						must(b, err)
						runtime.GC()
						var before, after runtime.MemStats
						runtime.ReadMemStats(&before)
						b.StartTimer()
						must(b, svc.Process(b.Context(), media.Process{UploadID: u.ID}))
						b.StopTimer()
						runtime.ReadMemStats(&after)
						peak = max(peak, after.TotalAlloc-before.TotalAlloc)
						b.StartTimer()
					}
					b.ReportMetric(float64(peak)/(1<<20), "alloc-MiB/op")
				})
				b.Run("list of ten with covers", func(b *testing.B) {
					small := front
					raw, small = small, raw
					defer func() { raw = small }()
					for range 10 {
						t := target()
						for range 3 {
							u := upload(t)
							_, err := svc.Complete(b.Context(), by, t, u.ID)
							must(b, err)
							must(b, svc.Process(b.Context(), media.Process{UploadID: u.ID}))
						}
					}
					b.ResetTimer()
					for b.Loop() {
						page, err := posts.Posts(b.Context(), by, listing.Filter{}, listing.Order{Key: "created_at", Desc: true}, listing.Place{Limit: 10})
						must(b, err)
						n := 0
						for _, p := range page.Posts {
							for _, u := range p.Photos {
								if svc.PhotoLinks(b.Context(), u).Small != "" {
									n++
								}
							}
						}
						if n != 30 {
							b.Fatal(n)
						}
					}
				})
			})
		}
	}
}
