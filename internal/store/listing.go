package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/note"
	"github.com/ridecopilot/ridecopilot/internal/text"
)

// postSelect reads posts as the reader (the first parameter) sees them.
const postSelect = `
	SELECT p.id, p.owner_id, o.name, o.is_active, p.make, p.model, p.version, p.engine, p.fuel, p.body, p.transmission, p.color,
		p.emission_standard, p.location, p.contact, p.description, p.year, p.gears, p.seats, p.doors, p.mileage_km, p.power_hp,
		p.consumption, p.offer, p.price, p.currency, p.price_period, p.status, p.moderated_at, p.moderation_reason, p.approved_at,
		p.price_places, p.created_at, p.updated_at, p.revision,
		EXISTS (SELECT 1 FROM favorite f WHERE f.post_id = p.id AND f.account_id = $1)`

const postFrom = ` FROM car_post p JOIN account o ON o.id = p.owner_id`

func scanPost(r row, more ...any) (listing.Post, error) {
	var p listing.Post
	var moderatedAt *time.Time
	var reason sql.NullString
	err := r.Scan(append([]any{
		&p.ID, &p.OwnerID, &p.OwnerName, &p.OwnerActive, &p.Make, &p.Model, &p.Version, &p.Engine, &p.Fuel, &p.Body, &p.Transmission, &p.Color,
		&p.EmissionStandard, &p.Location, &p.Contact, &p.Description, &p.Year, &p.Gears, &p.Seats, &p.Doors, &p.MileageKM, &p.PowerHP,
		&p.Consumption, &p.Offer, &p.Price, &p.Currency, &p.PricePeriod, &p.Status, &moderatedAt, &reason, &p.ApprovedAt,
		&p.PricePlaces, &p.CreatedAt, &p.UpdatedAt, &p.Revision, &p.Favorite,
	}, more...)...)
	if moderatedAt != nil {
		p.Moderation = &listing.Moderation{Reason: reason.String, At: *moderatedAt}
	}
	return p, orNotFound(err, listing.ErrNotFound)
}

// postsInto is a question whose rows are posts.
func postsInto(into *[]listing.Post, query string, args []any) question {
	return collected(into, func(r row) (listing.Post, error) { return scanPost(r) }, query, args)
}

// detailArgs are the columns that an edit writes, in the order of INSERT and
// UPDATE, the folded ones before the last.
func detailArgs(d listing.Details) []any {
	return []any{
		d.Make, d.Model, d.Version, d.Engine, d.Fuel, d.Body, d.Transmission, d.Color, d.EmissionStandard, d.Location, d.Contact,
		d.Description, d.Year, d.Gears, d.Seats, d.Doors, d.MileageKM, d.PowerHP, d.Consumption, d.Offer, d.Price, d.Currency,
		d.PricePeriod, d.Status,
		text.Key(d.Make), text.Key(d.Model), text.Key(d.Fuel), text.Key(d.Body), text.Key(d.Transmission), text.Key(d.Location),
		d.SearchText(), d.PricePlaces,
	}
}

// CreatePost stores a post, counting its owner's in the same transaction.
func (s *Store) CreatePost(ctx context.Context, by account.Actor, p listing.Post, limit int) (post listing.Post, repeated bool, err error) {
	err = s.inTx(ctx, onPosts, func(tx *txn) error {
		id, err := tx.madeBefore(ctx, by, p.CreatedAt)
		if err != nil {
			return err
		}
		if repeated = id != 0; repeated {
			post, err = tx.post(ctx, id, by.ID, "")
		} else {
			post, err = tx.insertPost(ctx, by, p, limit)
		}
		return err
	})
	if err != nil {
		return listing.Post{}, false, fmt.Errorf("create car post: %w", err)
	}
	return post, repeated, nil
}

