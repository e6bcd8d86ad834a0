package legacyapi

import (
	"bufio"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/jsonbody"
	"github.com/ridecopilot/ridecopilot/internal/legacy"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/media"
	"github.com/ridecopilot/ridecopilot/internal/parts"
)

type postOut struct {
	ID               int64   `json:"id"`
	UserID           int64   `json:"user_id"`
	CarName          string  `json:"car_name"`
	Model            string  `json:"model"`
	Version          string  `json:"version"`
	Year             *string `json:"year"`
	Engine           string  `json:"engine"`
	Fuel             string  `json:"fuel"`
	Body             string  `json:"body"`
	Transmission     string  `json:"transmission"`
	GearNumber       *string `json:"gear_number"`
	Color            string  `json:"color"`
	SeatNumber       *string `json:"seat_number"`
	DoorNumber       string  `json:"door_number"`
	Milleage         *string `json:"milleage"`
	Power            *string `json:"power"`
	Mpg              string  `json:"mpg"`
	Description      string  `json:"description"`
	EmissionStandard string  `json:"emission_standard"`
	Location         string  `json:"location"`
	Contact          string  `json:"contact"`
	Price            *string `json:"price"`
	CreatedAt        string  `json:"created_at"`
}

func newPostOut(p listing.Post) postOut {
	return postOut{
		ID: p.ID, UserID: p.OwnerID, CarName: p.Make, Model: p.Model, Version: p.Version, Year: whole(p.Year), Engine: p.Engine, Fuel: p.Fuel,
		Body: p.Body, Transmission: p.Transmission, GearNumber: whole(p.Gears), Color: p.Color, SeatNumber: whole(p.Seats), DoorNumber: orEmpty(whole(p.Doors)),
		Milleage: whole(p.MileageKM), Power: whole(p.PowerHP), Mpg: orEmpty(short(p.Consumption)), Description: p.Description,
		EmissionStandard: p.EmissionStandard, Location: p.Location, Contact: p.Contact, Price: priced(p.Details), CreatedAt: moment(p.CreatedAt),
	}
}

func whole(n *int) *string {
	if n == nil {
		return nil
	}
	return new(strconv.Itoa(*n))
}

// orEmpty is what an optional field holds that was left empty.
func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func short(a *fixed.Amount) *string {
	if a == nil {
		return nil
	}
	return new(legacy.Short(*a))
}

// priced is the price with the decimals that it was typed with.
func priced(d listing.Details) *string {
	if d.Price == nil {
		return nil
	}
	return new(legacy.WithPlaces(*d.Price, d.PricePlaces))
}

// unlessEmpty asks nothing of a field that an update leaves as empty as it is: the
// client sends whole posts, also those that came without some of it.
func unlessEmpty(must presence, empty bool) presence {
	if must == partial && empty {
		return optional
	}
	return must
}

// applyPost writes the fields that were sent into the details of a post. must is
// what is asked of the fields that a post cannot do without.
func (in input) applyPost(d *listing.Details, must presence, bad complaints) {
	for _, f := range []struct {
		name string
		into *string
		p    presence
	}{
		{"car_name", &d.Make, must},
		{"model", &d.Model, must},
		{"version", &d.Version, optional},
		{"engine", &d.Engine, must},
		{"fuel", &d.Fuel, must},
		{"body", &d.Body, must},
		{"transmission", &d.Transmission, must},
		{"color", &d.Color, must},
		{"description", &d.Description, optional},
		{"emission_standard", &d.EmissionStandard, must},
		{"location", &d.Location, optional},
		{"contact", &d.Contact, optional},
	} {
		if f.into == &d.Transmission && *f.into == "" && in.empty(f.name) && in.transmission() != "" {
			*f.into = in.transmission()
			continue
		}
		if text, given := in.text(f.name, unlessEmpty(f.p, *f.into == ""), bad); given {
			*f.into = oneLine(text, f.into == &d.Description)
		}
	}
	for _, n := range numbers(d, must) {
		in.applyNumber(n, d, bad)
	}
}

// oneLine is a text as a field of one line keeps it, with blanks for tabs and
// breaks.
func oneLine(s string, multiline bool) string {
	if multiline {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' || r == '\v' || r == '\f' {
			return ' '
		}
		return r
	}, s)
}

