package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/text"
)

type ownerOut struct {
	ID   int64  `json:"id" example:"1"`
	Name string `json:"name" example:"Andreea Popescu"`
}

type moderationOut struct {
	Reason string    `json:"reason" example:"The photos show another car."`
	At     time.Time `json:"at"`
}

type carPostOut struct {
	ID               int64                 `json:"id" example:"1"`
	Owner            ownerOut              `json:"owner"`
	Make             string                `json:"make" example:"Škoda"`
	Model            string                `json:"model" example:"Octavia"`
	Version          string                `json:"version" example:"2.0 TDI Style"`
	Engine           string                `json:"engine" example:"2.0 TDI"`
	Fuel             string                `json:"fuel" example:"diesel"`
	Body             string                `json:"body" example:"break"`
	Transmission     string                `json:"transmission" example:"automatic"`
	Color            string                `json:"color" example:"negru"`
	EmissionStandard string                `json:"emission_standard" example:"Euro 6"`
	Location         string                `json:"location" example:"București"`
	Contact          string                `json:"contact" example:"0700 000 000"`
	Description      string                `json:"description" example:"Întreținută la zi, ITP valabil."`
	Year             *int                  `json:"year" nullable:"true" example:"2021"`
	Gears            *int                  `json:"gears" nullable:"true" example:"7"`
	Seats            *int                  `json:"seats" nullable:"true" example:"5"`
	Doors            *int                  `json:"doors" nullable:"true" example:"5"`
	MileageKM        *int                  `json:"mileage_km" nullable:"true" example:"84000"`
	PowerHP          *int                  `json:"power_hp" nullable:"true" example:"150"`
	Consumption      *fixed.Amount         `json:"consumption" nullable:"true" doc:"Litres (or kWh) per 100 km." example:"5.20"`
	Offer            string                `json:"offer" enum:"rent,sale" example:"rent"`
	Price            *fixed.Amount         `json:"price" nullable:"true" example:"280.00"`
	Currency         string                `json:"currency" example:"EUR"`
	PricePeriod      *string               `json:"price_period" nullable:"true" doc:"One of day, week, month, total; null on posts of the older client." example:"week"`
	Status           string                `json:"status" enum:"draft,active,paused,closed" example:"active"`
	Moderation       orNull[moderationOut] `json:"moderation" doc:"An operator's word that hides the post from others; null without one."`
	Photos           []photoOut            `json:"photos" doc:"In their order. If-Match on the post does not speak of them."`
	Cover            orNull[photoOut]      `json:"cover" doc:"The first photo that is ready; while none is, the first."`
	IsFavorite       bool                  `json:"is_favorite" doc:"Whether the caller keeps it among the favourites."`
	CreatedAt        time.Time             `json:"created_at"`
	UpdatedAt        time.Time             `json:"updated_at"`
}

