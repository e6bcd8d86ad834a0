package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/listing"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
	"github.com/ridecopilot/ridecopilot/internal/text"
)

// described are texts that people, or their enemies, write into a description.
var described = []string{
	"Mașină curată, consum mic; Brașov",
	"Masina CURATA in Constanţa", // the cedilla form
	"Škoda Octavia 1.9 TDI e-tron",
	"Citroën C4 Größe",
	"автомобиль Москва",
	"Αθήνα ΣΊΣΥΦΟΣ",
	"日本の車 東京",
	"🚗 🚕 taxi 🚙",
	"O'Hara \"quoted\" (paren) a:b* c & d | e ! f <-> g \\ h",
	"NEAR AND OR NOT near and or not",
	"search:secret {curly} ^caret -minus +plus",
	strings.Repeat("x", 60) + " " + strings.Repeat("y", 39),
	"ＦＵＬＬ ﬁne ½ ² Ⅷ ٣ १२",
	"𐓘𐓙 ꭰꭱ 𞤀𞤁 𐴀𐴁 🄰🄱 ⓐⓑ", // letters that are younger than most tables of letters
	"हिन्दी ไทย עברית العربية 한국어 ქართული ᲐᲑ",
	"ﷺ İstanbul ısı ǅ ŉ ẞ",
	"a\u200db soft\u00adhyphen zero\u200bwidth",
}

// asked are searches. Every one must find the same on both engines.
var asked = append([]string{
	"masina", "MAȘINĂ", "maşină", "mas", "asina", "curat brasov", "brasov curat", "curata constanta", "Constanța", "constanţa x",
	"skoda", "ŠKO 1", "octavia 9", "e-tron", "etron", "citroen grosse", "größe", "Москва", "мос", "москва авто", "αθηνα", "σισυφος", "ΣΙΣΥΦΟΣ",
	"日本", "日本の車", "東", "🚗", "🚗 taxi", "taxi", "'", `"`, `'"`, ":*", "&", "|", "!", "*", "(", `\`, "a:b*", `taxi"*`, `taxi' OR 1=1 --`, "a & b",
	"near", "NEAR(a b)", "AND", "and or", "or", "not", "search:secret", "secret", "{curly}", "^caret", "-minus", "+plus", "%", "_", "m%", "\x00", "taxi\x00",
	"taxi\x00octavia", strings.Repeat("x", 40), strings.Repeat("x", 41), strings.Repeat("x", 80), strings.Repeat("y", 39), strings.Repeat("y", 40), "full", "fine", "ﬁ",
	"1", "2", "½", "²", "8", "Ⅷ", "٣", "3", "१२", "𐓘", "𐓙", "𐓘𐓙", "ꭰ", "𞤀", "𞤁", "𐴀", "🄰", "ⓐ", "हि", "हिन्दी", "ไทย", "עברית", "العربية", "한국어", "한", "ქართული", "ᲐᲑ",
	"ﷺ", "istanbul", "İ", "ısı", "isi", "ǆ", "ẞ", "ss", "a\u200db", "softhyphen", "soft", "zerowidth", "zero width", "dacia", "logan dacia", "\xff", "dacia \xff",
	strings.Repeat("dacia ", 100), strings.Repeat("a b c d e f ", 20), "",
}, described...)

// wanted tells by the words themselves whether a post is to be found: each word
// of the search begins one of the post's.
func wanted(p listing.Post, words []string) bool {
	has := strings.Fields(p.SearchText())
	for _, w := range words {
		if !slices.ContainsFunc(has, func(h string) bool { return strings.HasPrefix(h, w) }) {
			return false
		}
	}
	return len(words) > 0
}