// empty tells whether nothing was sent for a field.
func (in input) empty(name string) bool {
	v := in[name]
	return !v.other && strings.TrimSpace(v.text) == ""
}

// transmission is what was typed of it in the place of a number of gears.
func (in input) transmission() string {
	v := in["gear_number"]
	if v.other {
		return ""
	}
	r, err := legacy.Read(legacy.Gears, v.text)
	if err != nil {
		return ""
	}
	return r.Transmission
}

// numberField is a number of a post, which the client's forms take as free text.
type numberField struct {
	name, label string
	field       legacy.Field
	must        presence
	shown       *string // what the client is shown of it now; nil for none
	set         func(*legacy.Reading)
}

func numbers(d *listing.Details, must presence) []numberField {
	count := func(name, label string, field legacy.Field, p presence, into **int) numberField {
		return numberField{name, label, field, p, whole(*into), func(r *legacy.Reading) {
			if *into = nil; r != nil {
				*into = new(r.Int())
			}
		}}
	}
	return []numberField{
		count("year", "Year", legacy.Year, must, &d.Year),
		count("gear_number", "Gears", legacy.Gears, must, &d.Gears),
		count("seat_number", "Seats", legacy.Seats, must, &d.Seats),
		count("door_number", "Doors", legacy.Doors, optional, &d.Doors),
		count("milleage", "Mileage", legacy.Mileage, must, &d.MileageKM),
		count("power", "Power", legacy.Power, must, &d.PowerHP),
		{"mpg", "Consumption", legacy.Consumption, optional, short(d.Consumption), func(r *legacy.Reading) {
			if d.Consumption = nil; r != nil {
				d.Consumption = &r.Amount
			}
		}},
		{"price", "Price", legacy.Price, must, priced(*d), func(r *legacy.Reading) {
			d.PricePlaces = 0
			if r == nil { // a period of no price is none
				d.Price, d.PricePeriod = nil, nil
				return
			}
			if d.Price = &r.Amount; r.Places == fixed.Places {
				d.PricePlaces = fixed.Places
			}
			if r.Period != "" {
				d.PricePeriod = &r.Period
			}
		}},
	}
}

// applyNumber reads a number as drivers type it. A value that is sent back as it
// was shown keeps what it stands for. A text that is no number is kept in the
// description, word for word.
func (in input) applyNumber(n numberField, d *listing.Details, bad complaints) {
	text, given := in.text(n.name, unlessEmpty(n.must, n.shown == nil), bad)
	switch {
	case !given, n.shown != nil && text == *n.shown:
		return
	case strings.TrimSpace(text) == "":
		n.set(nil)
		return
	case utf8.RuneCountInString(text) > account.MaxText:
		bad.add(n.name, "Ensure this field has no more than 255 characters.")
		return
	}
	r, err := legacy.Read(n.field, text)
	switch {
	case errors.Is(err, legacy.ErrRange):
		bad.add(n.name, fixed.ErrWhole.Message)
	case err != nil:
		n.set(nil)
		keepWords(n, text, d, bad)
	case !r.None:
		n.set(&r)
	default:
		n.set(nil)
		if r.Transmission != "" && !strings.EqualFold(strings.TrimSpace(d.Transmission), r.Transmission) {
			keepWords(n, text, d, bad)
		}
	}
}

// keepWords adds a text to the description, unless it stands there already.
func keepWords(n numberField, words string, d *listing.Details, bad complaints) {
	line := n.label + ": " + strings.TrimSpace(oneLine(words, false))
	if slices.Contains(strings.FieldsFunc(d.Description, func(r rune) bool { return r == '\n' || r == '\r' }), line) {
		return
	}
	text := line
	if d.Description != "" {
		text = strings.TrimRight(d.Description, "\r\n") + "\n" + line
	}
	if utf8.RuneCountInString(text) > listing.MaxDescription {
		bad.add(n.name, "This is not read as a number, and the description has no room left for it.")
		return
	}
	d.Description = text
}

// addPost serves POST add-carpost. Posts made here are for rent, in EUR, and for
// no period.
func (a *API) addPost(c *call) error {
	in, err := readBody(c.r)
	if err != nil {
		return err
	}
	bad, d := complaints{}, listing.DefaultDetails()
	in.applyPost(&d, required, bad)
	if err := bad.err(); err != nil {
		return err
	}
	p, again, err := a.Listings.Retried(c.ctx(), c.by, d)
	if err == nil && !again {
		p, _, err = a.Listings.Create(c.ctx(), c.by, d, nil)
	}
	if err != nil {
		return err
	}
	answer(c.w, http.StatusOK, newPostOut(p))
	return nil
}