// insertPost stores a post and returns it as it would be read.
func (t *txn) insertPost(ctx context.Context, by account.Actor, p listing.Post, limit int) (listing.Post, error) {
	var err error
	if p.OwnerName, p.OwnerActive, err = t.lockOwner(ctx, p.OwnerID); err != nil {
		return p, err
	}
	if limit > 0 {
		n, err := t.owned(ctx, "car_post", p.OwnerID)
		if err != nil {
			return p, err
		}
		if n >= limit {
			note.Limit(ctx, "car_posts")
			return p, listing.ErrTooMany
		}
	}
	err = t.QueryRowContext(ctx, `
		INSERT INTO car_post (owner_id, created_at, updated_at,
			make, model, version, engine, fuel, body, transmission, color, emission_standard, location, contact,
			description, year, gears, seats, doors, mileage_km, power_hp, consumption, offer, price, currency, price_period, status,
			make_key, model_key, fuel_key, body_key, transmission_key, location_key, search, price_places)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27,
			$28, $29, $30, $31, $32, $33, $34, $35)
		RETURNING id, revision`,
		append([]any{p.OwnerID, p.CreatedAt, p.UpdatedAt}, detailArgs(p.Details)...)...).Scan(&p.ID, &p.Revision)
	if err != nil {
		return p, err
	}
	if err := t.made(ctx, by, p.ID); err != nil {
		return p, err
	}
	return p, t.record(ctx, by, actCreate, objectPost, p.ID, p.OwnerID, nil, p.Record(), p.CreatedAt)
}

// lockOwner reads and locks an owner's row, so that two creations at once cannot
// both take the last place of a limit.
func (t *txn) lockOwner(ctx context.Context, owner int64) (name string, active bool, err error) {
	err = t.QueryRowContext(ctx, `SELECT name, is_active FROM account WHERE id = $1`+t.s.dialect.forQuota, owner).Scan(&name, &active)
	return name, active, orNotFound(err, account.ErrUnauthenticated)
}

// quotaFull counts the rows of an owner, whose row it locks.
func (t *txn) quotaFull(ctx context.Context, table string, owner int64, limit int) (bool, error) {
	if _, _, err := t.lockOwner(ctx, owner); err != nil {
		return false, err
	}
	n, err := t.owned(ctx, table, owner)
	return n >= limit, err
}

// owned counts the rows of an owner, whose row is locked. That is a statement of
// its own: one that has waited for the lock counts what it saw before.
func (t *txn) owned(ctx context.Context, table string, owner int64) (n int, err error) {
	err = t.QueryRowContext(ctx, `SELECT count(*) FROM `+table+` WHERE owner_id = $1`, owner).Scan(&n)
	return n, err
}

func (t *txn) post(ctx context.Context, id, reader int64, lock string) (listing.Post, error) {
	return onePost(ctx, t, id, reader, lock)
}

// onePost reads a post with its photos.
func onePost(ctx context.Context, db querier, id, reader int64, lock string) (listing.Post, error) {
	var posts []listing.Post
	var photos []media.Upload
	err := db.all(ctx,
		postsInto(&posts, postSelect+postFrom+` WHERE p.id = $2`+lock, []any{reader, id}),
		collected(&photos, scanUpload, uploadSelect+` WHERE post_id = $1 ORDER BY position, id`, []any{id}))
	if err != nil {
		return listing.Post{}, err
	}
	if len(posts) == 0 {
		return listing.Post{}, listing.ErrNotFound
	}
	posts[0].Photos = photos
	return posts[0], nil
}

// withPhotos gives posts their photos, in one statement for all of them.
func withPhotos(ctx context.Context, db querier, posts []listing.Post) error {
	ids := make([]int64, 0, len(posts))
	for _, p := range posts {
		ids = append(ids, p.ID)
	}
	photos, err := uploadsOf(ctx, db, "post_id", ids)
	for i := range posts {
		posts[i].Photos = photos[posts[i].ID]
	}
	return err
}

// Post reads a post.
func (s *Store) Post(ctx context.Context, id, reader int64) (p listing.Post, err error) {
	err = s.reading(ctx, onPosts, func(ctx context.Context, db querier) error {
		p, err = onePost(ctx, db, id, reader, "")
		return err
	})
	return p, err
}