func TestSearch(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		var posts []listing.Post
		for _, d := range described {
			posts = append(posts, newPost(t, s, u.ID, func(p *listing.Post) { p.Description = strings.ToValidUTF8(d, "") }))
		}
		found := 0
		for _, q := range asked {
			words := text.Words(q)
			page, err := s.Posts(t.Context(), u.ID, listing.Filter{Words: words, NoSuchMatches: len(words) == 0}, listing.Order{Key: "created_at"}, listing.Place{Limit: 100})
			if err != nil {
				t.Errorf("search %q: %v", q, err)
				continue
			}
			var got, want []int64
			for _, p := range page.Posts {
				got = append(got, p.ID)
			}
			for _, p := range posts {
				if wanted(p, words) {
					want = append(want, p.ID)
				}
			}
			if !slices.Equal(got, want) || page.Count != len(want) {
				t.Errorf("search %q (%q) found %v and counts %d, want %v", q, words, got, page.Count, want)
			}
			found += len(want)
		}
		if found < 50 {
			t.Errorf("the searches find %d posts in all, too few to prove anything", found)
		}
	})
}

// The index follows what a post says.
func TestSearch_Follows(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		p := newPost(t, s, u.ID, func(p *listing.Post) { p.Description = "albastră" })
		finds := func(word string) int {
			page, err := s.Posts(t.Context(), u.ID, listing.Filter{Words: text.Words(word)}, listing.Order{Key: "created_at"}, listing.Place{Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			return len(page.Posts)
		}
		if finds("albastra") != 1 || finds("rosie") != 0 {
			t.Error("a new post is not found by its words alone")
		}
		_, err := s.UpdatePost(t.Context(), actor(u.ID), p.ID, func(p *listing.Post, _ *listing.Effects) error { p.Description = "roșie"; return nil })
		if err != nil {
			t.Fatal(err)
		}
		if finds("albastra") != 0 || finds("rosie") != 1 {
			t.Error("after a change the post is not found by its new words alone")
		}
		if err := s.DeletePost(t.Context(), actor(u.ID), p.ID, func(listing.Post) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if finds("rosie") != 0 || finds("dacia") != 0 {
			t.Error("a deleted post is found")
		}
	})
}

func ptr[T any](v T) *T { return &v }

// mixed are posts with equal and with missing sort values.
func mixed(t *testing.T, s *store.Store, owner int64) {
	t.Helper()
	for i := range 23 {
		newPost(t, s, owner, func(p *listing.Post) {
			p.CreatedAt = noon.Add(time.Duration(i/4) * time.Microsecond) // in fours
			p.Make = []string{"Dacia", "dacia", "Škoda", "Zastava", "audi", "ăăă", "日本", "_x"}[i%8]
			p.Price, p.Year, p.MileageKM = ptr(fixed.Amount(100*(i%3))), ptr(2000+i%5), ptr(i%2)
			if i%4 == 1 {
				p.Price = nil
			}
			if i%5 == 2 {
				p.Year = nil
			}
			if i%3 == 0 {
				p.MileageKM = nil
			}
		})
	}
}

// Paging by cursor gives each post once, in the order of the whole list, and
// the same pages on the way back.
func TestPosts_Cursor(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		mixed(t, s, u.ID)
		for _, key := range listing.Sorts {
			for _, desc := range []bool{false, true} {
				o := listing.Order{Key: key, Desc: desc}
				t.Run(fmt.Sprintf("%s desc=%v", key, desc), func(t *testing.T) {
					all, err := s.Posts(t.Context(), u.ID, listing.Filter{}, o, listing.Place{Limit: 100})
					if err != nil || len(all.Posts) != 23 || all.Count != 23 || !all.Exact || all.HasNext {
						t.Fatalf("the whole list has %d posts, counts %d, exact %v, next %v, %v", len(all.Posts), all.Count, all.Exact, all.HasNext, err)
					}
					checkOrder(t, o, all.Posts)
					var got []int64
					var pages []listing.Page
					c := &listing.Cursor{}
					for {
						page, err := s.Posts(t.Context(), u.ID, listing.Filter{}, o, listing.Place{Limit: 4, Cursor: c})
						if err != nil {
							t.Fatal(err)
						}
						pages = append(pages, page)
						got = append(got, ids(page.Posts)...)
						if page.HasPrev != (len(pages) > 1) || len(pages) > 6 {
							t.Fatalf("page %d: %d posts, previous %v", len(pages), len(page.Posts), page.HasPrev)
						}
						if !page.HasNext {
							break
						}
						last := len(page.Posts) - 1
						c = &listing.Cursor{Key: page.SortValues[last], ID: page.Posts[last].ID}
					}
					if !slices.Equal(got, ids(all.Posts)) {
						t.Errorf("forward: %v, want %v", got, ids(all.Posts))
					}
					for i := len(pages) - 1; i > 0; i-- {
						page, err := s.Posts(t.Context(), u.ID, listing.Filter{}, o, listing.Place{
							Limit: 4, Cursor: &listing.Cursor{Key: pages[i].SortValues[0], ID: pages[i].Posts[0].ID, Back: true},
						})
						if err != nil || !slices.Equal(ids(page.Posts), ids(pages[i-1].Posts)) || page.HasPrev != (i > 1) || !page.HasNext {
							t.Errorf("back from page %d: %v, previous %v, next %v, %v, want %v", i+1, ids(page.Posts), page.HasPrev, page.HasNext, err, ids(pages[i-1].Posts))
						}
					}
					// By number, too.
					for i := range pages {
						page, err := s.Posts(t.Context(), u.ID, listing.Filter{}, o, listing.Place{Limit: 4, Offset: 4 * i})
						if err != nil || !slices.Equal(ids(page.Posts), ids(pages[i].Posts)) {
							t.Errorf("page %d by number: %v, %v, want %v", i+1, ids(page.Posts), err, ids(pages[i].Posts))
						}
					}
				})
			}
		}
	})
}

