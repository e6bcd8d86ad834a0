package djangoimport

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/legacy"
	"github.com/ridecopilot/ridecopilot/internal/listing"
)

// post is a row of ridecars_carpost; nil is NULL.
type post struct {
	id      int64
	user    *int64
	created *time.Time
	fields  [len(postFields)]*string
}

// postFields are the texts of a post, in the order of the query.
var postFields = [...]string{
	"car_name", "model", "version", "engine", "fuel", "body", "transmission", "color", "emission_standard", "location", "contact", "description",
	"year", "gear_number", "seat_number", "door_number", "milleage", "power", "mpg", "price",
}

func scanPost(r pgx.Rows) (post, error) {
	var p post
	into := []any{&p.id, &p.user, &p.created}
	for i := range p.fields {
		into = append(into, &p.fields[i])
	}
	err := r.Scan(into...)
	return p, err
}

func (r *run) posts(ctx context.Context) error {
	query := `SELECT id::bigint, user_id::bigint, CASE WHEN isfinite(created_at) THEN created_at::timestamptz END, ` +
		strings.Join(postFields[:], `::text, `) + `::text FROM ridecars_carpost ORDER BY id`
	return read(ctx, r.from, postTable, query, scanPost, func(batch []post) error {
		first, last := batch[0].id, batch[len(batch)-1].id
		r.last[postTable] = max(r.last[postTable], last)
		here, err := r.into.Posts(ctx, first, last)
		if err != nil {
			return err
		}
		deleted, err := r.into.DeletedPosts(ctx, first, last)
		if err != nil {
			return err
		}
		owners, err := r.into.Currencies(ctx, distinct(batch, func(p post) *int64 { return p.user }))
		if err != nil {
			return err
		}
		var posts []listing.Post
		for _, p := range batch {
			keep, err := r.keep(row{postTable, "car post", p.id, p.user, p.created}, here, deleted, owners, &r.report.Posts)
			if err != nil {
				return err
			}
			if !keep {
				continue
			}
			made, err := r.post(p)
			if err != nil {
				return err
			}
			posts = append(posts, made)
		}
		if err := r.into.LoadPosts(ctx, posts); err != nil {
			return err
		}
		r.report.Posts.Taken += len(posts)
		r.seen(postTable, "car posts", &r.report.Posts, len(batch))
		return nil
	})
}

// row is what decides whether a post or an entry comes in.
type row struct {
	table, what string
	id          int64
	user        *int64
	made        *time.Time
}

// keep tells whether a row is to be stored: it is not here yet, was not deleted
// here, and belongs to an account that is here.
func (r *run) keep(o row, here map[int64]Known, deleted map[int64]bool, owners map[int64]string, c *Counts) (bool, error) {
	if k, known := here[o.id]; known {
		if at, _ := moment(o.made); o.user == nil || k.OwnerID != *o.user || !k.CreatedAt.Equal(at) {
			return false, taken(o.what, o.id)
		}
		c.Known++
		return false, nil
	}
	if deleted[o.id] {
		c.LeftOut++
		return false, r.odd(Oddity{o.table, o.id, "id", "", leftOut, Deleted})
	}
	if o.user != nil {
		if _, ok := owners[*o.user]; ok {
			return true, nil
		}
	}
	c.LeftOut++
	return false, r.odd(Oddity{o.table, o.id, "user_id", orNone(o.user), leftOut, OwnerMissing})
}

func (r *run) post(p post) (listing.Post, error) {
	at, err := r.since(postTable, p.id, "created_at", p.created)
	if err != nil {
		return listing.Post{}, err
	}
	made := listing.Post{ID: p.id, OwnerID: *p.user, CreatedAt: at, UpdatedAt: at, Details: listing.DefaultDetails()}
	d := &made.Details
	texts := []*string{
		&d.Make, &d.Model, &d.Version, &d.Engine, &d.Fuel, &d.Body, &d.Transmission, &d.Color, &d.EmissionStandard, &d.Location, &d.Contact,
	}
	for i, into := range texts {
		if *into, err = r.line(postTable, p.id, postFields[i], or(p.fields[i])); err != nil {
			return made, err
		}
	}
	n := len(texts)
	if d.Description, err = r.text(postTable, p.id, postFields[n], or(p.fields[n]), listing.MaxDescription, true); err != nil {
		return made, err
	}
	n++
	for i, f := range []struct {
		field legacy.Field
		set   func(legacy.Reading)
	}{
		{legacy.Year, whole(&d.Year)},
		{legacy.Gears, func(g legacy.Reading) {
			if whole(&d.Gears)(g); d.Transmission == "" {
				d.Transmission = g.Transmission
			}
		}},
		{legacy.Seats, whole(&d.Seats)},
		{legacy.Doors, whole(&d.Doors)},
		{legacy.Mileage, whole(&d.MileageKM)},
		{legacy.Power, whole(&d.PowerHP)},
		{legacy.Consumption, func(c legacy.Reading) { d.Consumption = amount(c) }},
		{legacy.Price, func(c legacy.Reading) {
			if d.Price = amount(c); d.Price != nil && c.Places == fixed.Places {
				d.PricePlaces = fixed.Places
			}
			if c.Period != "" {
				d.PricePeriod = &c.Period
			}
		}},
	} {
		if err := r.number(p.id, postFields[n+i], or(p.fields[n+i]), f.field, f.set); err != nil {
			return made, err
		}
	}
	return made, nil
}

// whole sets a whole number to what was read, nil for none.
func whole(into **int) func(legacy.Reading) {
	return func(r legacy.Reading) {
		if !r.None {
			*into = new(r.Int())
		}
	}
}

func amount(r legacy.Reading) *fixed.Amount {
	if r.None {
		return nil
	}
	return &r.Amount
}

func or(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// number reads a number of a post; the report lists what was not one as it stood.
// Nothing is nothing, and no oddity.
func (r *run) number(id int64, column, s string, f legacy.Field, set func(legacy.Reading)) error {
	if s == "" {
		return nil
	}
	read, err := legacy.Read(f, s)
	if err != nil {
		return r.odd(Oddity{postTable, id, column, s, storedNull, NumberLost})
	}
	set(read)
	if read.Plain {
		return nil
	}
	stored := storedNull
	if !read.None {
		stored = legacy.Short(read.Amount)
	}
	return r.odd(Oddity{postTable, id, column, s, strings.TrimSpace(stored + " " + read.Period), NumberRead})
}