// UpdatePost loads, changes and saves a post, and carries out what goes with it.
func (s *Store) UpdatePost(ctx context.Context, by account.Actor, id int64, change func(*listing.Post, *listing.Effects) error) (listing.Post, error) {
	var p listing.Post
	err := s.inTx(ctx, onPosts, func(tx *txn) error {
		var err error
		if p, err = tx.post(ctx, id, by.ID, tx.lockPost()); err != nil {
			return err
		}
		loaded := p
		var fx listing.Effects
		if err := change(&p, &fx); err != nil {
			return err
		}
		changes, err := diff(loaded.Record(), p.Record())
		if err != nil {
			return err
		}
		if len(changes) == 0 {
			p = loaded
			return tx.carryOutPost(ctx, by, p, fx)
		}
		p.Revision++
		r := p.Record()
		_, err = tx.ExecContext(ctx, `
			UPDATE car_post SET updated_at = $2, revision = $3,
				make = $4, model = $5, version = $6, engine = $7, fuel = $8, body = $9, transmission = $10, color = $11,
				emission_standard = $12, location = $13, contact = $14, description = $15, year = $16, gears = $17, seats = $18,
				doors = $19, mileage_km = $20, power_hp = $21, consumption = $22, offer = $23, price = $24, currency = $25,
				price_period = $26, status = $27, make_key = $28, model_key = $29, fuel_key = $30, body_key = $31,
				transmission_key = $32, location_key = $33, search = $34, price_places = $35, moderated_at = $36, moderation_reason = $37,
				approved_at = $38
			WHERE id = $1`,
			append(append([]any{id, p.UpdatedAt, p.Revision}, detailArgs(p.Details)...), timeArg(r.ModeratedAt), r.ModerationReason, timeArg(r.ApprovedAt))...)
		if err != nil {
			return err
		}
		if err := tx.write(ctx, by, actUpdate, objectPost, id, p.OwnerID, changes, p.UpdatedAt); err != nil {
			return err
		}
		return tx.carryOutPost(ctx, by, p, fx)
	})
	if err != nil {
		return listing.Post{}, fmt.Errorf("update car post %d: %w", id, err)
	}
	return p, nil
}

func (t *txn) carryOutPost(ctx context.Context, by account.Actor, p listing.Post, fx listing.Effects) error {
	if fx.Resolve != nil {
		if err := t.resolveReports(ctx, by, p.ID, *fx.Resolve); err != nil {
			return err
		}
	}
	if fx.Reopen != nil {
		if err := t.reopenReports(ctx, by, p.ID, *fx.Reopen, p.UpdatedAt); err != nil {
			return err
		}
	}
	if fx.Tell == "" {
		return nil
	}
	// What is still to be said of it is no longer true.
	if _, err := t.ExecContext(ctx, `UPDATE mail SET state = $4, settled_at = $5 WHERE account_id = $1 AND post_id = $2 AND state = $3`,
		p.OwnerID, p.ID, account.MailQueued, account.MailDropped, p.UpdatedAt); err != nil {
		return err
	}
	var email string
	if err := t.QueryRowContext(ctx, `SELECT COALESCE(email, '') FROM account WHERE id = $1`, p.OwnerID).Scan(&email); err != nil || email == "" {
		return err
	}
	return t.queueMail(ctx, account.Mail{Kind: fx.Tell, UserID: &p.OwnerID, Address: email, PostID: &p.ID}, p.UpdatedAt)
}

// resolveReports resolves what is open against a post.
func (t *txn) resolveReports(ctx context.Context, by account.Actor, post int64, at time.Time) error {
	return t.changeReports(ctx, by, at, `
		UPDATE report SET resolved_at = $2, resolved_by = $3 WHERE post_id = $1 AND resolved_at IS NULL RETURNING `+reportColumns,
		func(before *listing.Report) { before.ResolvedAt, before.ResolvedBy = nil, nil }, post, timeArg(&at), nullID(by.ID))
}

// reopenReports opens the reports of a post again that were resolved at a moment.
func (t *txn) reopenReports(ctx context.Context, by account.Actor, post int64, resolved, at time.Time) error {
	return t.changeReports(ctx, by, at, `
		UPDATE report SET resolved_at = NULL, resolved_by = NULL WHERE post_id = $1 AND resolved_at = $2 RETURNING `+reportColumns,
		func(before *listing.Report) { before.ResolvedAt = &resolved }, post, timeArg(&resolved))
}