func newCarPostOut(p listing.Post, link linker) carPostOut {
	photos := newPhotosOut(p.Photos, link)
	o := carPostOut{
		ID: p.ID, Owner: ownerOut{p.OwnerID, p.OwnerName},
		Make: p.Make, Model: p.Model, Version: p.Version, Engine: p.Engine, Fuel: p.Fuel, Body: p.Body, Transmission: p.Transmission,
		Color: p.Color, EmissionStandard: p.EmissionStandard, Location: p.Location, Contact: p.Contact, Description: p.Description,
		Year: p.Year, Gears: p.Gears, Seats: p.Seats, Doors: p.Doors, MileageKM: p.MileageKM, PowerHP: p.PowerHP, Consumption: p.Consumption,
		Offer: p.Offer, Price: p.Price, Currency: p.Currency, PricePeriod: p.PricePeriod, Status: p.Status,
		Photos: photos, IsFavorite: p.Favorite, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
	if p.Moderation != nil {
		o.Moderation.V = &moderationOut{p.Moderation.Reason, p.Moderation.At}
	}
	if len(photos) > 0 {
		o.Cover.V = &photos[max(0, slices.IndexFunc(photos, func(p photoOut) bool { return p.URL != nil }))]
	}
	return o
}

type carPostBody struct {
	Make             opt[string]         `json:"make" required:"true" minLength:"1" maxLength:"255" example:"Škoda"`
	Model            opt[string]         `json:"model" required:"true" minLength:"1" maxLength:"255" example:"Octavia"`
	Version          opt[string]         `json:"version" maxLength:"255" example:"2.0 TDI Style"`
	Engine           opt[string]         `json:"engine" maxLength:"255" example:"2.0 TDI"`
	Fuel             opt[string]         `json:"fuel" maxLength:"255" example:"diesel"`
	Body             opt[string]         `json:"body" maxLength:"255" example:"break"`
	Transmission     opt[string]         `json:"transmission" maxLength:"255" example:"automatic"`
	Color            opt[string]         `json:"color" maxLength:"255" example:"negru"`
	EmissionStandard opt[string]         `json:"emission_standard" maxLength:"255" example:"Euro 6"`
	Location         opt[string]         `json:"location" maxLength:"255" example:"București"`
	Contact          opt[string]         `json:"contact" maxLength:"255" example:"0700 000 000"`
	Description      opt[string]         `json:"description" maxLength:"5000"`
	Year             maybe[int]          `json:"year" required:"true" minimum:"1950" doc:"Up to next year." example:"2021"`
	Gears            maybe[int]          `json:"gears" minimum:"1" maximum:"20" example:"7"`
	Seats            maybe[int]          `json:"seats" minimum:"1" maximum:"60" example:"5"`
	Doors            maybe[int]          `json:"doors" minimum:"0" maximum:"10" example:"5"`
	MileageKM        maybe[int]          `json:"mileage_km" minimum:"0" maximum:"5000000" example:"84000"`
	PowerHP          maybe[int]          `json:"power_hp" minimum:"1" maximum:"5000" example:"150"`
	Consumption      maybe[fixed.Amount] `json:"consumption" doc:"Litres (or kWh) per 100 km."`
	Offer            opt[string]         `json:"offer" enum:"rent,sale" doc:"rent by default." example:"rent"`
	Price            maybe[fixed.Amount] `json:"price" required:"true"`
	Currency         opt[string]         `json:"currency" doc:"ISO 4217, EUR by default." example:"EUR"`
	PricePeriod      maybe[string]       `json:"price_period" required:"true" doc:"One of day, week, month, total." example:"week"`
	Status           opt[string]         `json:"status" enum:"draft,active,paused,closed" doc:"active by default." example:"active"`
}

func (carPostBody) readOnlyFields() []string {
	return []string{"id", "owner", "moderation", "photos", "cover", "is_favorite", "created_at", "updated_at"}
}

func (b carPostBody) apply(d *listing.Details) {
	b.Make.to(&d.Make)
	b.Model.to(&d.Model)
	b.Version.to(&d.Version)
	b.Engine.to(&d.Engine)
	b.Fuel.to(&d.Fuel)
	b.Body.to(&d.Body)
	b.Transmission.to(&d.Transmission)
	b.Color.to(&d.Color)
	b.EmissionStandard.to(&d.EmissionStandard)
	b.Location.to(&d.Location)
	b.Contact.to(&d.Contact)
	b.Description.to(&d.Description)
	b.Year.to(&d.Year)
	b.Gears.to(&d.Gears)
	b.Seats.to(&d.Seats)
	b.Doors.to(&d.Doors)
	b.MileageKM.to(&d.MileageKM)
	b.PowerHP.to(&d.PowerHP)
	b.Consumption.to(&d.Consumption)
	b.Offer.to(&d.Offer)
	b.Price.to(&d.Price)
	b.Currency.to(&d.Currency)
	b.PricePeriod.to(&d.PricePeriod)
	b.Status.to(&d.Status)
}

// whole notes which of the fields that a whole post must have were not sent.
func (b carPostBody) whole(bad *fault.Fields) {
	b.Make.require("make", bad)
	b.Model.require("model", bad)
}

// createCarPost serves POST /api/carposts/.
func (a *API) createCarPost(ctx context.Context, in *struct{ Body body[carPostBody] }) (*out[carPostOut], error) {
	d := listing.DefaultDetails()
	in.Body.in.whole(&in.Body.bad)
	in.Body.in.apply(&d)
	p, repeated, err := a.Listings.Create(ctx, actor(ctx), d, in.Body.bad)
	if err != nil {
		return nil, err
	}
	return made(ctx, a, "/api/carposts/", p.ID, p.Revision, p.Details, repeated, newCarPostOut(p, a.links(ctx))), nil
}

// carPost serves GET /api/carposts/{id}/.
func (a *API) carPost(ctx context.Context, in *struct {
	ID int64 `path:"id" example:"1"`
},
) (*out[carPostOut], error) {
	p, err := a.Listings.Post(ctx, actor(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return single(p.Revision, p.Details, newCarPostOut(p, a.links(ctx))), nil
}

type reviseCarPostIn struct {
	ByID
	Body body[carPostBody]
}

// replaceCarPost serves PUT /api/carposts/{id}/: what is not sent returns to
// its default.
func (a *API) replaceCarPost(ctx context.Context, in *reviseCarPostIn) (*out[carPostOut], error) {
	return a.changeCarPost(ctx, in, func(d *listing.Details) {
		in.Body.in.whole(&in.Body.bad)
		*d = listing.DefaultDetails()
		in.Body.in.apply(d)
	})
}

// reviseCarPost serves PATCH /api/carposts/{id}/.
func (a *API) reviseCarPost(ctx context.Context, in *reviseCarPostIn) (*out[carPostOut], error) {
	return a.changeCarPost(ctx, in, in.Body.in.apply)
}

func (a *API) changeCarPost(ctx context.Context, in *reviseCarPostIn, apply func(*listing.Details)) (*out[carPostOut], error) {
	p, err := a.Listings.Revise(ctx, actor(ctx), in.ID, match(in.IfMatch), func(d *listing.Details) fault.Fields {
		apply(d)
		return slices.Clone(in.Body.bad)
	})
	if err != nil {
		return nil, err
	}
	return single(p.Revision, p.Details, newCarPostOut(p, a.links(ctx))), nil
}

// deleteCarPost serves DELETE /api/carposts/{id}/.
func (a *API) deleteCarPost(ctx context.Context, in *ByID) (*none, error) {
	return nil, a.Listings.Delete(ctx, actor(ctx), in.ID, match(in.IfMatch))
}

// CarPostFilter is the query of the list and of the facets.
type CarPostFilter struct {
	Q            param[string]       `query:"q" doc:"Words that the make, model, version, location or description begin with; case and diacritics do not count." example:"skoda bucuresti"`
	Make         param[string]       `query:"make" example:"Skoda"`
	Model        param[string]       `query:"model" example:"Octavia"`
	Fuel         param[string]       `query:"fuel" example:"diesel"`
	CarBody      param[string]       `query:"body"`
	Transmission param[string]       `query:"transmission" example:"automatic"`
	Location     param[string]       `query:"location" example:"Bucuresti"`
	Offer        param[string]       `query:"offer" enum:"rent,sale"`
	Currency     param[string]       `query:"currency" example:"EUR"`
	PricePeriod  param[string]       `query:"price_period" enum:"day,week,month,total"`
	YearMin      param[int]          `query:"year_min" example:"2018"`
	YearMax      param[int]          `query:"year_max"`
	PriceMin     param[fixed.Amount] `query:"price_min"`
	PriceMax     param[fixed.Amount] `query:"price_max" example:"300.00"`
	MileageMax   param[int]          `query:"mileage_max"`
	SeatsMin     param[int]          `query:"seats_min"`
	Owner        param[string]       `query:"owner" doc:"me for one's own posts, hidden ones too; or the number of a person." example:"me"`
	Status       param[string]       `query:"status" enum:"draft,active,paused,closed" doc:"Of one's own posts."`
	HasPhoto     param[bool]         `query:"has_photo"`
	Favorite     param[bool]         `query:"favorite" doc:"Whether the caller keeps it among the favourites."`
}

func (f CarPostFilter) filter(bad *fault.Fields) listing.Filter {
	checkParams(bad, map[string]string{
		"q": f.Q.V, "make": f.Make.V, "model": f.Model.V, "fuel": f.Fuel.V, "body": f.CarBody.V,
		"transmission": f.Transmission.V, "location": f.Location.V,
	})
	f.Offer.choice("offer", listing.Offers, bad)
	f.PricePeriod.choice("price_period", listing.PricePeriods, bad)
	f.Status.choice("status", listing.Statuses, bad)
	currency := strings.ToUpper(f.Currency.V)
	if currency != "" {
		account.CheckCurrency(bad, "currency", currency)
	}
	l := listing.Filter{
		Make: f.Make.V, Model: f.Model.V, Fuel: f.Fuel.V, Body: f.CarBody.V, Transmission: f.Transmission.V, Location: f.Location.V,
		Offer: f.Offer.V, Currency: currency, PricePeriod: f.PricePeriod.V, YearMin: f.YearMin.ptr(), YearMax: f.YearMax.ptr(),
		PriceMin: f.PriceMin.ptr(), PriceMax: f.PriceMax.ptr(), MileageMax: f.MileageMax.ptr(), SeatsMin: f.SeatsMin.ptr(),
		Status: f.Status.V, HasPhoto: f.HasPhoto.ptr(), Favorite: f.Favorite.ptr(),
	}
	if strings.TrimSpace(f.Q.V) != "" {
		l.Words = text.Words(f.Q.V)
		l.NoSuchMatches = len(l.Words) == 0
	}
	switch owner := f.Owner.V; owner {
	case "":
	case "me":
		l.Own = true
	default:
		id, err := strconv.ParseInt(owner, 10, 64)
		if err != nil || id < 1 {
			bad.Add("owner", "invalid", `Give "me" or the number of a person.`)
		}
		l.OwnerID = id
	}
	return l
}

type carPostsIn struct {
	Paging
	CarPostFilter
	Sort   param[string] `query:"sort" doc:"One of created_at, price, year, mileage_km, make; - before it for descending. -created_at by default." example:"-created_at"`
	Cursor string        `query:"cursor" doc:"A place in the list, from next or previous. Empty for the beginning; then count is null, and the cost does not grow with depth."`
}

// carPosts serves GET /api/carposts/.
func (a *API) carPosts(ctx context.Context, in *carPostsIn) (*out[list[carPostOut]], error) {
	var bad fault.Fields
	by, u := actor(ctx), requestURL(ctx)
	f := in.filter(&bad)
	limit, offset := in.place(&bad)
	order := listing.Order{Key: "created_at", Desc: true}
	if in.Sort.Set {
		order.Key, order.Desc = strings.CutPrefix(in.Sort.V, "-")
		if !slices.Contains(listing.Sorts, order.Key) {
			account.CheckChoice(&bad, "sort", in.Sort.V, listing.Sorts)
		}
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	at := listing.Place{Limit: limit, Offset: offset}
	if u.Query().Has("cursor") {
		name := "posts " + order.Key + map[bool]string{true: " down", false: " up"}[order.Desc]
		c, err := a.openCursor(in.Cursor, name)
		if err != nil {
			return nil, err
		}
		at.Offset, at.Cursor = 0, &listing.Cursor{Key: c.Key, ID: c.ID, Back: c.Back}
		page, err := a.Listings.Posts(ctx, by, f, order, at)
		if err != nil {
			return nil, err
		}
		l := list[carPostOut]{Results: a.newCarPostsOut(ctx, page.Posts)}
		if n := len(page.Posts); n > 0 {
			if page.HasNext {
				l.Next = a.link(u, "cursor", a.seal(cursor{List: name, Key: page.SortValues[n-1], ID: page.Posts[n-1].ID}))
			}
			if page.HasPrev {
				l.Previous = a.link(u, "cursor", a.seal(cursor{List: name, Key: page.SortValues[0], ID: page.Posts[0].ID, Back: true}))
			}
		}
		return &out[list[carPostOut]]{Status: http.StatusOK, Body: l}, nil
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	page, err := a.Listings.Posts(ctx, by, f, order, at)
	if err != nil {
		return nil, err
	}
	return numbered(a, u, in.Paging, limit, page.Count, page.Exact, a.newCarPostsOut(ctx, page.Posts))
}

func (a *API) newCarPostsOut(ctx context.Context, posts []listing.Post) []carPostOut {
	results, link := make([]carPostOut, 0, len(posts)), a.links(ctx)
	for _, p := range posts {
		results = append(results, newCarPostOut(p, link))
	}
	return results
}

type facetOut struct {
	Value string `json:"value" example:"Škoda"`
	Count int    `json:"count" example:"12"`
}

type facetsOut struct {
	Count        int        `json:"count" doc:"How many posts match." example:"120"`
	CountExact   bool       `json:"count_exact" doc:"false when the counting stopped at 10,000."`
	Make         []facetOut `json:"make"`
	Fuel         []facetOut `json:"fuel"`
	Body         []facetOut `json:"body"`
	Transmission []facetOut `json:"transmission"`
	Location     []facetOut `json:"location"`
}

// facets serves GET /api/carposts/facets/.
func (a *API) facets(ctx context.Context, in *CarPostFilter) (*out[facetsOut], error) {
	var bad fault.Fields
	by := actor(ctx)
	f := in.filter(&bad)
	if err := bad.Err(); err != nil {
		return nil, err
	}
	found, err := a.Listings.Facets(ctx, by, f)
	if err != nil {
		return nil, err
	}
	values := func(field string) []facetOut {
		list := []facetOut{}
		for _, v := range found.Values[field] {
			list = append(list, facetOut(v))
		}
		return list
	}
	return &out[facetsOut]{Status: http.StatusOK, Body: facetsOut{
		found.Count, found.Exact, values("make"), values("fuel"), values("body"), values("transmission"), values("location"),
	}}, nil
}

// ObjectID is the input of an operation on one object that takes no precondition.
type ObjectID struct {
	ID int64 `path:"id" example:"1"`
}

// addFavorite serves PUT /api/carposts/{id}/favorite/.
func (a *API) addFavorite(ctx context.Context, in *ObjectID) (*none, error) {
	return nil, a.Listings.SetFavorite(ctx, actor(ctx), in.ID, true)
}

// removeFavorite serves DELETE /api/carposts/{id}/favorite/.
func (a *API) removeFavorite(ctx context.Context, in *ObjectID) (*none, error) {
	return nil, a.Listings.SetFavorite(ctx, actor(ctx), in.ID, false)
}

type reportBody struct {
	Reason opt[string] `json:"reason" required:"true" minLength:"1" maxLength:"255" doc:"In a few words." example:"fraud"`
	Text   opt[string] `json:"text" maxLength:"5000" example:"Cere avans și nu mai răspunde."`
}

// reportCarPost serves POST /api/carposts/{id}/report/.
func (a *API) reportCarPost(ctx context.Context, in *struct {
	ObjectID
	Body body[reportBody]
},
) (*accepted, error) {
	bad := in.Body.bad
	reason := in.Body.in.Reason.require("reason", &bad)
	err := a.Listings.Report(ctx, actor(ctx), in.ID, reason, in.Body.in.Text.V, bad)
	return &accepted{http.StatusAccepted}, err
}
