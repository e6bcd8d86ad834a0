// Package seed fills a database with believable demo data at any size: drivers
// with settings and papers, cars that they advertise, and days of work. All of
// it follows from one random number and the day, so that two people who seed
// alike look at the same things.
//
// Seeded rows have no history and start no jobs: they were made by a program
// and changed by nobody. They count against no quota. Everything else about
// them is what the domain would have accepted from a client.
package seed

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sort"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/document"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/listing"
)

// Store is what Run needs from the database. Each call is one transaction; the
// ids that the database gives are filled in.
type Store interface {
	UserByMailbox(ctx context.Context, key string) (account.User, error)
	LoadUsers(ctx context.Context, users []account.User, settings []account.Settings) error
	LoadDocuments(ctx context.Context, docs []document.Document) error
	LoadPosts(ctx context.Context, posts []listing.Post) error
	// LoadFavorites takes columns: user userIDs[i] keeps post postIDs[i] since at[i].
	LoadFavorites(ctx context.Context, userIDs, postIDs []int64, at []time.Time) error
	LoadReports(ctx context.Context, reports []listing.Report) error
	LoadEntries(ctx context.Context, entries []earnings.Entry) error
	// FinishLoad is called once, after the last row.
	FinishLoad(ctx context.Context) error
}

// Options say how much to make, and out of what.
type Options struct {
	Drivers      int // at least 1: the demo account is the first
	Posts        int
	Entries      int
	RandomSeed   uint64
	Now          time.Time // only its day in Romania counts; nothing is dated later
	PasswordHash string    // of every demo account; empty lets nobody sign in
	// Progress, if set, is told after each batch how far a stage is.
	Progress func(stage string, done, total int)
}

// The stages that Progress hears of, in their order.
const (
	StageDrivers = "drivers" // and their documents
	StagePosts   = "posts"   // and what readers made of them
	StageEntries = "entries"
)

// Report tells how many rows were made.
type Report struct {
	Drivers, Posts, Entries, ExpenseItems, Documents, Favorites, Reports int
	DemoEmail                                                            string // who to sign in as
}

// The demo account.
const (
	DemoName  = "Andreea Popescu"
	DemoEmail = "demo@ridecopilot.test"
)

// batch is how many rows are made and stored at a time: it bounds memory and
// the length of a transaction.
const batch = 2000

// The streams of random numbers: each thing has one of its own, so that it does
// not change when there are more or fewer of the others.
const (
	ofDriver = iota + 1
	ofPapers
	ofPost
	ofReaders
	ofWork
	ofShare
)

// world is what everything that is made depends on.
type world struct {
	o      Options
	zone   *time.Location
	today  calendar.Day
	start  time.Time // the first instant of today: nothing is dated later
	people []person
}

// person is what must be remembered of a driver while the rest is made.
type person struct {
	id      int64
	created int64 // Unix seconds; never smaller than that of the one before
	city    int
	euro    bool // keeps books in EUR
	active  bool
}

// Run makes the demo data. Where the demo account is there already, it fails
// before it stores anything. It stops between batches when ctx ends; what was
// stored by then stays.
func Run(ctx context.Context, store Store, o Options) (Report, error) {
	if o.Drivers < 1 || o.Posts < 0 || o.Entries < 0 {
		return Report{}, errors.New("seed: there must be at least one driver, and no number may be negative")
	}
	switch _, err := store.UserByMailbox(ctx, account.MailboxKey(DemoEmail)); {
	case err == nil:
		return Report{}, seeded(DemoEmail)
	case !errors.Is(err, fault.NotFound):
		return Report{}, fmt.Errorf("seed: look for the demo account: %w", err)
	}
	w := newWorld(o)
	report := Report{DemoEmail: DemoEmail}
	for _, load := range []func(context.Context, Store, *Report) error{w.loadDrivers, w.loadPosts, w.loadEntries} {
		if err := load(ctx, store, &report); err != nil {
			return report, fmt.Errorf("seed: %w", err)
		}
	}
	if err := store.FinishLoad(ctx); err != nil {
		return report, fmt.Errorf("seed: %w", err)
	}
	return report, nil
}

func seeded(email string) error {
	return fmt.Errorf("the database was seeded already: it has an account %s; seed an empty database", email)
}

func newWorld(o Options) *world {
	zone := account.Location(homeZone)
	today := calendar.On(o.Now.In(zone))
	return &world{o: o, zone: zone, today: today, start: today.At(0, zone).UTC()}
}

func (w *world) progress(stage string, done, total int) {
	if w.o.Progress != nil {
		w.o.Progress(stage, done, total)
	}
}

// dice is the stream of random numbers of one thing.
func (w *world) dice(kind, n int) *rand.Rand {
	// Neighbouring numbers are spread apart (the finalizer of SplitMix64).
	z := uint64(kind)<<56 ^ uint64(n)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return rand.New(rand.NewPCG(w.o.RandomSeed, z^z>>31)) //nolint:gosec // it must be predictable
}

// pick is one of list, each as likely as the others.
func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// common is one of list, the first ones more likely.
func common[T any](r *rand.Rand, list []T) T {
	return list[min(r.IntN(len(list)), r.IntN(len(list)))]
}

// between is a number from low to high, both included.
func between(r *rand.Rand, low, high int) int { return low + r.IntN(high-low+1) }

