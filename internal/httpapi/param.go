package httpapi

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
)

// param is a value of the query that may be absent. An empty one counts as
// absent, as forms send it.
type param[T any] struct {
	Set bool
	V   T
}

// Schema describes the parameter as T is described.
func (param[T]) Schema(r huma.Registry) *huma.Schema {
	s := huma.SchemaFromType(r, reflect.TypeFor[T]())
	s.Format = strings.TrimPrefix(s.Format, "int64")
	if _, ok := any(*new(T)).(fixed.Amount); ok {
		s = amountSchema{}.Schema(r)
		s.Pattern = ""
	}
	if _, ok := any(*new(T)).(calendar.Day); ok {
		s = daySchema{}.Schema(r)
	}
	return s
}

// UnmarshalText reads the value; its errors are in paramErrors.
func (p *param[T]) UnmarshalText(b []byte) error {
	var bad fault.Fields
	text := string(b)
	if !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
		return errText
	}
	switch v := any(&p.V).(type) {
	case *string:
		*v = text
	case *int:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < math.MinInt32 || n > math.MaxInt32 || strconv.FormatInt(n, 10) != text { // in one spelling only
			return errInteger
		}
		*v = int(n)
	case *bool:
		switch strings.ToLower(text) {
		case "true", "1":
			*v = true
		case "false", "0":
		default:
			return errBool
		}
	case *fixed.Amount:
		if !decodeAmount(text, v, "", &bad) {
			return errors.New(bad[0].Message)
		}
	case *calendar.Day:
		if !decodeDay(text, v, "", &bad) {
			return calendar.ErrInvalid
		}
	default:
		panic("httpapi: no way to read a parameter of " + reflect.TypeFor[T]().String())
	}
	p.Set = true
	return nil
}

var (
	errInteger = errors.New("A valid integer is required.") //nolint:revive,staticcheck // shown to people as it is
	errText    = errors.New("This is not text in UTF-8.")   //nolint:revive,staticcheck // shown to people as it is
	errBool    = errors.New("Must be true or false.")       //nolint:revive,staticcheck // shown to people as it is
)

// codeOf finds the code of a message about a parameter: the library hands on
// messages alone.
func codeOf(message string) string {
	for _, e := range []*fixed.Error{fixed.ErrDigits, fixed.ErrNegative, fixed.ErrPlaces, fixed.ErrWhole} {
		if e.Message == message {
			return e.Code
		}
	}
	return "invalid"
}

func (p param[T]) ptr() *T {
	if !p.Set {
		return nil
	}
	return &p.V
}

// choice notes when a parameter is none of the choices.
func (p param[T]) choice(name string, choices []string, bad *fault.Fields) {
	if s, ok := any(p.V).(string); ok && p.Set && !slices.Contains(choices, s) {
		account.CheckChoice(bad, name, s, choices)
	}
}

// checkParams notes which parameters hold what no text of ours does.
func checkParams(bad *fault.Fields, texts map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		account.CheckText(bad, name, texts[name], 0, account.MaxText, false)
	}
}

// Paging is how lists are asked for.
type Paging struct {
	Page     param[int] `query:"page" doc:"Page number, from 1." example:"1"`
	PageSize param[int] `query:"page_size" doc:"Results a page: 10 by default, 100 at most." example:"10"`
}

// The sizes of pages.
const (
	pageSize    = 10
	maxPageSize = 100
	maxPage     = 1_000_000 // so that page × size stays a number
)

var errNoPage = fault.New(fault.NotFound, "There is no such page.")

// place turns the parameters into how many to read and how many to pass over.
func (p Paging) place(bad *fault.Fields) (limit, offset int) {
	limit = pageSize
	if p.PageSize.Set {
		limit = p.PageSize.V
		if limit < 1 || limit > maxPageSize {
			bad.Add("page_size", "invalid", "Ensure this value is between 1 and 100.")
			limit = pageSize
		}
	}
	return limit, (p.page() - 1) * limit
}

func (p Paging) page() int {
	if !p.Page.Set {
		return 1
	}
	return p.Page.V
}

// check is errNoPage for a number that no list has.
func (p Paging) check() error {
	if n := p.page(); n < 1 || n > maxPage {
		return errNoPage
	}
	return nil
}