func ids(posts []listing.Post) []int64 {
	var list []int64
	for _, p := range posts {
		list = append(list, p.ID)
	}
	return list
}

// checkOrder holds a list against its order: by value, then by number, and
// posts without the value last.
func checkOrder(t *testing.T, o listing.Order, posts []listing.Post) {
	t.Helper()
	missing := func(p listing.Post) bool {
		return o.Key == "price" && p.Price == nil || o.Key == "year" && p.Year == nil || o.Key == "mileage_km" && p.MileageKM == nil
	}
	compare := func(a, b listing.Post) int {
		switch o.Key {
		case "price":
			return int(*a.Price - *b.Price)
		case "year":
			return *a.Year - *b.Year
		case "mileage_km":
			return *a.MileageKM - *b.MileageKM
		case "make":
			return strings.Compare(text.Key(a.Make), text.Key(b.Make))
		default:
			return a.CreatedAt.Compare(b.CreatedAt)
		}
	}
	for i := 1; i < len(posts); i++ {
		a, b := posts[i-1], posts[i]
		if missing(a) != missing(b) {
			if missing(a) {
				t.Errorf("post %d without a value stands before %d with one", a.ID, b.ID)
			}
			continue
		}
		c := 0
		if !missing(a) {
			c = compare(a, b)
		}
		if c == 0 {
			c = int(a.ID - b.ID)
		}
		if o.Desc {
			c = -c
		}
		if c >= 0 {
			t.Errorf("post %d stands before %d", a.ID, b.ID)
		}
	}
}

func TestPosts_BadCursor_I6(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		for _, o := range []string{"price", "year", "mileage_km", "created_at"} {
			for _, key := range []string{"", "x", "1; DROP TABLE car_post", "9223372036854775808", "1.5"} {
				_, err := s.Posts(t.Context(), u.ID, listing.Filter{}, listing.Order{Key: o}, listing.Place{Limit: 4, Cursor: &listing.Cursor{Key: key, ID: 1}})
				if err == nil || !strings.Contains(err.Error(), "cursor") {
					t.Errorf("cursor %q of %s: %v, want %v", key, o, err, listing.ErrCursor)
				}
			}
		}
	})
}

