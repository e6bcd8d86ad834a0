package main

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ridecopilot/ridecopilot/internal/text"
)

type ownerOut struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type moderationOut struct {
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

type photo struct {
	ID          int64     `json:"id"`
	State       string    `json:"state"`
	Error       *string   `json:"error"`
	URL         *string   `json:"url"`
	Thumbnails  *struct{} `json:"thumbnails"`
	Width       *int      `json:"width"`
	Height      *int      `json:"height"`
	ContentType string    `json:"content_type"`
	Size        int64     `json:"size"`
	Position    int       `json:"position"`
}

// details are what the owner says.
type details struct {
	Make             string  `json:"make"`
	Model            string  `json:"model"`
	Version          string  `json:"version"`
	Engine           string  `json:"engine"`
	Fuel             string  `json:"fuel"`
	Body             string  `json:"body"`
	Transmission     string  `json:"transmission"`
	Color            string  `json:"color"`
	EmissionStandard string  `json:"emission_standard"`
	Location         string  `json:"location"`
	Contact          string  `json:"contact"`
	Description      string  `json:"description"`
	Year             *int    `json:"year"`
	Gears            *int    `json:"gears"`
	Seats            *int    `json:"seats"`
	Doors            *int    `json:"doors"`
	MileageKM        *int    `json:"mileage_km"`
	PowerHP          *int    `json:"power_hp"`
	Consumption      *money  `json:"consumption"`
	Offer            string  `json:"offer"`
	Price            *money  `json:"price"`
	Currency         string  `json:"currency"`
	PricePeriod      *string `json:"price_period"`
	Status           string  `json:"status"`
}

type post struct {
	ID    int64    `json:"id"`
	Owner ownerOut `json:"owner"`
	details
	Moderation *moderationOut `json:"moderation"`
	Photos     []photo        `json:"photos"`
	Cover      *photo         `json:"cover"`
	IsFavorite bool           `json:"is_favorite"`
	CreatedAt  time.Time      `json:"created_at"`
	UpdatedAt  time.Time      `json:"updated_at"`

	ownerActive bool
	revision    int64
}

const postSelect = `
	SELECT p.id, p.owner_id, o.name, o.is_active, p.make, p.model, p.version, p.engine, p.fuel, p.body, p.transmission, p.color,
		p.emission_standard, p.location, p.contact, p.description, p.year, p.gears, p.seats, p.doors, p.mileage_km, p.power_hp,
		p.consumption, p.offer, p.price, p.currency, p.price_period, p.status, p.moderated_at, p.moderation_reason, p.approved_at,
		p.created_at, p.updated_at, p.revision,
		EXISTS (SELECT 1 FROM favorite f WHERE f.post_id = p.id AND f.account_id = $1)`

const postFrom = ` FROM car_post p JOIN account o ON o.id = p.owner_id`

func (p *post) scan(r pgx.Row) error {
	var consumption, price *int64
	var moderatedAt, approvedAt *time.Time
	var reason *string
	err := r.Scan(&p.ID, &p.Owner.ID, &p.Owner.Name, &p.ownerActive, &p.Make, &p.Model, &p.Version, &p.Engine, &p.Fuel, &p.Body, &p.Transmission,
		&p.Color, &p.EmissionStandard, &p.Location, &p.Contact, &p.Description, &p.Year, &p.Gears, &p.Seats, &p.Doors, &p.MileageKM, &p.PowerHP,
		&consumption, &p.Offer, &price, &p.Currency, &p.PricePeriod, &p.Status, &moderatedAt, &reason, &approvedAt,
		&p.CreatedAt, &p.UpdatedAt, &p.revision, &p.IsFavorite)
	p.Consumption, p.Price = orNull(consumption), orNull(price)
	if moderatedAt != nil && reason != nil {
		p.Moderation = &moderationOut{*reason, *moderatedAt}
	}
	p.Photos = []photo{}
	return err
}

// addPhotos reads the photos of posts in one query. The benchmark's posts have
// none that are ready, so that links need not be signed here.
func (s *server) addPhotos(ctx context.Context, reader int64, posts []post) error {
	ids := make([]int64, len(posts))
	at := make(map[int64]*post, len(posts))
	for i := range posts {
		ids[i], at[posts[i].ID] = posts[i].ID, &posts[i]
	}
	rows, err := s.db.Query(ctx, `
		SELECT id, COALESCE(owner_id, 0), COALESCE(post_id, 0), COALESCE(document_id, 0), COALESCE(replaces_id, 0), state, position,
			COALESCE(upload_key, ''), COALESCE(folder, ''), COALESCE(legacy_key, ''), file_name, content_type, size, width, height,
			problem, created_at, completed_at, updated_at
		FROM upload WHERE post_id = ANY($1) ORDER BY position, id`, ids)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var p photo
		var owner, of, document, replaces int64
		var position int
		var uploadKey, folder, legacyKey, fileName, problem string
		var created, updated time.Time
		var completed *time.Time
		err := rows.Scan(&p.ID, &owner, &of, &document, &replaces, &p.State, &position, &uploadKey, &folder, &legacyKey, &fileName, &p.ContentType,
			&p.Size, &p.Width, &p.Height, &problem, &created, &completed, &updated)
		if err != nil {
			return err
		}
		if p.State == "started" || (p.State != "ready" && owner != reader) {
			continue
		}
		to := at[of]
		p.Position = len(to.Photos)
		to.Photos = append(to.Photos, p)
		to.Cover = &to.Photos[0]
	}
	return rows.Err()
}

