package listing_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

func newOwner(t *testing.T, s *store.Store, email string) account.Actor {
	t.Helper()
	u, err := s.CreateUser(t.Context(), account.Actor{}, account.User{Name: "Ana", Email: email, PasswordHash: "x", Active: true, CreatedAt: noon, UpdatedAt: noon}, account.DefaultSettings(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return account.Actor{ID: u.ID, Source: account.SourceAPI}
}

func service(s *store.Store) *listing.Service {
	return listing.NewService(s, func() time.Time { return noon })
}

func details() listing.Details {
	d := listing.DefaultDetails()
	d.Make, d.Model, d.Year, d.Price, d.PricePeriod = "Dacia", "Logan", ptr(2020), ptr(fixed.Amount(12_000)), ptr("day")
	return d
}

// bad are the fields that an error names.
func bad(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	f := fault.As(err)
	if f == nil || f.Kind != fault.Invalid {
		t.Fatalf("%v, want a fault of kind %s", err, fault.Invalid)
	}
	var names []string
	for _, field := range f.Fields {
		names = append(names, field.Field)
	}
	slices.Sort(names)
	return names
}

func TestCreate_Rules(t *testing.T) {
	s := storetest.New(t)
	svc, by := service(s), newOwner(t, s, "ana@example.com")
	tests := []struct {
		name   string
		change func(*listing.Details)
		bad    []string
	}{
		{"plain", func(*listing.Details) {}, nil},
		{"nothing", func(d *listing.Details) { *d = listing.DefaultDetails() }, []string{"make", "model", "price", "price_period", "year"}},
		{"blank", func(d *listing.Details) { d.Make, d.Model = "  ", "\u200b" }, []string{"make", "model"}},
		{"255 letters", func(d *listing.Details) { d.Make = strings.Repeat("Ș", 255) }, nil},
		{"256 letters", func(d *listing.Details) { d.Make, d.Location = strings.Repeat("Ș", 256), strings.Repeat("x", 256) }, []string{"location", "make"}},
		{"blanks around", func(d *listing.Details) { d.Make = "  " + strings.Repeat("x", 255) + "  " }, nil},
		{"control characters", func(d *listing.Details) { d.Contact, d.Color = "a\nb", "\x00" }, []string{"color", "contact"}},
		{"lines", func(d *listing.Details) { d.Description = "a\nb\tc" }, nil},
		{"5,000 letters", func(d *listing.Details) { d.Description = strings.Repeat("ă", 5000) }, nil},
		{"5,001 letters", func(d *listing.Details) { d.Description = strings.Repeat("ă", 5001) }, []string{"description"}},
		{"first year", func(d *listing.Details) { d.Year = ptr(1950) }, nil},
		{"before it", func(d *listing.Details) { d.Year = ptr(1949) }, []string{"year"}},
		{"next year", func(d *listing.Details) { d.Year = ptr(2027) }, nil},
		{"after it", func(d *listing.Details) { d.Year = ptr(2028) }, []string{"year"}},
		{"least numbers", func(d *listing.Details) {
			d.Gears, d.Seats, d.Doors, d.MileageKM, d.PowerHP = ptr(1), ptr(1), ptr(0), ptr(0), ptr(1)
		}, nil},
		{"most numbers", func(d *listing.Details) {
			d.Gears, d.Seats, d.Doors, d.MileageKM, d.PowerHP = ptr(20), ptr(60), ptr(10), ptr(5_000_000), ptr(5_000)
		}, nil},
		{"less", func(d *listing.Details) {
			d.Gears, d.Seats, d.Doors, d.MileageKM, d.PowerHP = ptr(0), ptr(0), ptr(-1), ptr(-1), ptr(0)
		}, []string{"doors", "gears", "mileage_km", "power_hp", "seats"}},
		{"more", func(d *listing.Details) {
			d.Gears, d.Seats, d.Doors, d.MileageKM, d.PowerHP = ptr(21), ptr(61), ptr(11), ptr(5_000_001), ptr(5_001)
		}, []string{"doors", "gears", "mileage_km", "power_hp", "seats"}},
		{"choices", func(d *listing.Details) { d.Offer, d.PricePeriod, d.Status = "sale", ptr("total"), "draft" }, nil},
		{"no choices", func(d *listing.Details) { d.Offer, d.PricePeriod, d.Status = "gift", ptr("year"), "sold" }, []string{"offer", "price_period", "status"}},
		{"currency", func(d *listing.Details) { d.Currency = "ron" }, nil},
		{"no currency", func(d *listing.Details) { d.Currency = "LEI" }, []string{"currency"}},
	}
	for _, tt := range tests {
		d := details()
		tt.change(&d)
		p, _, err := svc.Create(t.Context(), by, d, nil)
		if got := bad(t, err); !slices.Equal(got, tt.bad) {
			t.Errorf("%s: %v is bad, want %v", tt.name, got, tt.bad)
		}
		if tt.name == "currency" && p.Currency != "RON" {
			t.Errorf("currency is %q, want RON", p.Currency)
		}
	}
	// What the caller could not read is named with the rest, each field once.
	d := details()
	d.Price, d.Make = nil, ""
	_, _, err := svc.Create(t.Context(), by, d, fault.Fields{{Field: "price", Code: "invalid", Message: "?"}})
	if got := bad(t, err); !slices.Equal(got, []string{"make", "price"}) {
		t.Errorf("with a price that cannot be read: %v is bad", got)
	}
}

func TestCreate_Limit_Z8(t *testing.T) {
	s := storetest.New(t)
	svc, by := service(s), newOwner(t, s, "ana@example.com")
	posts := make([]listing.Post, listing.MaxPosts)
	for i := range posts {
		posts[i] = listing.Post{Details: details(), OwnerID: by.ID, CreatedAt: noon, UpdatedAt: noon}
	}
	if err := s.LoadPosts(t.Context(), posts[1:]); err != nil {
		t.Fatal(err)
	}
	if _, _, err := svc.Create(t.Context(), by, details(), nil); err != nil {
		t.Errorf("the 200th post: %v", err)
	}
	if _, _, err := svc.Create(t.Context(), by, details(), nil); !errors.Is(err, listing.ErrTooMany) {
		t.Errorf("the 201st post: %v, want %v", err, listing.ErrTooMany)
	}
	by.Manages = true
	if _, _, err := svc.Create(t.Context(), by, details(), nil); err != nil {
		t.Errorf("a post by the admin site: %v", err)
	}
}

// A post that was moved from the older database may lack what is asked for
// today; a change of something else does not ask for it, and what is there once
// cannot be taken away.
func TestRevise_Moved(t *testing.T) {
	tests := []struct {
		name   string
		moved  bool
		change func(*listing.Details)
		bad    []string
	}{
		{"another field", true, func(d *listing.Details) { d.Color = "roșu" }, nil},
		{"nothing", true, func(*listing.Details) {}, nil},
		{"a year", true, func(d *listing.Details) { d.Year = ptr(2001) }, nil},
		{"a bad year", true, func(d *listing.Details) { d.Year = ptr(1) }, []string{"year"}},
		{"a price alone", true, func(d *listing.Details) { d.Price = ptr(fixed.Amount(1)) }, nil},
		{"a period", true, func(d *listing.Details) { d.PricePeriod = ptr("week") }, nil},
		{"seats as they were", true, func(d *listing.Details) { d.Seats = ptr(99) }, nil},
		{"other bad seats", true, func(d *listing.Details) { d.Seats = ptr(98) }, []string{"seats"}},
		{"a new model", true, func(d *listing.Details) { d.Model = "Logan" }, nil},
		{"no year any more", false, func(d *listing.Details) { d.Year = nil }, []string{"year"}},
		{"no price any more", false, func(d *listing.Details) { d.Price = nil }, []string{"price"}},
		{"no period any more", false, func(d *listing.Details) { d.PricePeriod = nil }, []string{"price_period"}},
		{"no make any more", false, func(d *listing.Details) { d.Make = "" }, []string{"make"}},
	}
	s := storetest.New(t)
	svc, by := service(s), newOwner(t, s, "ana@example.com")
	for _, tt := range tests {
		d := details()
		if tt.moved {
			d.Year, d.Price, d.PricePeriod, d.Model, d.Seats, d.Currency = nil, nil, nil, "", ptr(99), "LEI"
		}
		p, _, err := s.CreatePost(t.Context(), by, listing.Post{Details: d, OwnerID: by.ID, CreatedAt: noon, UpdatedAt: noon}, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, err := svc.Revise(t.Context(), by, p.ID, nil, func(d *listing.Details) fault.Fields { tt.change(d); return nil })
		if names := bad(t, err); !slices.Equal(names, tt.bad) {
			t.Errorf("%s: %v is bad, want %v", tt.name, names, tt.bad)
		}
		after := p.Revision + 1
		if same, _ := json.Marshal(p.Details); err == nil {
			if now, _ := json.Marshal(got.Details); string(now) == string(same) { // nothing has changed for other editors
				after = p.Revision
			}
			if got.Revision != after {
				t.Errorf("%s: revision %d, want %d", tt.name, got.Revision, after)
			}
		}
	}
}

// Who may see and who may change which post.
func TestVisibility_Z2(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		svc, owner, reader := service(s), newOwner(t, s, "ana@example.com"), newOwner(t, s, "dan@example.com")
		staff := account.Actor{ID: reader.ID, Source: account.SourceAdmin, Manages: true}
		states := map[string]struct {
			set    string
			others error // what a reader is told
		}{
			"active":      {`UPDATE car_post SET status = 'active' WHERE id = $1`, nil},
			"draft":       {`UPDATE car_post SET status = 'draft' WHERE id = $1`, fault.NotFound},
			"paused":      {`UPDATE car_post SET status = 'paused' WHERE id = $1`, fault.NotFound},
			"closed":      {`UPDATE car_post SET status = 'closed' WHERE id = $1`, fault.NotFound},
			"moderated":   {`UPDATE car_post SET moderated_at = created_at, moderation_reason = 'spam' WHERE id = $1`, fault.NotFound},
			"deactivated": {`UPDATE account SET is_active = FALSE WHERE id = (SELECT owner_id FROM car_post WHERE id = $1)`, fault.NotFound},
		}
		change := func(d *listing.Details) fault.Fields { d.Color = "roșu"; return nil }
		for name, st := range states {
			p, _, err := svc.Create(t.Context(), owner, details(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Writer().ExecContext(t.Context(), st.set, p.ID); err != nil {
				t.Fatal(err)
			}
			_, err = svc.Post(t.Context(), reader, p.ID)
			if !errors.Is(err, st.others) {
				t.Errorf("%s: a reader gets %v, want %v", name, err, st.others)
			}
			if err := svc.SetFavorite(t.Context(), reader, p.ID, true); !errors.Is(err, st.others) {
				t.Errorf("%s: as a favourite %v, want %v", name, err, st.others)
			}
			if err := svc.Report(t.Context(), reader, p.ID, "spam", "", nil); !errors.Is(err, st.others) {
				t.Errorf("%s: a report gets %v, want %v", name, err, st.others)
			}
			// Not allowed to see is not there; allowed to see but not to change is forbidden.
			wantChange := st.others
			if wantChange == nil {
				wantChange = fault.Forbidden
			}
			_, err = svc.Revise(t.Context(), reader, p.ID, nil, change)
			if !errors.Is(err, wantChange) {
				t.Errorf("%s: a reader's change gets %v, want %v", name, err, wantChange)
			}
			if err := svc.Delete(t.Context(), reader, p.ID, nil); !errors.Is(err, wantChange) {
				t.Errorf("%s: a reader's deletion gets %v, want %v", name, err, wantChange)
			}
			if err := svc.SetFavorite(t.Context(), reader, p.ID, false); err != nil {
				t.Errorf("%s: no favourite any more: %v", name, err)
			}
			for who, by := range map[string]account.Actor{"owner": owner, "staff": staff} {
				if _, err := svc.Post(t.Context(), by, p.ID); err != nil {
					t.Errorf("%s: the %s gets %v", name, who, err)
				}
				if _, err := svc.Revise(t.Context(), by, p.ID, nil, change); err != nil {
					t.Errorf("%s: the %s's change: %v", name, who, err)
				}
			}
			if _, err := s.Writer().ExecContext(t.Context(), `UPDATE account SET is_active = TRUE`); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestMatch_D5(t *testing.T) {
	s := storetest.New(t)
	svc, by := service(s), newOwner(t, s, "ana@example.com")
	p, _, err := svc.Create(t.Context(), by, details(), nil)
	if err != nil {
		t.Fatal(err)
	}
	old := account.AtVersion(p.Revision)
	change := func(d *listing.Details) fault.Fields { d.Color = "roșu"; return nil }
	if _, err := svc.Revise(t.Context(), by, p.ID, old, change); err != nil {
		t.Fatal(err)
	}
	if _, err := svc.Revise(t.Context(), by, p.ID, old, change); !errors.Is(err, fault.Stale) {
		t.Errorf("a change of an older version: %v, want %v", err, fault.Stale)
	}
	if err := svc.Delete(t.Context(), by, p.ID, old); !errors.Is(err, fault.Stale) {
		t.Errorf("a deletion of an older version: %v, want %v", err, fault.Stale)
	}
	if err := svc.Delete(t.Context(), by, p.ID, nil); err != nil {
		t.Error(err)
	}
}

func TestReport(t *testing.T) {
	s := storetest.New(t)
	svc, owner, reader := service(s), newOwner(t, s, "ana@example.com"), newOwner(t, s, "dan@example.com")
	p, _, err := svc.Create(t.Context(), owner, details(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := svc.Report(t.Context(), owner, p.ID, "spam", "", nil); !errors.Is(err, fault.Conflict) {
		t.Errorf("on one's own post: %v", err)
	}
	if got := bad(t, svc.Report(t.Context(), reader, p.ID, " ", "\x00", nil)); !slices.Equal(got, []string{"reason", "text"}) {
		t.Errorf("%v is bad", got)
	}
	if err := svc.Report(t.Context(), reader, p.ID, "spam", "de două ori", nil); err != nil {
		t.Error(err)
	}
	if err := svc.Report(t.Context(), reader, p.ID, "spam", "", nil); !errors.Is(err, listing.ErrReported) {
		t.Errorf("twice: %v, want %v", err, listing.ErrReported)
	}
	if list, err := svc.Reports(t.Context(), reader); err != nil || len(list) != 1 || list[0].Text != "de două ori" {
		t.Errorf("Reports = %+v, %v", list, err)
	}
}