// changeReports runs a statement that changes and returns reports, and records each
// change. restore turns a changed report into its earlier version.
func (t *txn) changeReports(ctx context.Context, by account.Actor, at time.Time, change string, restore func(*listing.Report), args ...any) error {
	rows, err := t.QueryContext(ctx, change, args...)
	if err != nil {
		return err
	}
	changed, err := collect(rows, scanReport)
	for _, r := range changed {
		before := r
		restore(&before)
		if err == nil {
			err = t.record(ctx, by, actUpdate, objectReport, r.ID, r.ReporterID, recordOfReport(before), recordOfReport(r), at)
		}
	}
	return err
}

// lockPost locks the post alone, not the owner's row that is read with it.
func (t *txn) lockPost() string {
	if t.s.dialect.forUpdate == "" {
		return ""
	}
	return t.s.dialect.forUpdate + " OF p"
}

// DeletePost removes a post if check agrees.
func (s *Store) DeletePost(ctx context.Context, by account.Actor, id int64, check func(listing.Post) error) error {
	err := s.inTx(ctx, onPosts, func(tx *txn) error {
		p, err := tx.post(ctx, id, by.ID, tx.lockPost())
		if err != nil {
			return err
		}
		if err := check(p); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM mail WHERE account_id = $1 AND post_id = $2 AND state = $3`, p.OwnerID, id, account.MailQueued); err != nil {
			return err
		}
		if _, err := tx.dropUploads(ctx, `post_id = $1`, id); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM car_post WHERE id = $1`, id); err != nil {
			return err
		}
		return tx.record(ctx, by, actDelete, objectPost, id, p.OwnerID, p.Record(), nil, now())
	})
	if err != nil {
		return fmt.Errorf("delete car post %d: %w", id, err)
	}
	return nil
}

// postQuery is the conditions that a filter stands for, as reader may see it.
func (s *Store) postQuery(reader int64, f listing.Filter) *query {
	q := &query{args: []any{reader}}
	if f.Own {
		q.where("p.owner_id = ?", reader)
	} else {
		// In these words, without a parameter: partial indexes are made for them.
		q.where("p.status = '" + listing.StatusActive + "' AND p.moderated_at IS NULL AND p.owner_active")
	}
	for _, c := range []struct{ column, value string }{
		{"p.make_key", text.Key(f.Make)},
		{"p.model_key", text.Key(f.Model)},
		{"p.fuel_key", text.Key(f.Fuel)},
		{"p.body_key", text.Key(f.Body)},
		{"p.transmission_key", text.Key(f.Transmission)},
		{"p.location_key", text.Key(f.Location)},
		{"p.offer", f.Offer},
		{"p.currency", f.Currency},
		{"p.price_period", f.PricePeriod},
		{"p.status", f.Status},
	} {
		if c.value != "" {
			q.where(c.column+" = ?", c.value)
		}
	}
	for _, c := range []struct {
		cond  string
		value *int
	}{
		{"p.year >= ?", f.YearMin},
		{"p.year <= ?", f.YearMax},
		{"p.mileage_km <= ?", f.MileageMax},
		{"p.seats >= ?", f.SeatsMin},
	} {
		if c.value != nil {
			q.where(c.cond, *c.value)
		}
	}
	if f.PriceMin != nil {
		q.where("p.price >= ?", int64(*f.PriceMin))
	}
	if f.PriceMax != nil {
		q.where("p.price <= ?", int64(*f.PriceMax))
	}
	if f.OwnerID != 0 {
		q.where("p.owner_id = ?", f.OwnerID)
	}
	// Unlike EXISTS, this lets SQLite begin with the few rows inside.
	q.whether("p.id", "SELECT f.post_id FROM favorite f WHERE f.account_id = $1", f.Favorite)
	if f.HasPhoto != nil { // with an index of its own; as a list it would be that of all photos
		q.where(map[bool]string{true: "", false: "NOT "}[*f.HasPhoto] + "EXISTS (SELECT 1 FROM upload u WHERE u.post_id = p.id AND u.state = 'ready')")
	}
	switch {
	case f.NoSuchMatches:
		q.where("1 = 0")
	case len(f.Words) > 0:
		q.where(s.dialect.searchMatch(f.Words), s.dialect.searchTerm(f.Words))
	}
	return q
}

