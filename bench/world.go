package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/account/password"
	"github.com/ridecopilot/ridecopilot/internal/store"
)

// person is a driver of the demo data who has signed in.
type person struct {
	ID      int64
	Email   string
	Access  string
	Refresh string
	Posts   []int64
}

// rows is how much there is.
type rows struct {
	Drivers int `json:"drivers"`
	Posts   int `json:"posts"`
	Visible int `json:"visible_posts"`
	Entries int `json:"entries"`
}

// world is what the scenarios know of the database.
type world struct {
	st       *store.Store
	rows     rows
	people   []person
	password string           // of all of them
	visible  []int64          // some posts that everybody may see
	searches []string         // words that find many posts, but not too many
	from, to string           // the last 90 days with entries
	page     int              // a page deep in the list
	cursor   string           // the place of that page
	spare    []string         // refresh tokens that nobody has used
	last     map[string]int64 // the largest id of each table that is written to
}

const (
	actors      = 2000 // people who make requests, at most
	sampleSize  = 5000 // posts that are read one by one
	searchCount = 8
	perPage     = 10
	deepPage    = 5000
)

// newWorld looks at the database and signs people in.
func newWorld(ctx context.Context, st *store.Store, secret, password string, spare int) (*world, error) {
	w := &world{st: st, password: password, last: map[string]int64{}}
	db := st.Reader()
	const seen = ` FROM car_post p JOIN account o ON o.id = p.owner_id WHERE p.status = 'active' AND p.moderated_at IS NULL AND o.is_active`
	var to string
	for _, q := range []struct {
		sql  string
		into any
	}{
		{`SELECT count(*) FROM account`, &w.rows.Drivers},
		{`SELECT count(*) FROM car_post`, &w.rows.Posts},
		{`SELECT count(*) FROM entry`, &w.rows.Entries},
		{`SELECT count(*)` + seen, &w.rows.Visible},
		{`SELECT CAST(max(date) AS text) FROM entry`, &to},
	} {
		if err := db.QueryRowContext(ctx, q.sql).Scan(q.into); err != nil {
			return nil, fmt.Errorf("look at the database (is it seeded?): %w", err)
		}
	}
	for _, table := range written {
		var id sql.NullInt64
		if err := db.QueryRowContext(ctx, `SELECT max(id) FROM `+table).Scan(&id); err != nil {
			return nil, fmt.Errorf("look at %s: %w", table, err)
		}
		w.last[table] = id.Int64
	}
	day, err := time.Parse(time.DateOnly, to[:min(len(to), len(time.DateOnly))])
	if err != nil {
		return nil, fmt.Errorf("the last day with entries: %w", err)
	}
	w.from, w.to = day.AddDate(0, 0, -89).Format(time.DateOnly), day.Format(time.DateOnly)
	w.page = max(1, min(deepPage, w.rows.Visible/perPage*9/10))
	if w.visible, err = column[int64](ctx, db, `SELECT p.id`+seen+` ORDER BY random() LIMIT $1`, sampleSize); err != nil {
		return nil, err
	}
	if err := w.findSearches(ctx, db, seen); err != nil {
		return nil, err
	}
	return w, w.signIn(ctx, secret, spare)
}

// findSearches takes a model and a town that many posts share: as many as can
// be without more than a thousand, which is where the target ends.
func (w *world) findSearches(ctx context.Context, db *sql.DB, seen string) error {
	var err error
	w.searches, err = column[string](ctx, db, `
		SELECT model_key || ' ' || location_key`+seen+`
		GROUP BY model_key, location_key HAVING count(*) <= 900 ORDER BY count(*) DESC, 1 LIMIT $1`, searchCount)
	if err == nil && len(w.searches) == 0 {
		err = errors.New("no search finds anything")
	}
	return err
}

// column reads the one column of a query.
func column[T any](ctx context.Context, db *sql.DB, query string, args ...any) ([]T, error) {
	found, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("look at the database: %w", err)
	}
	defer found.Close()
	var list []T
	for found.Next() {
		var one T
		if err := found.Scan(&one); err != nil {
			return nil, fmt.Errorf("look at the database: %w", err)
		}
		list = append(list, one)
	}
	return list, found.Err()
}