// posts serves GET get-carposts/{page} and get-user-carposts/{page}.
func (a *API) posts(f listing.Filter) handler {
	return func(c *call) error {
		n, err := pageNumber(c.r.PathValue("page"))
		if err != nil {
			return err
		}
		found, err := a.Listings.Posts(c.ctx(), c.by, f, listing.Order{Key: "id"}, listing.Place{Limit: pageSize, Offset: (n - 1) * pageSize})
		if err != nil {
			return err
		}
		var data []postOut
		for _, p := range found.Posts {
			data = append(data, newPostOut(p))
		}
		return page(c, n, found.Count, data)
	}
}

// readPost serves GET get-carpost/{id}.
func (a *API) readPost(c *call) error {
	id, err := c.id()
	if err != nil {
		return err
	}
	p, err := a.Listings.Post(c.ctx(), c.by, id)
	if err != nil {
		return err
	}
	answer(c.w, http.StatusOK, newPostOut(p))
	return nil
}

// The limits of an update's form (promise U12). The image alone may be large.
const (
	maxParts  = 40
	maxField  = 32 << 10
	maxForm   = media.MaxSize + 512<<10
	imageTime = 5 * time.Minute
)

var (
	errNotYours = refuse(http.StatusForbidden, "Message", "You do not have permission to edit this car post.")
	errTooLarge = refuse(http.StatusBadRequest, "Message", "The image size is too large. Please upload an image that is less than 10MB.")
)

// updatePost serves PUT update-ridepost/{id}: a form with any of the fields, and
// an image that takes the place of the cover. Whose the post is, is looked at
// before the form is read (promise Z2).
func (a *API) updatePost(c *call) error {
	id, err := c.id()
	if err != nil {
		return err
	}
	if _, err := a.Listings.MayAttach(c.ctx(), c.by, id); err != nil {
		return mine(err, errNotYours)
	}
	in, image, err := a.readUpdate(c)
	if err != nil {
		return err
	}
	// The fields are tried, then the photo is taken, then the fields are written: an
	// update is refused as a whole.
	bad := complaints{}
	change := func(d *listing.Details) fault.Fields {
		clear(bad) // it may run again
		in.applyPost(d, partial, bad)
		return nil
	}
	err = a.Listings.Try(c.ctx(), c.by, id, change)
	if wrong := bad.err(); wrong != nil {
		return wrong
	}
	if err != nil {
		return mine(err, errNotYours)
	}
	if image != nil {
		if err := a.replaceCover(c, id, *image); err != nil {
			return err
		}
	}
	p, err := a.Listings.Revise(c.ctx(), c.by, id, nil, change)
	if err != nil {
		return mine(err, errNotYours)
	}
	answer(c.w, http.StatusOK, newPostOut(p))
	return nil
}

// replaceCover puts a photo in the place of the one that the client is shown.
// Should another update replace that one first, its photo is what is shown then.
func (a *API) replaceCover(c *call, post int64, f formFile) error {
	err := error(media.ErrNoReplaced)
	for tries := 0; tries < 5 && errors.Is(err, media.ErrNoReplaced); tries++ {
		p, failed := a.Listings.Post(c.ctx(), c.by, post)
		if failed != nil {
			return failed
		}
		shown, _ := coverOf(p) // 0 when there is none
		_, err = a.Media.Take(c.ctx(), c.by, media.Target{Post: post}, f.name, f.raw, shown.ID)
	}
	if bad := fault.As(err); bad != nil && bad.Kind == fault.Invalid {
		message := bad.Fields[0].Message
		if bad.Fields[0].Field != "file" { // of its type or size
			message = "Upload a valid image: a JPEG, PNG or WebP picture of at most 10 MB."
		}
		if words := notTaken(f.name, "", f.raw); words != "" {
			message = words
		}
		return refuse(http.StatusBadRequest, "image", []string{message})
	}
	return err
}

// mine puts a refusal in the client's words in the place of one that says that
// something is somebody else's.
func mine(err, theirs error) error {
	if errors.Is(err, fault.Forbidden) {
		return theirs
	}
	return err
}