// chance is true in percent of all cases.
func chance(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

// moment is a time from low to high, in Unix seconds; low when high is earlier.
func moment(r *rand.Rand, low, high int64) time.Time {
	if high > low {
		low += r.Int64N(high - low + 1)
	}
	return time.Unix(low, 0).UTC()
}

// joined is how many people had an account at t, in Unix seconds.
func (w *world) joined(t int64) int {
	return sort.Search(len(w.people), func(i int) bool { return w.people[i].created > t })
}

func ptr[T any](v T) *T { return &v }

// loadDrivers makes the people and their papers.
func (w *world) loadDrivers(ctx context.Context, store Store, report *Report) error {
	w.people = make([]person, 0, w.o.Drivers)
	for from := 0; from < w.o.Drivers; from += batch {
		n := min(batch, w.o.Drivers-from)
		users := make([]account.User, n)
		settings := make([]account.Settings, n)
		people := make([]person, n)
		for i := range n {
			users[i], settings[i], people[i] = w.driver(from + i)
		}
		switch err := store.LoadUsers(ctx, users, settings); {
		case errors.Is(err, account.ErrEmailTaken):
			return seeded("of the demo data")
		case err != nil:
			return err
		}
		for i := range n {
			people[i].id = users[i].ID
		}
		w.people = append(w.people, people...)
		report.Drivers += n
		var docs []document.Document
		for i := range n {
			docs = append(docs, w.papers(from+i, settings[i])...)
			if len(docs) < batch && i < n-1 {
				continue
			}
			if err := store.LoadDocuments(ctx, docs); err != nil {
				return err
			}
			report.Documents += len(docs)
			docs = docs[:0]
		}
		w.progress(StageDrivers, report.Drivers, w.o.Drivers)
	}
	return nil
}

// ahead has makes make one thing after the other, and keeps each while the next is
// being made: on two cores, so that neither the making nor the database waits. It
// returns the first error of either.
func ahead[T any](makes func(hand func(T) error) error, keep func(T) error) error {
	next, stop := make(chan T), make(chan struct{})
	var failed error
	go func() {
		defer close(next)
		failed = makes(func(one T) error {
			select {
			case next <- one:
				return nil
			case <-stop:
				return errStopped
			}
		})
	}()
	for one := range next {
		if err := keep(one); err != nil {
			close(stop)
			for range next { // until it has seen that
			}
			return err
		}
	}
	return failed
}

var errStopped = errors.New("nobody keeps it any more")

// postBatch is car posts, from a number on, with the places of the owners.
type postBatch struct {
	from   int
	posts  []listing.Post
	owners []int
}

// loadPosts makes the car posts, and what readers keep and report of them.
func (w *world) loadPosts(ctx context.Context, store Store, report *Report) error {
	return ahead(func(hand func(postBatch) error) error {
		for from := 0; from < w.o.Posts; from += batch {
			n := min(batch, w.o.Posts-from)
			b := postBatch{from, make([]listing.Post, n), make([]int, n)}
			for i := range n {
				b.posts[i], b.owners[i] = w.post(from + i)
			}
			if err := hand(b); err != nil {
				return err
			}
		}
		return nil
	}, func(b postBatch) error {
		if err := store.LoadPosts(ctx, b.posts); err != nil {
			return err
		}
		report.Posts += len(b.posts)
		var read readers
		for i := range b.posts {
			w.read(&read, b.from+i, b.posts[i], b.owners[i])
		}
		if err := store.LoadFavorites(ctx, read.users, read.posts, read.since); err != nil {
			return err
		}
		report.Favorites += len(read.since)
		if err := store.LoadReports(ctx, read.reports); err != nil {
			return err
		}
		report.Reports += len(read.reports)
		w.progress(StagePosts, report.Posts, w.o.Posts)
		return nil
	})
}

// loadEntries makes the days of work.
func (w *world) loadEntries(ctx context.Context, store Store, report *Report) error {
	return ahead(w.makeEntries, func(entries []earnings.Entry) error {
		if err := store.LoadEntries(ctx, entries); err != nil {
			return err
		}
		report.Entries += len(entries)
		for i := range entries {
			report.ExpenseItems += len(entries[i].Items)
		}
		w.progress(StageEntries, report.Entries, w.o.Entries)
		return nil
	})
}

// makeEntries hands on all days of work, a batch at a time. The demo account has
// the last 90 days; the rest is shared out to the others by how long they have
// been here and how diligent they are.
func (w *world) makeEntries(hand func([]earnings.Entry) error) error {
	made := make([]earnings.Entry, 0, batch)
	add := func(e earnings.Entry) error {
		if made = append(made, e); len(made) < batch {
			return nil
		}
		full := made
		made = make([]earnings.Entry, 0, batch)
		return hand(full)
	}

	left, err := w.work(0, w.o.Entries, demoDays, w.o.Drivers == 1, add)
	if err != nil {
		return err
	}
	total := 0
	for i := 1; i < w.o.Drivers; i++ {
		total += w.share(i)
	}
	sum := 0
	for i := 1; i < w.o.Drivers; i++ {
		before := left * sum / total
		sum += w.share(i)
		if _, err := w.work(i, left*sum/total-before, 0, true, add); err != nil {
			return err
		}
	}
	if len(made) == 0 {
		return nil
	}
	return hand(made)
}

// share is the weight of a driver when entries are shared out.
func (w *world) share(i int) int {
	r := w.dice(ofShare, i)
	diligence := 1 // hardly uses the calculator
	if chance(r, 70) {
		diligence = between(r, 10, 100)
	}
	days := int(w.start.Unix()-w.people[i].created)/(24*60*60) + 1
	return days * diligence
}