func TestPosts_Filters(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u, other := newUser(t, s, "ana@example.com"), newUser(t, s, "dan@example.com")
		a := newPost(t, s, u.ID, func(p *listing.Post) {
			p.Make, p.Model, p.Fuel, p.Body, p.Transmission, p.Location = "Škoda", "Octavia", "Benzină", "Berlină", "Manuală", "București"
			p.Year, p.Price, p.MileageKM, p.Seats, p.Currency = ptr(2020), ptr(fixed.Amount(15_000)), ptr(90_000), ptr(5), "RON"
		})
		b := newPost(t, s, other.ID, func(p *listing.Post) { p.Offer, p.PricePeriod, p.Year = "sale", ptr("total"), nil })
		draft := newPost(t, s, u.ID, func(p *listing.Post) { p.Status = listing.StatusDraft })
		moderated := newPost(t, s, other.ID, nil)
		exec(t, s, `UPDATE car_post SET moderated_at = $1, moderation_reason = 'spam' WHERE id = $2`, noon, moderated.ID)
		inactive := newUser(t, s, "off@example.com")
		hidden := newPost(t, s, inactive.ID, nil)
		exec(t, s, `UPDATE account SET is_active = FALSE WHERE id = $1`, inactive.ID)
		if err := s.SetFavorite(t.Context(), actor(u.ID), b.ID, true, noon); err != nil {
			t.Fatal(err)
		}
		exec(t, s, `INSERT INTO upload (owner_id, post_id, state, file_name, content_type, size, created_at, updated_at)
			VALUES ($1, $2, 'ready', '', '', 1, $3, $3)`, u.ID, a.ID, noon)
		tests := []struct {
			name string
			f    listing.Filter
			want []int64
		}{
			{"all", listing.Filter{}, []int64{a.ID, b.ID}},
			{"own", listing.Filter{Own: true}, []int64{a.ID, draft.ID}},
			{"own drafts", listing.Filter{Own: true, Status: "draft"}, []int64{draft.ID}},
			{"others' drafts", listing.Filter{Status: "draft"}, nil},
			{"of an owner", listing.Filter{OwnerID: other.ID}, []int64{b.ID}},
			{"of a deactivated owner", listing.Filter{OwnerID: inactive.ID}, nil},
			{"make, folded", listing.Filter{Make: "SKODA"}, []int64{a.ID}},
			{"make is whole", listing.Filter{Make: "skod"}, nil},
			{"model", listing.Filter{Model: "octavia"}, []int64{a.ID}},
			{"fuel", listing.Filter{Fuel: "benzina"}, []int64{a.ID}},
			{"body", listing.Filter{Body: "berlina"}, []int64{a.ID}},
			{"transmission", listing.Filter{Transmission: "MANUALĂ"}, []int64{a.ID}},
			{"location", listing.Filter{Location: "Bucureşti"}, []int64{a.ID}},
			{"offer", listing.Filter{Offer: "sale"}, []int64{b.ID}},
			{"currency", listing.Filter{Currency: "RON"}, []int64{a.ID}},
			{"period", listing.Filter{PricePeriod: "total"}, []int64{b.ID}},
			{"year from", listing.Filter{YearMin: ptr(2020)}, []int64{a.ID}},
			{"year from later", listing.Filter{YearMin: ptr(2021)}, nil},
			{"year to", listing.Filter{YearMax: ptr(2020)}, []int64{a.ID}},
			{"price from", listing.Filter{PriceMin: ptr(fixed.Amount(15_000))}, []int64{a.ID}},
			{"price to", listing.Filter{PriceMax: ptr(fixed.Amount(14_999))}, []int64{b.ID}},
			{"mileage", listing.Filter{MileageMax: ptr(90_000)}, []int64{a.ID}},
			{"seats", listing.Filter{SeatsMin: ptr(5)}, []int64{a.ID}},
			{"with photo", listing.Filter{HasPhoto: ptr(true)}, []int64{a.ID}},
			{"without photo", listing.Filter{HasPhoto: ptr(false)}, []int64{b.ID}},
			{"favourites", listing.Filter{Favorite: ptr(true)}, []int64{b.ID}},
			{"no favourites", listing.Filter{Favorite: ptr(false)}, []int64{a.ID}},
			{"words and more", listing.Filter{Words: []string{"oct"}, Currency: "RON", YearMin: ptr(2019)}, []int64{a.ID}},
			{"nothing to be found", listing.Filter{NoSuchMatches: true}, nil},
			{"injected", listing.Filter{Make: "' OR 1=1 --", Currency: "$1", Offer: "?"}, nil},
		}
		for _, tt := range tests {
			page, err := s.Posts(t.Context(), u.ID, tt.f, listing.Order{Key: "created_at"}, listing.Place{Limit: 10})
			if err != nil || !slices.Equal(ids(page.Posts), tt.want) || page.Count != len(tt.want) {
				t.Errorf("%s: %v, count %d, %v, want %v", tt.name, ids(page.Posts), page.Count, err, tt.want)
			}
			facets, err := s.Facets(t.Context(), u.ID, tt.f)
			if err != nil || facets.Count != len(tt.want) || !facets.Exact {
				t.Errorf("%s: facets count %d, %v, want %d", tt.name, facets.Count, err, len(tt.want))
			}
		}
		// Whose favourite it is shows to that reader alone.
		for reader, want := range map[int64]bool{u.ID: true, other.ID: false} {
			if p, err := s.Post(t.Context(), b.ID, reader); err != nil || p.Favorite != want {
				t.Errorf("favourite of reader %d: %v, %v, want %v", reader, p.Favorite, err, want)
			}
		}
		if p, err := s.Post(t.Context(), hidden.ID, u.ID); err != nil || p.Visible() {
			t.Errorf("a deactivated owner's post is visible: %+v, %v", p, err)
		}
		if p, err := s.Post(t.Context(), moderated.ID, u.ID); err != nil || p.Visible() || p.Moderation.Reason != "spam" || !p.Moderation.At.Equal(noon) {
			t.Errorf("a moderated post: %+v, %v", p.Moderation, err)
		}
	})
}