// whether adds the condition that a column is among the rows of a SELECT, or
// that it is not, or nothing. Neither may be NULL.
func (q *query) whether(column, among string, wanted *bool) {
	switch {
	case wanted == nil:
	case *wanted:
		q.where(column + " IN (" + among + ")")
	default:
		q.where(column + " NOT IN (" + among + ")")
	}
}

// The sort values of posts without one: behind every other, either way.
const (
	lastAscending  = "9223372036854775807"
	lastDescending = "-1"
)

// sortExpr is what an order compares. Where the value may be missing, its
// stand-in sorts last.
func sortExpr(o listing.Order) string {
	switch o.Key {
	case "price", "year", "mileage_km":
		if o.Desc {
			return "COALESCE(p." + o.Key + ", " + lastDescending + ")"
		}
		return "COALESCE(p." + o.Key + ", " + lastAscending + ")"
	case "make":
		return "p.make_key"
	case "id":
		return "p.id"
	default:
		return "p.created_at"
	}
}

// sortArg turns a cursor's text back into a value of the sort column.
func sortArg(key, value string) (any, error) {
	switch key {
	case "price", "year", "mileage_km":
		return strconv.ParseInt(value, 10, 64)
	case "make":
		return value, nil
	default:
		n, err := strconv.ParseInt(value, 10, 64)
		return time.UnixMicro(n).UTC(), err
	}
}

// sortValue is the text by which a cursor remembers a post's place.
func sortValue(o listing.Order, p listing.Post) string {
	number := func(n *int64) string {
		switch {
		case n != nil:
			return strconv.FormatInt(*n, 10)
		case o.Desc:
			return lastDescending
		}
		return lastAscending
	}
	switch o.Key {
	case "price":
		return number((*int64)(p.Price))
	case "year":
		return number(wide(p.Year))
	case "mileage_km":
		return number(wide(p.MileageKM))
	case "make":
		return text.Key(p.Make)
	default:
		return strconv.FormatInt(p.CreatedAt.UnixMicro(), 10)
	}
}

func wide(n *int) *int64 {
	if n == nil {
		return nil
	}
	w := int64(*n)
	return &w
}

// Posts lists posts. By number it also counts; by cursor it does not, and its
// cost does not grow with depth.
func (s *Store) Posts(ctx context.Context, reader int64, f listing.Filter, o listing.Order, at listing.Place) (listing.Page, error) {
	var page listing.Page
	err := s.reading(ctx, onPosts, func(ctx context.Context, db querier) error {
		q := s.postQuery(reader, f)
		page.Exact = true
		var count []question // goes with the page
		var err error
		whole := false
		switch {
		case at.Cursor != nil:
		case f.Own:
			count = []question{countPosts(q, "", &page.Count)}
		case f.Narrow():
			whole, err = s.matches(ctx, db, q, o, at, &page)
		case at.Offset >= tallyFrom && o.Key == "created_at":
			at.Offset, err = deepTally(ctx, db, q, o, at.Offset, &page)
		default:
			count = []question{tally(&page.Count)}
		}
		if err == nil && !whole {
			err = walk(ctx, db, q, o, at, &page, count...)
		}
		if err != nil {
			return err
		}
		back := at.Cursor != nil && at.Cursor.Back
		more := len(page.Posts) > at.Limit
		page.Posts = page.Posts[:min(len(page.Posts), at.Limit)]
		if err := withPhotos(ctx, db, page.Posts); err != nil {
			return err
		}
		if back {
			slices.Reverse(page.Posts)
			page.HasPrev, page.HasNext = more, true
		} else {
			page.HasNext, page.HasPrev = more, at.Cursor != nil && at.Cursor.ID != 0
		}
		for _, p := range page.Posts {
			page.SortValues = append(page.SortValues, sortValue(o, p))
		}
		return nil
	})
	return page, err
}