// list is a page of a list.
type list[T any] struct {
	Count      *int    `json:"count" nullable:"true" doc:"How many there are in all; null when Paging by cursor." example:"1"`
	CountExact *bool   `json:"count_exact,omitempty" doc:"false when the counting stopped at 10,000."`
	Next       *string `json:"next" nullable:"true" format:"uri" doc:"The next page, if there is one."`
	Previous   *string `json:"previous" nullable:"true" format:"uri" doc:"The page before, if there is one."`
	Results    []T     `json:"results"`
}

// numbered fills in the neighbours of a numbered page.
func numbered[T any](a *API, u *url.URL, p Paging, limit, count int, exact bool, results []T) (*out[list[T]], error) {
	page := p.page()
	if page > 1 && len(results) == 0 {
		return nil, errNoPage
	}
	l := list[T]{Count: &count, Results: results}
	if l.Results == nil {
		l.Results = []T{}
	}
	if !exact {
		l.CountExact = &exact
	}
	if (page-1)*limit+len(results) < count || (!exact && len(results) == limit) {
		l.Next = a.link(u, "page", strconv.Itoa(page+1))
	}
	if page > 1 {
		l.Previous = a.link(u, "page", strconv.Itoa(page-1))
	}
	return &out[list[T]]{Status: http.StatusOK, Body: l}, nil
}

// link is the absolute URL of the request with one parameter changed.
func (a *API) link(u *url.URL, name, value string) *string {
	q := u.Query()
	q.Set(name, value)
	s := a.PublicURL.Scheme + "://" + a.PublicURL.Host + strings.TrimSuffix(a.PublicURL.Path, "/") + u.Path + "?" + q.Encode()
	return &s
}

// cursor is a place in a list, as clients carry it: they cannot read or make it.
type cursor struct {
	List string `json:"l"` // which list, in which order
	Key  string `json:"k"`
	ID   int64  `json:"i"`
	Back bool   `json:"b,omitempty"`
}

var errCursor = fault.InvalidField("cursor", "invalid", "This cursor is not one of this list.")

func (a *API) seal(c cursor) string {
	text, err := json.Marshal(c)
	if err != nil { // texts and numbers
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(append(a.mac(text), text...))
}

func (a *API) mac(text []byte) []byte {
	m := hmac.New(sha256.New, a.cursorKey)
	m.Write(text)
	return m.Sum(nil)[:16]
}

// open reads a cursor of the list; an empty one is the list's beginning.
func (a *API) openCursor(text, of string) (*cursor, error) {
	if text == "" {
		return &cursor{List: of}, nil
	}
	if len(text) > 4096 {
		return nil, errCursor
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < 16 || !hmac.Equal(b[:16], a.mac(b[16:])) {
		return nil, errCursor
	}
	var c cursor
	if err := json.Unmarshal(b[16:], &c); err != nil || c.List != of {
		return nil, errCursor
	}
	return &c, nil
}

// out is an answer with a body. Version names the version and the state of a
// single object: If-Match compares it.
type out[T any] struct {
	Status   int
	Version  string `header:"X-Object-Version" hidden:"true"`
	Location string `header:"Location" hidden:"true"`
	Body     T
}

// none is an answer without a body.
type none struct{}

// made is the answer of a creation, or of a repetition of one.
func made[T any](ctx context.Context, a *API, path string, id, version int64, stored any, repeated bool, v T) *out[T] {
	if repeated {
		call(ctx).w.Header().Set(replayedHeader, "true")
	}
	return &out[T]{
		Status: http.StatusCreated, Version: versionTag(version, stored), Body: v,
		Location: strings.TrimSuffix(a.PublicURL.String(), "/") + path + itoa(id) + "/",
	}
}

// single returns the answer that shows one object. stored are the fields that the domain gives to account.Match.
func single[T any](version int64, stored any, v T) *out[T] {
	return &out[T]{Status: http.StatusOK, Version: versionTag(version, stored), Body: v}
}

// ByID is the input of an operation on one object.
type ByID struct {
	ID      int64  `path:"id" doc:"The number of the object." example:"1"`
	IfMatch string `header:"If-Match" doc:"The ETag that you have seen: 412 when the object has changed since."`
}