type formFile struct {
	name string
	raw  []byte
}

// readUpdate reads the body of an update: a form, piece by piece and within its
// limits, or one of the kinds that have no image. Without a file the client sends
// the text "undefined" for the image. Nothing sent is nothing said.
func (a *API) readUpdate(c *call) (input, *formFile, error) {
	mediaType, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err == nil && (mediaType == jsonType || mediaType == formType) {
		in, err := readBody(c.r)
		return in, nil, err
	}
	if err != nil || mediaType != multipartType {
		return nil, nil, refuse(http.StatusUnsupportedMediaType, "detail", "Send the body as multipart/form-data.")
	}
	if !isUTF8(params) {
		return nil, nil, errNotUTF8
	}
	if c.r.ContentLength > maxForm {
		return nil, nil, errTooLarge
	}
	if err := a.forms.Enter(c.ctx(), c.by.ID); err != nil {
		return nil, nil, err
	}
	defer a.forms.Leave(c.by.ID)
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Now().Add(imageTime)) // a recorder in a test has none
	body := bufio.NewReader(http.MaxBytesReader(c.w, c.r.Body, maxForm))
	if _, err := body.Peek(1); errors.Is(err, io.EOF) {
		return input{}, nil, nil
	}
	return readParts(body, params["boundary"], "image")
}

// readParts reads a form of many parts, of which one may be a file: the one of the
// name.
func readParts(body io.Reader, boundary, image string) (input, *formFile, error) {
	form := multipart.NewReader(parts.Whole(body), boundary)
	in, file, seen := input{}, (*formFile)(nil), map[string]bool{}
	for n := 0; ; n++ {
		part, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			return in, file, nil
		}
		if err != nil {
			return nil, nil, formError(err)
		}
		if n == maxParts {
			return nil, nil, refuse(http.StatusRequestEntityTooLarge, "detail", "The form has too many parts.")
		}
		name, isFile, limit := part.FormName(), part.FileName() != "", int64(maxField)
		if isFile {
			limit = media.MaxSize
		}
		raw, err := io.ReadAll(io.LimitReader(part, limit+1))
		if err != nil {
			return nil, nil, formError(err)
		}
		_, params, _ := mime.ParseMediaType(part.Header.Get("Content-Type")) // none is UTF-8
		switch {
		case seen[name]:
			return nil, nil, complaints{jsonbody.Clip(name): {"This field is there more than once."}}.err()
		case int64(len(raw)) > limit && isFile:
			return nil, nil, errTooLarge
		case int64(len(raw)) > limit:
			return nil, nil, complaints{jsonbody.Clip(name): {"This field is too long."}}.err()
		case isFile && name == image:
			file = &formFile{part.FileName(), raw}
		case isFile:
			return nil, nil, complaints{jsonbody.Clip(name): {"No file is taken here."}}.err()
		case !isUTF8(params):
			return nil, nil, errNotUTF8
		case string(raw) == "undefined" || string(raw) == "null": // what browsers make of nothing
		default:
			if err := in.take(name, string(raw)); err != nil {
				return nil, nil, err
			}
		}
		seen[name] = true
	}
}

func formError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge
	}
	return refuse(http.StatusBadRequest, "detail", "Multipart form parse error.")
}

// deletePost serves DELETE delete-ridepost.
func (a *API) deletePost(c *call) error {
	in, err := readBody(c.r)
	if err != nil {
		return err
	}
	id, given, err := in.number("car_post_id")
	if !given {
		return refuse(http.StatusBadRequest, "detail", "Missing required argument: car_post_id")
	}
	if err != nil {
		return err
	}
	if err := a.Listings.Delete(c.ctx(), c.by, id, nil); err != nil {
		return mine(err, refuse(http.StatusForbidden, "detail", "You do not have permission to delete this car post."))
	}
	answer(c.w, http.StatusOK, object{"message": "Car post deleted successfully!"})
	return nil
}

// number reads the number of an object out of a body.
func (in input) number(name string) (id int64, given bool, err error) {
	v, given := in[name]
	if !given || v.null || (v.text == "" && !v.other) {
		return 0, false, nil
	}
	id, err = pythonInt(v.text)
	if err != nil || v.other {
		return 0, true, complaints{name: {saysInteger}}.err()
	}
	return id, true, nil
}