// walk reads a page, and one post more, where an index has the posts in order.
func walk(ctx context.Context, db querier, q *query, o listing.Order, at listing.Place, page *listing.Page, also ...question) error {
	statement, err := q.posts(o, at)
	if err != nil {
		return err
	}
	return db.all(ctx, append(also, postsInto(&page.Posts, statement, q.args))...)
}

// matches reads a page of a narrowed list by number, and one post more, and
// counts the list, no further than CountLimit. Up to there all that matches is
// looked for once, counted and sorted: an engine that looks for a page alone may
// walk through an index in the order of the list and find few. Beyond, whole is
// false, and what matches is so frequent that the walk is right.
func (s *Store) matches(ctx context.Context, db querier, q *query, o listing.Order, at listing.Place, page *listing.Page) (whole bool, err error) {
	found := query{args: slices.Clone(q.args)}
	statement := `WITH m AS MATERIALIZED (SELECT p.id, ` + sortExpr(o) + ` AS place FROM car_post p` + q.clause() + countLimit + `)` +
		postSelect + `, (SELECT count(*) FROM m)` +
		postPage(`SELECT m.id FROM m`+orderBy("m.place", "m.id", o.Desc)+found.bind(` LIMIT ? OFFSET ?`, at.Limit+1, at.Offset)) +
		orderBy(sortExpr(o), "p.id", o.Desc)
	rows, err := db.QueryContext(ctx, statement, s.planAnew(found.args)...)
	if err != nil {
		return false, err
	}
	page.Posts, err = collect(rows, func(r row) (listing.Post, error) { return scanPost(r, &page.Count) })
	if err == nil && len(page.Posts) == 0 && at.Offset > 0 { // the place is behind the last page
		err = db.all(ctx, countPosts(q, countLimit, &page.Count))
	}
	page.Exact = page.Count <= listing.CountLimit
	page.Count = min(page.Count, listing.CountLimit)
	return page.Exact, err
}

// posts is the SELECT of a page of the posts that the conditions leave.
func (q *query) posts(o listing.Order, at listing.Place) (string, error) {
	key := sortExpr(o)
	// Going back reads the list the other way round and turns the page.
	down := o.Desc != (at.Cursor != nil && at.Cursor.Back)
	if c := at.Cursor; c != nil && c.ID != 0 {
		value, err := sortArg(o.Key, c.Key)
		if err != nil {
			return "", listing.ErrCursor
		}
		beyond := map[bool]string{true: "<", false: ">"}[down]
		// The first half says nothing new, but SQLite finds a place in an index
		// of an expression by it alone.
		q.where(key+" "+beyond+"= ? AND ("+key+", p.id) "+beyond+" (?, ?)", value, value, c.ID)
	}
	order := orderBy(key, "p.id", down)
	if at.Offset == 0 {
		return postSelect + postFrom + q.clause() + order + q.bind(` LIMIT ?`, at.Limit+1), nil
	}
	// What is left out is counted in an index alone; only the page's own rows are read.
	return postSelect + postPage(`SELECT p.id FROM car_post p`+q.clause()+order+q.bind(` LIMIT ? OFFSET ?`, at.Limit+1, at.Offset)) + order, nil
}

// orderBy sorts by an expression, and by the number where that is the same.
func orderBy(key, id string, down bool) string {
	dir := map[bool]string{true: " DESC", false: " ASC"}[down]
	return ` ORDER BY ` + key + dir + `, ` + id + dir
}

// postPage is the FROM of the posts whose numbers a SELECT has chosen.
func postPage(chosen string) string {
	return ` FROM (` + chosen + `) AS page JOIN car_post p ON p.id = page.id JOIN account o ON o.id = p.owner_id`
}

// tallyFrom is how far down a list must begin for the tally of the days to be
// faster than walking there in an index.
const tallyFrom = 5000

// tally counts all posts that everybody may see, by the days' counts that
// triggers keep (migration 0005).
func tally(into *int) question {
	return one(`SELECT CAST(COALESCE(sum(posts), 0) AS bigint) FROM post_tally`, nil, into)
}