// signIn opens a session for each of the people and has its tokens made by the
// product's own rules. Only the work on the password is left out: it would take
// minutes.
func (w *world) signIn(ctx context.Context, secret string, spare int) error {
	found, err := w.st.Reader().QueryContext(ctx, `
		SELECT a.id, a.email, a.password_hash FROM account a
		WHERE a.is_active AND a.email IS NOT NULL AND (SELECT count(*) FROM car_post p WHERE p.owner_id = a.id) BETWEEN 1 AND 100
		ORDER BY a.id LIMIT $1`, actors)
	if err != nil {
		return fmt.Errorf("look for people: %w", err)
	}
	defer found.Close()
	var hashes []string
	for found.Next() {
		var p person
		var hash string
		if err := found.Scan(&p.ID, &p.Email, &hash); err != nil {
			return fmt.Errorf("look for people: %w", err)
		}
		w.people, hashes = append(w.people, p), append(hashes, hash)
	}
	if err := found.Err(); err != nil {
		return fmt.Errorf("look for people: %w", err)
	}
	if len(w.people) == 0 {
		return errors.New("nobody has posts")
	}
	accounts := account.NewService(w.st, account.Options{Secret: secret, Hasher: password.NewHasher(password.Params{})})
	var wg sync.WaitGroup
	const lanes = 8
	errs := make([]error, lanes)
	for lane := range lanes {
		wg.Go(func() {
			for i := lane; i < len(w.people) && errs[lane] == nil; i += lanes {
				errs[lane] = w.open(ctx, accounts, &w.people[i], hashes[i])
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for i := range spare {
		p := w.people[i%len(w.people)]
		if err := w.open(ctx, accounts, &p, hashes[i%len(w.people)]); err != nil {
			return err
		}
		w.spare = append(w.spare, p.Refresh)
	}
	return nil
}

func (w *world) open(ctx context.Context, accounts *account.Service, p *person, hash string) error {
	secret := rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(secret))
	now := time.Now().UTC().Truncate(time.Microsecond)
	_, err := w.st.CreateSession(ctx, account.Session{
		UserID: p.ID, Kind: account.SessionAPI, Device: "bench", Address: "127.0.0.1", CreatedAt: now, LastUsedAt: now,
		IdleUntil: now.Add(account.DefaultRefreshTTL), ExpiresAt: now.Add(account.DefaultSessionTTL),
	}, sum[:], hash)
	if err != nil {
		return fmt.Errorf("open a session: %w", err)
	}
	c, err := accounts.Refresh(ctx, secret)
	if err != nil {
		return fmt.Errorf("make tokens: %w", err)
	}
	p.Access, p.Refresh = c.Access, c.Refresh
	p.Posts, err = column[int64](ctx, w.st.Reader(), `SELECT id FROM car_post WHERE owner_id = $1 ORDER BY id LIMIT 5`, p.ID)
	return err
}

// written are the tables that scenarios write to, in the order in which rows can go.
var written = []string{"upload", "history", "entry", "car_post"}

// tidy removes what a scenario has written: the next begins with the same
// database, and nobody reaches a limit.
func (w *world) tidy(ctx context.Context) error {
	for _, table := range written {
		if _, err := w.st.Writer().ExecContext(ctx, `DELETE FROM `+table+` WHERE id > $1`, w.last[table]); err != nil {
			return fmt.Errorf("remove what was written to %s: %w", table, err)
		}
	}
	return nil
}

// findCursor walks down the list to the deep page.
func (w *world) findCursor(c *client) error {
	left := (w.page - 1) * perPage
	for left > 0 {
		size := min(left, 100)
		var page struct{ Next string }
		if err := w.get(c, fmt.Sprintf("/api/carposts/?cursor=%s&page_size=%d", w.cursor, size), &page); err != nil {
			return err
		}
		_, after, ok := strings.Cut(page.Next, "cursor=")
		if !ok {
			return errors.New("the list ends before the deep page")
		}
		w.cursor, _, _ = strings.Cut(after, "&")
		left -= size
	}
	return nil
}

// checkSearches leaves out what finds too much.
func (w *world) checkSearches(c *client) error {
	var good []string
	for _, q := range w.searches {
		var page struct{ Count int }
		if err := w.get(c, "/api/carposts/?page_size=1&q="+escape(q), &page); err != nil {
			return err
		}
		if page.Count <= 1000 {
			good = append(good, q)
		}
	}
	if len(good) > 0 {
		w.searches = good
	}
	return nil
}

// get reads something as the first of the people.
func (w *world) get(c *client, path string, into any) error {
	status, body, err := c.do(get(nil, c.addr, path, w.people[0].Access), true)
	if err == nil && status != 200 {
		err = fmt.Errorf("status %d: %.200s", status, body)
	}
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}

// secretText is a new SECRET_KEY.
func secretText() string {
	b := make([]byte, 48)
	rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(b)
}