func (s *server) getPost(w http.ResponseWriter, r *http.Request, by *person) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return refusal(http.StatusNotFound)
	}
	posts := make([]post, 1)
	p := &posts[0]
	if err := p.scan(s.db.QueryRow(r.Context(), postSelect+postFrom+` WHERE p.id = $2`, by.id, id)); err != nil {
		return notFound(err, http.StatusNotFound)
	}
	if p.Owner.ID != by.id && (p.Status != "active" || p.Moderation != nil || !p.ownerActive) {
		return refusal(http.StatusNotFound)
	}
	if err := s.addPhotos(r.Context(), by.id, posts); err != nil {
		return err
	}
	return answer(w, r, http.StatusOK, itoa(p.revision)+"-", p)
}

// list is a page of a list.
type list struct {
	Count      *int    `json:"count"`
	CountExact *bool   `json:"count_exact,omitempty"`
	Next       *string `json:"next"`
	Previous   *string `json:"previous"`
	Results    any     `json:"results"`
}

type cursor struct {
	List string `json:"l"`
	Key  string `json:"k"`
	ID   int64  `json:"i"`
	Back bool   `json:"b,omitempty"`
}

func (k keys) seal(c cursor) string {
	b, err := json.Marshal(c)
	if err != nil { // texts and numbers
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(append(sum(k.cursor, string(b))[:16], b...))
}

func (k keys) open(s string) (c cursor, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) < 16 || !hmac.Equal(b[:16], sum(k.cursor, string(b[16:]))[:16]) || json.Unmarshal(b[16:], &c) != nil {
		return c, refusal(http.StatusBadRequest)
	}
	return c, nil
}

// countLimit is where the counting of narrowed lists stops.
const countLimit = 10_000

// search is a SELECT in the making.
type search struct {
	where  string
	args   []any
	narrow bool
}

func (q *search) bind(arg any) string {
	q.args = append(q.args, arg)
	return "$" + strconv.Itoa(len(q.args))
}

// searchOf knows the filters that the benchmark uses.
func searchOf(by *person, v url.Values) *search {
	q := &search{args: []any{by.id}}
	if v.Get("owner") == "me" {
		q.where = ` WHERE p.owner_id = ` + q.bind(by.id)
	} else {
		q.where = ` WHERE p.status = 'active' AND p.moderated_at IS NULL AND p.owner_active`
	}
	for _, f := range []string{"make", "model", "fuel", "body", "transmission", "location"} {
		if s := v.Get(f); s != "" {
			q.where += ` AND p.` + f + `_key = ` + q.bind(text.Key(s))
			q.narrow = true
		}
	}
	if s := v.Get("offer"); s != "" {
		q.where += ` AND p.offer = ` + q.bind(s)
		q.narrow = true
	}
	if n, err := strconv.Atoi(v.Get("year_min")); err == nil {
		q.where += ` AND p.year >= ` + q.bind(n)
		q.narrow = true
	}
	if words := text.Words(v.Get("q")); len(words) > 0 {
		q.where += ` AND p.search_vector @@ CAST(` + q.bind(`'`+strings.Join(words, `':* & '`)+`':*`) + ` AS tsquery)`
		q.narrow = true
	}
	return q
}