// deepTally is tally, and finds the day on which a place far down the list by
// creation is: the condition that the list begins there is added, and what is left
// of the offset returned.
func deepTally(ctx context.Context, db querier, q *query, o listing.Order, offset int, page *listing.Page) (int, error) {
	var day calendar.Day
	var before int
	err := db.QueryRowContext(ctx, `
		SELECT day, up_to - posts, total FROM (
			SELECT day, posts, sum(posts) OVER (ORDER BY day`+map[bool]string{true: " DESC", false: " ASC"}[o.Desc]+`) AS up_to, sum(posts) OVER () AS total
			FROM (SELECT day, CAST(sum(posts) AS integer) AS posts FROM post_tally GROUP BY day HAVING sum(posts) > 0) AS days
		) AS places WHERE up_to - posts <= $1 ORDER BY up_to DESC LIMIT 1`, offset).Scan(&day, &before, &page.Count)
	switch {
	case errors.Is(err, sql.ErrNoRows): // there are no posts
		return offset, nil
	case err != nil:
		return 0, err
	case o.Desc:
		q.where("p.created_at < ?", (day + 1).UTC())
	default:
		q.where("p.created_at >= ?", day.UTC())
	}
	return offset - before, nil
}

// planAnew is the arguments of a statement that PostgreSQL shall plan for these very
// values. A plan that it keeps for any words may read most posts for one that
// nearly all of them have.
func (s *Store) planAnew(args []any) []any { return append(slices.Clone(s.dialect.planAnew), args...) }

// countLimit is how far a narrowed list is counted: one more than CountLimit
// tells that there are more.
var countLimit = ` LIMIT ` + strconv.Itoa(listing.CountLimit+1)

// countPosts counts what the conditions leave.
func countPosts(q *query, limit string, into *int) question {
	// PostgreSQL wants every parameter used: the reader's number is the first.
	return one(`SELECT count(*), CAST($1 AS bigint) FROM (SELECT 1 FROM car_post p`+q.clause()+limit+`) AS matches`, q.args, into, new(int64))
}

// Facets counts the values of the fields that people narrow by, of the newest
// posts where there are more than CountLimit: of any, they would be others each time.
func (s *Store) Facets(ctx context.Context, reader int64, f listing.Filter) (listing.Facets, error) {
	facets := listing.Facets{Values: map[string][]listing.FacetValue{}}
	err := s.reading(ctx, onPosts, func(ctx context.Context, db querier) error {
		q := s.postQuery(reader, f)
		var columns, keys, firsts, parts []string
		for _, field := range listing.FacetFields {
			facets.Values[field] = nil
			// The spelling shown is the first in the order of the letters, which
			// both engines must agree on: their default orders differ.
			columns = append(columns, "p."+field+s.dialect.collateC+" AS "+field, "p."+field+"_key")
			keys = append(keys, field+"_key")
			firsts = append(firsts, "min("+field+") AS "+field)
			parts = append(parts, `SELECT '`+field+`' AS field, min(`+field+`) AS value, CAST(sum(n) AS bigint) AS n FROM g WHERE `+field+`_key <> '' GROUP BY `+field+`_key`)
		}
		// Posts alike in all fields are one row before each field is counted.
		rows, err := db.QueryContext(ctx, `
			WITH m AS (SELECT `+strings.Join(columns, ", ")+` FROM car_post p`+q.clause()+` ORDER BY p.id DESC`+countLimit+`),
			g AS MATERIALIZED (SELECT `+strings.Join(keys, ", ")+`, `+strings.Join(firsts, ", ")+`, count(*) AS n FROM m GROUP BY `+strings.Join(keys, ", ")+`)
			SELECT '' AS field, '' AS value, CAST(COALESCE(sum(n), 0) AS bigint) AS n FROM g WHERE CAST($1 AS bigint) IS NOT NULL
			UNION ALL `+strings.Join(parts, " UNION ALL ")+` ORDER BY field, n DESC, value`, s.planAnew(q.args)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var field string
			var v listing.FacetValue
			if err := rows.Scan(&field, &v.Value, &v.Count); err != nil {
				return err
			}
			if field == "" {
				facets.Count, facets.Exact = min(v.Count, listing.CountLimit), v.Count <= listing.CountLimit
				continue
			}
			facets.Values[field] = append(facets.Values[field], v)
		}
		return rows.Err()
	})
	return facets, err
}