func TestFacets(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		for _, m := range []string{"dacia", "Dacia", "DACIA", "Škoda", "Skoda", "audi", "Öko", "_x"} {
			newPost(t, s, u.ID, func(p *listing.Post) { p.Make, p.Fuel = m, "" })
		}
		f, err := s.Facets(t.Context(), u.ID, listing.Filter{})
		if err != nil || f.Count != 8 || !f.Exact {
			t.Fatalf("Facets = %+v, %v", f, err)
		}
		// Spellings of one name are one; the first in the order of bytes is shown.
		want := []listing.FacetValue{{Value: "DACIA", Count: 3}, {Value: "Skoda", Count: 2}, {Value: "_x", Count: 1}, {Value: "audi", Count: 1}, {Value: "Öko", Count: 1}}
		if got := f.Values["make"]; !slices.Equal(got, want) {
			t.Errorf("makes: %v, want %v", got, want)
		}
		if got, ok := f.Values["fuel"]; !ok || len(got) != 0 {
			t.Errorf("fuels: %v, want none, and that told", got)
		}
		if len(f.Values) != len(listing.FacetFields) {
			t.Errorf("facets of %d fields, want %d", len(f.Values), len(listing.FacetFields))
		}
	})
}

// What the domain's limits let through is stored and read back as it was.
func TestText_I3(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		for _, d := range append([]string{strings.Repeat("🚗", listing.MaxDescription), strings.Repeat("ﷺ", listing.MaxDescription), "a\tb\r\nc"}, described...) {
			p := newPost(t, s, u.ID, func(p *listing.Post) {
				p.Description, p.Make, p.Location = d, string([]rune(strings.Repeat("ﷺ", account.MaxText))), strings.Repeat("𐓘", account.MaxText)
			})
			if got, err := s.Post(t.Context(), p.ID, u.ID); err != nil || got.Description != d {
				t.Errorf("%.20q came back as %.20q, %v", d, got.Description, err)
			}
		}
	})
}