func (s *server) listPosts(w http.ResponseWriter, r *http.Request, by *person) error {
	const size = 10
	v, ctx := r.URL.Query(), r.Context()
	q := searchOf(by, v)
	limit, page := size, 1
	if n, err := strconv.Atoi(v.Get("page_size")); err == nil {
		limit = n
	}
	if n, err := strconv.Atoi(v.Get("page")); err == nil {
		page = n
	}
	if limit < 1 || limit > 100 || page < 1 {
		return refusal(http.StatusBadRequest)
	}
	key, dir, beyond, name := "p.created_at", " DESC", "<", "posts created_at down"
	if v.Get("sort") == "price" {
		key, dir, beyond, name = "COALESCE(p.price, 9223372036854775807)", " ASC", ">", "posts price up"
	}
	l := list{}
	byCursor, offset := v.Has("cursor"), (page-1)*limit
	var count int
	var previous bool
	switch {
	case byCursor:
		offset = 0
		if at := v.Get("cursor"); at != "" {
			c, err := s.keys.open(at)
			n, err2 := strconv.ParseInt(c.Key, 10, 64)
			if err != nil || err2 != nil || c.List != name || c.Back { // the benchmark goes forward alone
				return refusal(http.StatusBadRequest)
			}
			var value any = n
			if key == "p.created_at" {
				value = time.UnixMicro(n).UTC()
			}
			q.where += " AND (" + key + ", p.id) " + beyond + " (" + q.bind(value) + ", " + q.bind(c.ID) + ")"
			previous = true
		}
	default:
		if err := s.countPosts(ctx, q, &count); err != nil {
			return err
		}
		l.Count = &count
		if q.narrow && count > countLimit {
			count = countLimit
			l.CountExact = new(bool)
		}
	}
	rows, err := s.db.Query(ctx, postSelect+postFrom+q.where+" ORDER BY "+key+dir+", p.id"+dir+" LIMIT "+q.bind(limit+1)+" OFFSET "+q.bind(offset), q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	posts := make([]post, 0, limit+1)
	for rows.Next() {
		posts = append(posts, post{})
		if err := posts[len(posts)-1].scan(rows); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	more := len(posts) > limit
	posts = posts[:min(len(posts), limit)]
	if err := s.addPhotos(ctx, by.id, posts); err != nil {
		return err
	}
	l.Results = posts
	if !byCursor {
		if page > 1 {
			l.Previous = s.link(r.URL, "page", strconv.Itoa(page-1))
		}
		if more {
			l.Next = s.link(r.URL, "page", strconv.Itoa(page+1))
		}
		return answer(w, r, http.StatusOK, "", l)
	}
	place := func(p post, back bool) *string {
		c := cursor{List: name, Key: strconv.FormatInt(p.CreatedAt.UnixMicro(), 10), ID: p.ID, Back: back}
		if key != "p.created_at" {
			c.Key = strconv.FormatInt(int64(*p.Price), 10)
		}
		return s.link(r.URL, "cursor", s.keys.seal(c))
	}
	if n := len(posts); n > 0 {
		if more {
			l.Next = place(posts[n-1], false)
		}
		if previous {
			l.Previous = place(posts[0], true)
		}
	}
	return answer(w, r, http.StatusOK, "", l)
}

// countPosts counts as one writes it at first: all of them, or up to the limit.
func (s *server) countPosts(ctx context.Context, q *search, n *int) error {
	statement := `SELECT count(*), CAST($1 AS bigint) FROM car_post p` + q.where
	if q.narrow {
		statement = `SELECT count(*), CAST($1 AS bigint) FROM (SELECT 1 FROM car_post p` + q.where + ` LIMIT ` + strconv.Itoa(countLimit+1) + `) AS matches`
	}
	return s.db.QueryRow(ctx, statement, q.args...).Scan(n, new(int64))
}

type facet struct {
	Value string `json:"value"`
	Count int    `json:"count"`
}

type facetsOut struct {
	Count        int     `json:"count"`
	CountExact   bool    `json:"count_exact"`
	Make         []facet `json:"make"`
	Fuel         []facet `json:"fuel"`
	Body         []facet `json:"body"`
	Transmission []facet `json:"transmission"`
	Location     []facet `json:"location"`
}

func (s *server) facets(w http.ResponseWriter, r *http.Request, by *person) error {
	q := searchOf(by, r.URL.Query())
	columns, parts := "", ""
	for i, f := range []string{"make", "fuel", "body", "transmission", "location"} {
		if i > 0 {
			columns += ", "
		}
		columns += `p.` + f + ` COLLATE "C" AS ` + f + `, p.` + f + `_key`
		parts += ` UNION ALL SELECT '` + f + `', min(` + f + `), count(*) FROM m WHERE ` + f + `_key <> '' GROUP BY ` + f + `_key`
	}
	rows, err := s.db.Query(r.Context(), `WITH m AS MATERIALIZED (SELECT `+columns+postFrom+q.where+` ORDER BY p.id DESC LIMIT `+q.bind(countLimit+1)+`)
		SELECT '' AS field, '' AS value, count(*) AS n FROM m WHERE CAST($1 AS bigint) IS NOT NULL`+parts+` ORDER BY field, n DESC, value`, q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	out := facetsOut{Make: []facet{}, Fuel: []facet{}, Body: []facet{}, Transmission: []facet{}, Location: []facet{}}
	into := map[string]*[]facet{"make": &out.Make, "fuel": &out.Fuel, "body": &out.Body, "transmission": &out.Transmission, "location": &out.Location}
	for rows.Next() {
		var field string
		var f facet
		if err := rows.Scan(&field, &f.Value, &f.Count); err != nil {
			return err
		}
		if field == "" {
			out.Count, out.CountExact = min(f.Count, countLimit), f.Count <= countLimit
			continue
		}
		*into[field] = append(*into[field], f)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return answer(w, r, http.StatusOK, "", out)
}

func (d *details) check() error {
	switch {
	case d.Make == "", d.Model == "", d.Year == nil, d.Price == nil, d.PricePeriod == nil:
	case *d.Year < 1950, *d.Year > time.Now().Year()+1:
	case d.Offer != "rent" && d.Offer != "sale":
	case len(d.Description) > 20_000:
	default:
		return nil
	}
	return refusal(http.StatusBadRequest)
}

func (d *details) changes() string {
	var c changes
	c.text("body", d.Body)
	c.text("color", d.Color)
	c.money("consumption", d.Consumption)
	c.text("contact", d.Contact)
	c.text("currency", d.Currency)
	c.text("description", d.Description)
	c.number("doors", d.Doors)
	c.text("emission_standard", d.EmissionStandard)
	c.text("engine", d.Engine)
	c.text("fuel", d.Fuel)
	c.number("gears", d.Gears)
	c.text("location", d.Location)
	c.text("make", d.Make)
	c.number("mileage_km", d.MileageKM)
	c.text("model", d.Model)
	c.text("offer", d.Offer)
	c.number("power_hp", d.PowerHP)
	c.money("price", d.Price)
	c.maybeText("price_period", d.PricePeriod)
	c.number("seats", d.Seats)
	c.text("status", d.Status)
	c.text("transmission", d.Transmission)
	c.text("version", d.Version)
	c.number("year", d.Year)
	return c.end()
}

const insertHistory = `
	INSERT INTO history (at, actor_id, source, address, action, object_type, object_id, owner_id, changes)
	VALUES ($1, $2, 'api', $3, 'create', $4, $5, $2, $6)`

func (s *server) createPost(w http.ResponseWriter, r *http.Request, by *person) error {
	p := post{Owner: ownerOut{by.id, by.name}, Photos: []photo{}, revision: 1}
	d := &p.details
	d.Offer, d.Currency, d.Status = "rent", "EUR", "active"
	if err := body(r, d); err != nil {
		return err
	}
	if err := d.check(); err != nil {
		return err
	}
	ctx, now := r.Context(), time.Now().UTC().Truncate(time.Microsecond)
	p.CreatedAt, p.UpdatedAt = now, now
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT id FROM account WHERE id = $1 FOR UPDATE`, by.id).Scan(new(int64)); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM car_post WHERE owner_id = $1`, by.id).Scan(&n); err != nil {
			return err
		}
		if n >= 200 {
			return refusal(http.StatusConflict)
		}
		err := tx.QueryRow(ctx, `
			INSERT INTO car_post (owner_id, created_at, updated_at,
				make, model, version, engine, fuel, body, transmission, color, emission_standard, location, contact,
				description, year, gears, seats, doors, mileage_km, power_hp, consumption, offer, price, currency, price_period, status,
				make_key, model_key, fuel_key, body_key, transmission_key, location_key, search)
			VALUES ($1, $2, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26,
				$27, $28, $29, $30, $31, $32, $33)
			RETURNING id`,
			by.id, now, d.Make, d.Model, d.Version, d.Engine, d.Fuel, d.Body, d.Transmission, d.Color, d.EmissionStandard, d.Location, d.Contact,
			d.Description, d.Year, d.Gears, d.Seats, d.Doors, d.MileageKM, d.PowerHP, (*int64)(d.Consumption), d.Offer, (*int64)(d.Price), d.Currency,
			d.PricePeriod, d.Status, text.Key(d.Make), text.Key(d.Model), text.Key(d.Fuel), text.Key(d.Body), text.Key(d.Transmission), text.Key(d.Location),
			strings.Join(text.Words(strings.Join([]string{d.Make, d.Model, d.Version, d.Location, d.Description}, " ")), " ")).Scan(&p.ID)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, insertHistory, now, by.id, host(r), "car_post", p.ID, d.changes())
		return err
	})
	if err != nil {
		return err
	}
	w.Header().Set("Location", s.base+"/api/carposts/"+itoa(p.ID)+"/")
	return answer(w, r, http.StatusCreated, "1-", p)
}