// SetFavorite keeps a post among a reader's favourites, or takes it out.
func (s *Store) SetFavorite(ctx context.Context, by account.Actor, postID int64, favorite bool, at time.Time) error {
	return s.inTx(ctx, onPosts, func(tx *txn) error {
		var err error
		if favorite {
			_, err = tx.ExecContext(ctx, `
				INSERT INTO favorite (account_id, post_id, created_at) VALUES ($1, $2, $3) ON CONFLICT (account_id, post_id) DO NOTHING`, by.ID, postID, at)
		} else {
			_, err = tx.ExecContext(ctx, `DELETE FROM favorite WHERE account_id = $1 AND post_id = $2`, by.ID, postID)
		}
		if isForeignKey(err) { // the post went away meanwhile
			return listing.ErrNotFound
		}
		return err
	})
}

// CreateReport stores what a reader says against a post, once.
func (s *Store) CreateReport(ctx context.Context, by account.Actor, r listing.Report) error {
	return s.inTx(ctx, onPosts, func(tx *txn) error {
		var id int64
		err := tx.QueryRowContext(ctx, `
			INSERT INTO report (post_id, account_id, reason, text, created_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (post_id, account_id) DO NOTHING RETURNING id`, r.PostID, r.ReporterID, r.Reason, r.Text, r.At).Scan(&id)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return listing.ErrReported
		case isForeignKey(err):
			return listing.ErrNotFound
		case err != nil:
			return err
		}
		return tx.record(ctx, by, actCreate, objectReport, id, r.ReporterID, nil, recordOfReport(r), r.At)
	})
}

const reportColumns = `id, post_id, account_id, reason, text, created_at, resolved_at, resolved_by`

func scanReport(r row) (listing.Report, error) {
	var one listing.Report
	err := r.Scan(&one.ID, &one.PostID, &one.ReporterID, &one.Reason, &one.Text, &one.At, &one.ResolvedAt, &one.ResolvedBy)
	return one, orNotFound(err, listing.ErrNoReport)
}

// reportRecord is what the history keeps of a report.
type reportRecord struct {
	PostID     int64      `json:"post_id"`
	Reason     string     `json:"reason"`
	Text       string     `json:"text"`
	ResolvedAt *time.Time `json:"resolved_at"`
	ResolvedBy *int64     `json:"resolved_by"`
}

func recordOfReport(r listing.Report) reportRecord {
	return reportRecord{r.PostID, r.Reason, r.Text, r.ResolvedAt, r.ResolvedBy}
}

// UpdateReport loads, changes and saves what became of a report.
func (s *Store) UpdateReport(ctx context.Context, by account.Actor, id int64, at time.Time, change func(*listing.Report) error) error {
	err := s.inTx(ctx, onPosts, func(tx *txn) error {
		r, err := scanReport(tx.QueryRowContext(ctx, `SELECT `+reportColumns+` FROM report WHERE id = $1`+s.dialect.forUpdate, id))
		if err != nil {
			return err
		}
		before := r
		if err := change(&r); err != nil {
			return err
		}
		changes, err := diff(recordOfReport(before), recordOfReport(r))
		if err != nil || len(changes) == 0 {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE report SET resolved_at = $2, resolved_by = $3 WHERE id = $1`, id, timeArg(r.ResolvedAt), r.ResolvedBy); err != nil {
			return err
		}
		return tx.write(ctx, by, actUpdate, objectReport, id, r.ReporterID, changes, at)
	})
	if err != nil {
		return fmt.Errorf("update report %d: %w", id, err)
	}
	return nil
}

// Reports are what a reader has reported, oldest first.
func (s *Store) Reports(ctx context.Context, reporter int64) ([]listing.Report, error) {
	return list(ctx, s, onPosts, scanReport, `SELECT `+reportColumns+` FROM report WHERE account_id = $1 ORDER BY id`, reporter)
}