func TestEntries_Cursor(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		today := calendar.On(noon)
		for i := range 11 {
			newEntry(t, s, u.ID, today-calendar.Day(i/3))
		}
		entryIDs := func(p earnings.Page) []int64 {
			var list []int64
			for _, e := range p.Entries {
				if len(e.Items) != 1 || e.Items[0].Note != "motorină" {
					t.Errorf("entry %d has items %v", e.ID, e.Items)
				}
				list = append(list, e.ID)
			}
			return list
		}
		all, err := s.Entries(t.Context(), u.ID, earnings.Filter{}, earnings.Place{Limit: 50})
		if err != nil || all.Count != 11 {
			t.Fatalf("all entries: %d, %v", all.Count, err)
		}
		for i := 1; i < len(all.Entries); i++ {
			if a, b := all.Entries[i-1], all.Entries[i]; a.Date < b.Date || a.Date == b.Date && a.ID < b.ID {
				t.Errorf("entry %d of %v stands before %d of %v", a.ID, a.Date, b.ID, b.Date)
			}
		}
		var got []int64
		var pages []earnings.Page
		for c := new(earnings.Cursor); ; {
			page, err := s.Entries(t.Context(), u.ID, earnings.Filter{}, earnings.Place{Limit: 3, Cursor: c})
			if err != nil || len(pages) > 4 || page.HasPrev != (len(pages) > 0) {
				t.Fatalf("page %d: %+v, %v", len(pages)+1, page, err)
			}
			pages, got = append(pages, page), append(got, entryIDs(page)...)
			if !page.HasNext {
				break
			}
			last := page.Entries[len(page.Entries)-1]
			c = &earnings.Cursor{Date: last.Date, ID: last.ID}
		}
		if !slices.Equal(got, entryIDs(all)) {
			t.Errorf("forward: %v, want %v", got, entryIDs(all))
		}
		for i := len(pages) - 1; i > 0; i-- {
			first := pages[i].Entries[0]
			page, err := s.Entries(t.Context(), u.ID, earnings.Filter{}, earnings.Place{Limit: 3, Cursor: &earnings.Cursor{Date: first.Date, ID: first.ID, Back: true}})
			if err != nil || !slices.Equal(entryIDs(page), entryIDs(pages[i-1])) || page.HasPrev != (i > 1) || !page.HasNext {
				t.Errorf("back from page %d: %v, %v, want %v", i+1, entryIDs(page), err, entryIDs(pages[i-1]))
			}
		}
		// The export reads them the other way round, in batches.
		var exported []int64
		err = s.EachEntry(t.Context(), u.ID, earnings.Filter{}, func(e earnings.Entry) error { exported = append(exported, e.ID); return nil })
		slices.Reverse(exported)
		if err != nil || !slices.Equal(exported, entryIDs(all)) {
			t.Errorf("exported %v, %v, want %v", exported, err, entryIDs(all))
		}
	})
}

func TestEachEntry_Batches(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		u := newUser(t, s, "ana@example.com")
		entries := make([]earnings.Entry, 1001) // two full batches and one more
		for i := range entries {
			entries[i] = anEntry(u.ID, calendar.On(noon)-calendar.Day(i%7))
			entries[i].Items = nil
		}
		if err := s.LoadEntries(t.Context(), entries); err != nil {
			t.Fatal(err)
		}
		seen := map[int64]bool{}
		var last earnings.Entry
		err := s.EachEntry(t.Context(), u.ID, earnings.Filter{}, func(e earnings.Entry) error {
			if e.Date < last.Date || e.Date == last.Date && e.ID <= last.ID || seen[e.ID] {
				t.Fatalf("entry %d of %v after %d of %v", e.ID, e.Date, last.ID, last.Date)
			}
			seen[e.ID], last = true, e
			return nil
		})
		if err != nil || len(seen) != len(entries) {
			t.Errorf("EachEntry gave %d entries, %v, want %d", len(seen), err, len(entries))
		}
	})
}
