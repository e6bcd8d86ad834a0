package earnings_test

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
	"github.com/ridecopilot/ridecopilot/internal/store"
	"github.com/ridecopilot/ridecopilot/internal/store/storetest"
)

func TestEarnings(t *testing.T) {
	tests := []struct{ income, commission, tips, expenses, want fixed.Amount }{
		{0, 0, 0, 0, 0},
		{100_00, 25_00, 10_00, 30_00, 55_00},
		{100_00, 100_00, 0, 0, 0},
		{100_00, 0, 0, 150_00, -50_00},
		{1, 50_00, 0, 0, 0}, // half a cent, to even
		{3, 50_00, 0, 0, 2},
		{5, 50_00, 0, 0, 2},
		{1, 50_00, 0, 1, 0}, // minus half a cent
		{1, 50_00, 0, 2, -2},
		{333, 33_33, 0, 0, 222},
		{fixed.Max, 0, fixed.Max, 0, 2 * fixed.Max},
		{fixed.Max, 100_00, 0, fixed.Max, -fixed.Max},
	}
	for _, tt := range tests {
		if got := earnings.Earnings(tt.income, tt.commission, tt.tips, tt.expenses); got != tt.want {
			t.Errorf("Earnings(%v, %v %%, %v, %v) = %v, want %v", tt.income, tt.commission, tt.tips, tt.expenses, got, tt.want)
		}
	}
}

// exact is the formula in fractions, rounded half to even to the cent.
func exact(income, commission, tips, expenses fixed.Amount) fixed.Amount {
	cut := new(big.Rat).Mul(big.NewRat(int64(income), 1), big.NewRat(int64(commission), 100*100))
	r := new(big.Rat).Sub(big.NewRat(int64(income+tips-expenses), 1), cut)
	floor := new(big.Int).Div(r.Num(), r.Denom())
	rest := new(big.Rat).Sub(r, new(big.Rat).SetInt(floor))
	if c := rest.Cmp(big.NewRat(1, 2)); c > 0 || c == 0 && floor.Bit(0) == 1 {
		floor.Add(floor, big.NewInt(1))
	}
	return fixed.Amount(floor.Int64())
}

func FuzzEarnings(f *testing.F) {
	f.Add(int64(10000), int64(2500), int64(0), int64(0))
	f.Add(int64(1), int64(5000), int64(0), int64(1))
	f.Add(int64(fixed.Max), int64(1), int64(fixed.Max), int64(fixed.Max))
	f.Add(int64(-500), int64(3333), int64(7), int64(-9)) // entries of the older database may be negative
	f.Fuzz(func(t *testing.T, income, commission, tips, expenses int64) {
		bound := func(n int64) fixed.Amount { return fixed.Amount(n % int64(fixed.Max+1)) }
		i, c, tp, e := bound(income), fixed.Amount(((commission%10_001)+10_001)%10_001), bound(tips), bound(expenses)
		if got, want := earnings.Earnings(i, c, tp, e), exact(i, c, tp, e); got != want {
			t.Errorf("Earnings(%v, %v %%, %v, %v) = %v, want %v", i, c, tp, e, got, want)
		}
	})
}

func TestRates(t *testing.T) {
	s := earnings.Sums{Earnings: 100_00, Hours: 3_00, DistanceKM: 80_00, Trips: 7}
	if got := [3]fixed.Amount{*s.PerHour(), *s.PerKM(), *s.PerTrip()}; got != [3]fixed.Amount{33_33, 1_25, 14_29} {
		t.Errorf("rates = %v, want 33.33, 1.25, 14.29", got)
	}
	if (earnings.Sums{Earnings: 5}).PerHour() != nil || (earnings.Sums{}).PerKM() != nil || (earnings.Sums{}).PerTrip() != nil {
		t.Error("a rate of nothing is no number")
	}
}

// desk is a service for one driver, with a clock.
type desk struct {
	*earnings.Service
	s  *store.Store
	by account.Actor
	at time.Time
}

func newDesk(t *testing.T, s *store.Store, zone string, at time.Time) *desk {
	t.Helper()
	set := account.DefaultSettings()
	set.TimeZone = zone
	u, err := s.CreateUser(t.Context(), account.Actor{}, account.User{Name: "Ana", Email: "ana@example.com", PasswordHash: "x", Active: true, CreatedAt: at, UpdatedAt: at}, set, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{s: s, by: account.Actor{ID: u.ID, Source: account.SourceAPI}, at: at}
	d.Service = earnings.NewService(s, s, func() time.Time { return d.at })
	return d
}

func (d *desk) work(t *testing.T, change func(*earnings.Details)) earnings.Entry {
	t.Helper()
	e, _, err := d.Create(t.Context(), d.by, func(det *earnings.Details) fault.Fields { change(det); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func day(t *testing.T, s string) calendar.Day {
	t.Helper()
	d, err := calendar.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// An entry without a date is of the day on the driver's own wall, whatever the
// clocks did that day, and counts among the last day's and no other's.
func TestCreate_DefaultDate(t *testing.T) {
	tests := []struct{ zone, local, want string }{
		{"Europe/Bucharest", "2026-05-04T23:30:00", "2026-05-04"},
		{"Europe/Bucharest", "2026-05-05T00:00:00", "2026-05-05"},
		{"Europe/Bucharest", "2026-03-28T23:30:00", "2026-03-28"},
		{"Europe/Bucharest", "2026-03-29T00:30:00", "2026-03-29"}, // of 23 hours
		{"Europe/Bucharest", "2026-03-29T23:30:00", "2026-03-29"},
		{"Europe/Bucharest", "2026-03-30T00:30:00", "2026-03-30"},
		{"Europe/Bucharest", "2026-10-24T23:30:00", "2026-10-24"},
		{"Europe/Bucharest", "2026-10-25T00:30:00", "2026-10-25"}, // of 25 hours
		{"Europe/Bucharest", "2026-10-25T23:30:00", "2026-10-25"},
		{"Europe/Bucharest", "2026-10-26T00:30:00", "2026-10-26"},
		{"Europe/Bucharest", "2026-12-31T23:59:59", "2026-12-31"},
		{"Pacific/Auckland", "2026-05-04T23:30:00", "2026-05-04"},
		{"Pacific/Auckland", "2026-05-05T00:30:00", "2026-05-05"},
		{"Pacific/Auckland", "2026-09-27T23:30:00", "2026-09-27"},
		{"Pacific/Auckland", "2026-04-05T00:30:00", "2026-04-05"},
		{"America/New_York", "2026-03-08T23:30:00", "2026-03-08"},
		{"America/New_York", "2026-11-01T00:30:00", "2026-11-01"},
		{"America/New_York", "2026-11-01T23:30:00", "2026-11-01"},
	}
	for _, tt := range tests {
		loc, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.ParseInLocation("2006-01-02T15:04:05", tt.local, loc)
		if err != nil {
			t.Fatal(err)
		}
		d := newDesk(t, storetest.New(t), tt.zone, at)
		e := d.work(t, func(det *earnings.Details) { det.AppIncome = 100_00 })
		if e.Date.String() != tt.want || e.Currency != "RON" {
			t.Errorf("%s in %s: the entry is of %v in %s, want %s in RON", tt.local, tt.zone, e.Date, e.Currency, tt.want)
		}
		sum, err := d.Summary(t.Context(), d.by, earnings.Period{Days: 1}, earnings.ByDay, nil, "")
		if err != nil || sum.From.String() != tt.want || sum.To != sum.From || sum.Totals.Entries != 1 {
			t.Errorf("%s in %s: the last day is %v to %v with %d entries, %v", tt.local, tt.zone, sum.From, sum.To, sum.Totals.Entries, err)
		}
	}
}

// The clocks change within these weeks: every day is there, once.
func TestSummary_SeriesOverClockChanges(t *testing.T) {
	for _, today := range []string{"2026-04-02", "2026-10-31", "2024-03-02", "2027-01-03"} {
		d := newDesk(t, storetest.New(t), "Europe/Bucharest", day(t, today).UTC().Add(12*time.Hour))
		for _, g := range []earnings.Group{earnings.ByDay, earnings.ByWeek, earnings.ByMonth} {
			for _, n := range []int{1, 7, 30, 90, 366} {
				sum, err := d.Summary(t.Context(), d.by, earnings.Period{Days: n}, g, nil, "")
				if err != nil {
					t.Fatal(err)
				}
				checkSeries(t, sum, n)
				if sum.To.String() != today || sum.PreviousTo != sum.From-1 || int(sum.PreviousTo-sum.PreviousFrom) != n-1 {
					t.Errorf("%s, %d days: %v to %v, before %v to %v", today, n, sum.From, sum.To, sum.PreviousFrom, sum.PreviousTo)
				}
			}
		}
	}
}

// checkSeries holds the steps of a series to the period: without a gap, without
// an overlap, clipped at both ends, and begun where weeks and months begin.
func checkSeries(t *testing.T, sum earnings.Summary, days int) {
	t.Helper()
	next := sum.From
	for i, st := range sum.Series {
		if st.From != next || st.To < st.From || st.To > sum.To {
			t.Errorf("%s step %d is %v to %v, want it to begin on %v", sum.Group, i, st.From, st.To, next)
		}
		if i > 0 && (sum.Group == earnings.ByWeek && st.From.Week() != st.From || sum.Group == earnings.ByMonth && st.From.Month() != st.From) {
			t.Errorf("%s step %d begins on %v", sum.Group, i, st.From)
		}
		if sum.Group == earnings.ByDay && st.From != st.To || sum.Group == earnings.ByWeek && st.From.Week() != st.To.Week() || sum.Group == earnings.ByMonth && st.From.Month() != st.To.Month() {
			t.Errorf("%s step %d is %v to %v", sum.Group, i, st.From, st.To)
		}
		next = st.To + 1
	}
	if next != sum.To+1 || int(sum.To-sum.From)+1 != days || sum.Group == earnings.ByDay && len(sum.Series) != days {
		t.Errorf("a series of %d steps by %s covers %v to %v, want %d days", len(sum.Series), sum.Group, sum.From, next-1, days)
	}
}

// Whatever is put in, the totals, the steps, the platforms and the categories
// add up to the cent, on both engines.
func TestSummary_AddsUp(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := newDesk(t, s, "Europe/Bucharest", time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC))
		today := day(t, "2026-05-04")
		r := rand.New(rand.NewPCG(1, 2))
		want := map[bool]earnings.Sums{}
		var rows []earnings.Row
		for range 150 {
			income, tips, expenses := fixed.Amount(r.Int64N(100_000)), fixed.Amount(r.Int64N(2_000)), fixed.Amount(r.Int64N(20_000))
			commission, date := fixed.Amount(r.Int64N(10_001)), today-calendar.Day(r.IntN(60))
			platform := []string{"Uber", "UBER", "Bolt", "", "Șofer", "sofer"}[r.IntN(6)]
			items := r.IntN(2) == 0
			hours, trips := fixed.Amount(r.Int64N(1_200)), r.IntN(30)
			rows = append(rows, earnings.Row{Change: func(det *earnings.Details) fault.Fields {
				det.Date, det.AppIncome, det.Tips, det.Expenses, det.Commission, det.Platform = date, income, tips, expenses, commission, platform
				det.Hours, det.Trips = &hours, &trips
				if items {
					det.Items, det.ItemsChanged = []earnings.ExpenseItem{{Category: "fuel", Amount: expenses / 3}, {Category: "other", Amount: expenses - expenses/3}}, true
				}
				return nil
			}})
			sums := want[date > today-30]
			sums.Add(earnings.Sums{
				Entries: 1, AppIncome: income, Tips: tips, Expenses: expenses, Earnings: exact(income, commission, tips, expenses), Hours: hours, Trips: trips,
			})
			want[date > today-30] = sums
		}
		_, refused, err := d.Import(t.Context(), d.by, rows)
		if err != nil || len(refused) > 0 {
			t.Fatal(refused, err)
		}
		d.work(t, func(det *earnings.Details) { det.AppIncome, det.Currency = 777_00, "EUR" })
		for _, g := range []earnings.Group{earnings.ByDay, earnings.ByWeek, earnings.ByMonth} {
			sum, err := d.Summary(t.Context(), d.by, earnings.Period{Days: 30}, g, nil, "")
			if err != nil {
				t.Fatal(err)
			}
			checkSeries(t, sum, 30)
			if sum.Totals != want[true] || sum.Previous != want[false] {
				t.Errorf("totals %+v, before %+v, want %+v and %+v", sum.Totals, sum.Previous, want[true], want[false])
			}
			var steps, platforms earnings.Sums
			var commission, stepCommission, categories fixed.Amount
			for _, st := range sum.Series {
				steps.Add(st.Sums)
				stepCommission += st.CommissionAmount()
			}
			for _, p := range sum.Platforms {
				platforms.Add(p.Sums)
			}
			for _, c := range sum.ExpenseItems {
				categories += c.Amount
			}
			commission = sum.Totals.CommissionAmount()
			if steps != sum.Totals || platforms != sum.Totals || categories != sum.Totals.Expenses || stepCommission != commission {
				t.Errorf("by %s: steps %+v, platforms %+v, categories %v, want %+v", g, steps, platforms, categories, sum.Totals)
			}
			if sum.Totals.AppIncome-commission+sum.Totals.Tips-sum.Totals.Expenses != sum.Totals.Earnings {
				t.Errorf("income − commission %v + tips − expenses is not the earnings: %+v", commission, sum.Totals)
			}
			if len(sum.Platforms) != 4 { // spellings of one name are one
				t.Errorf("platforms %+v, want 4", sum.Platforms)
			}
			if len(sum.OtherCurrencies) != 1 || sum.OtherCurrencies[0].Currency != "EUR" || sum.OtherCurrencies[0].AppIncome != 777_00 {
				t.Errorf("other currencies %+v, want EUR told apart", sum.OtherCurrencies)
			}
		}
		for _, name := range []string{"uber", "ŞOFER", ""} {
			sum, err := d.Summary(t.Context(), d.by, earnings.Period{Days: 30}, earnings.ByDay, &name, "")
			if err != nil || len(sum.Platforms) != 1 || sum.Totals.Entries == 0 || sum.Platforms[0].Sums != sum.Totals {
				t.Errorf("summary of %q: %+v, %v", name, sum.Platforms, err)
			}
		}
		sum, err := d.Summary(t.Context(), d.by, earnings.Period{Days: 30}, earnings.ByDay, nil, "EUR")
		if err != nil || sum.Currency != "EUR" || sum.Totals.AppIncome != 777_00 || len(sum.OtherCurrencies) != 1 || sum.OtherCurrencies[0].Currency != "RON" {
			t.Errorf("in EUR: %+v, %v", sum.Totals, err)
		}
	})
}

// The count is of all that the filter leaves, also on a page without entries.
func TestEntries_Count(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := newDesk(t, s, "Europe/Bucharest", time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC))
		uber, none := "Uber", "Bolt"
		for i := range 5 {
			d.work(t, func(det *earnings.Details) {
				det.AppIncome, det.Date = 1_00, day(t, "2026-05-01")+calendar.Day(i)
				if i%2 == 0 {
					det.Platform = uber
				}
			})
		}
		tests := []struct {
			f             earnings.Filter
			offset        int
			count, listed int
			next          bool
		}{
			{earnings.Filter{}, 0, 5, 2, true},
			{earnings.Filter{}, 4, 5, 1, false},
			{earnings.Filter{}, 6, 5, 0, false},
			{earnings.Filter{Platform: &uber}, 0, 3, 2, true},
			{earnings.Filter{Platform: &uber}, 2, 3, 1, false},
			{earnings.Filter{Platform: &uber}, 4, 3, 0, false},
			{earnings.Filter{Platform: &none}, 0, 0, 0, false},
		}
		for _, tt := range tests {
			p, err := d.Entries(t.Context(), d.by, tt.f, earnings.Place{Limit: 2, Offset: tt.offset})
			if err != nil || p.Count != tt.count || len(p.Entries) != tt.listed || p.HasNext != tt.next {
				t.Errorf("from %d: %d of %d entries, next %t, %v; want %d of %d", tt.offset, len(p.Entries), p.Count, p.HasNext, err, tt.listed, tt.count)
			}
		}
	})
}

func TestPeriod(t *testing.T) {
	d := newDesk(t, storetest.New(t), "Europe/Bucharest", time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC))
	on := func(s string) *calendar.Day { v := day(t, s); return &v }
	tests := []struct {
		p        earnings.Period
		from, to string
	}{
		{earnings.Period{}, "2026-04-05", "2026-05-04"},
		{earnings.Period{Days: 7}, "2026-04-28", "2026-05-04"},
		{earnings.Period{From: on("2026-05-01")}, "2026-05-01", "2026-05-04"},
		{earnings.Period{To: on("2026-01-31")}, "2026-01-02", "2026-01-31"},
		{earnings.Period{From: on("2025-01-01"), To: on("2025-12-31")}, "2025-01-01", "2025-12-31"},
		{earnings.Period{From: on("2026-05-04"), To: on("2026-05-04")}, "2026-05-04", "2026-05-04"},
		{earnings.Period{From: on("2026-05-05"), To: on("2026-05-04")}, "", ""},
		{earnings.Period{From: on("2010-01-01")}, "", ""},
	}
	for _, tt := range tests {
		sum, err := d.Summary(t.Context(), d.by, tt.p, earnings.ByMonth, nil, "")
		if tt.from == "" {
			if !errors.Is(err, fault.Invalid) {
				t.Errorf("%+v: %v, want %v", tt.p, err, fault.Invalid)
			}
			continue
		}
		if err != nil || sum.From.String() != tt.from || sum.To.String() != tt.to {
			t.Errorf("%+v: %v to %v, %v, want %s to %s", tt.p, sum.From, sum.To, err, tt.from, tt.to)
		}
	}
}

func ptr[T any](v T) *T { return &v }

func TestCreate_Rules(t *testing.T) {
	tests := []struct {
		name   string
		change func(*earnings.Details)
		fields []string
	}{
		{"plain", func(*earnings.Details) {}, nil},
		{"commission of 100 %", func(d *earnings.Details) { d.Commission = 100_00 }, nil},
		{"commission over 100 %", func(d *earnings.Details) { d.Commission = 100_01 }, []string{"commission"}},
		{"currency", func(d *earnings.Details) { d.Currency = "eur" }, nil},
		{"bad currency", func(d *earnings.Details) { d.Currency = "EURO" }, []string{"currency"}},
		{"trips", func(d *earnings.Details) { d.Trips = ptr(earnings.MaxTrips) }, nil},
		{"too many trips", func(d *earnings.Details) { d.Trips = ptr(earnings.MaxTrips + 1) }, []string{"trips"}},
		{"negative trips", func(d *earnings.Details) { d.Trips = ptr(-1) }, []string{"trips"}},
		{"control character", func(d *earnings.Details) { d.Platform, d.Note = "a\x00b", "a\x00" }, []string{"platform", "note"}},
		{"items", func(d *earnings.Details) {
			d.Items, d.ItemsChanged, d.Expenses = []earnings.ExpenseItem{{Category: "fuel", Amount: 10}, {Category: "wash", Amount: 5}}, true, 99
		}, nil},
		{"bad item", func(d *earnings.Details) {
			d.Items, d.ItemsChanged = []earnings.ExpenseItem{{Category: "fuel"}, {Category: "bribe", Note: "\x00"}}, true
		}, []string{"expense_items[1].category", "expense_items[1].note"}},
		{"too many items", func(d *earnings.Details) {
			d.Items, d.ItemsChanged = make([]earnings.ExpenseItem, earnings.MaxItems+1), true
		}, []string{"expense_items"}},
		{"items of too much", func(d *earnings.Details) {
			d.Items, d.ItemsChanged = []earnings.ExpenseItem{{Category: "fuel", Amount: fixed.Max}, {Category: "wash", Amount: 1}}, true
		}, []string{"expense_items"}},
	}
	d := newDesk(t, storetest.New(t), "Europe/Bucharest", time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC))
	for _, tt := range tests {
		e, _, err := d.Create(t.Context(), d.by, func(det *earnings.Details) fault.Fields { det.AppIncome = 100_00; tt.change(det); return nil })
		var bad []string
		if f := fault.As(err); f != nil {
			for _, field := range f.Fields {
				bad = append(bad, field.Field)
			}
		} else if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(bad, tt.fields) {
			t.Errorf("%s: %v is bad, want %v", tt.name, bad, tt.fields)
		}
		if tt.name == "items" && (e.Expenses != 15 || e.Earnings != 99_85) {
			t.Errorf("with items the expenses are %v, the earnings %v, want their sum", e.Expenses, e.Earnings)
		}
	}
}

func TestRevise(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := newDesk(t, s, "Europe/Bucharest", time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC))
		e := d.work(t, func(det *earnings.Details) {
			det.AppIncome, det.Commission = 100_00, 25_00
			det.Items, det.ItemsChanged = []earnings.ExpenseItem{{Category: "fuel", Amount: 10_00}}, true
		})
		if _, err := s.Writer().ExecContext(t.Context(), `UPDATE entry SET legacy_earnings = 1`); err != nil {
			t.Fatal(err)
		}
		revise := func(change func(*earnings.Details)) (earnings.Entry, error) {
			return d.Revise(t.Context(), d.by, e.ID, nil, func(det *earnings.Details) fault.Fields { change(det); return nil })
		}
		// The formula runs on every write, and ends what the older client said.
		got, err := revise(func(det *earnings.Details) { det.Tips = 5_00 })
		if err != nil || got.Earnings != 70_00 || got.LegacyEarnings == nil || *got.LegacyEarnings != 70_00 || len(got.Items) != 1 || got.Revision != 2 {
			t.Errorf("after new tips: %+v, %v", got, err)
		}
		_, err = revise(func(det *earnings.Details) { det.Expenses = 1 })
		if f := fault.As(err); f == nil || !f.Fields.Has("expenses") {
			t.Errorf("a total beside items: %v, want a refusal", err)
		}
		got, err = revise(func(det *earnings.Details) { det.Items, det.ItemsChanged, det.Expenses = nil, true, 20_00 })
		if err != nil || len(got.Items) != 0 || got.Earnings != 60_00 {
			t.Errorf("a total instead of items: %+v, %v", got, err)
		}
		if again, err := d.Entry(t.Context(), d.by, e.ID); err != nil || again.Earnings != 60_00 || len(again.Items) != 0 || *again.LegacyEarnings != 60_00 {
			t.Errorf("read again: %+v, %v", again, err)
		}
		// The older client's own total is kept as it is sent, for that client.
		legacy := func(total *earnings.LegacyTotal, income fixed.Amount) earnings.Entry {
			got, err := revise(func(det *earnings.Details) { det.AppIncome, det.Legacy = income, total })
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		rounded := fixed.Amount(61_00)
		if got := legacy(&earnings.LegacyTotal{Sent: true, Value: &rounded}, 101_00); *got.LegacyEarnings != 61_00 || got.Earnings != 60_75 {
			t.Errorf("with a total of its own: %+v", got)
		}
		if got := legacy(&earnings.LegacyTotal{}, 102_00); *got.LegacyEarnings != 61_00 {
			t.Errorf("without saying anything of it: %+v", got)
		}
		if got := legacy(&earnings.LegacyTotal{Sent: true}, 102_00); got.LegacyEarnings != nil {
			t.Errorf("taken back: %+v", got)
		}
		_, err = d.Revise(t.Context(), d.by, e.ID, account.AtVersion(1), func(*earnings.Details) fault.Fields { return nil })
		if !errors.Is(err, fault.Stale) {
			t.Errorf("an older version: %v, want %v", err, fault.Stale)
		}
		_, refused, err := d.Import(t.Context(), d.by, []earnings.Row{
			{Change: func(*earnings.Details) fault.Fields { return nil }},
			{Change: func(det *earnings.Details) fault.Fields { det.Commission = earnings.MaxCommission + 1; return nil }},
		})
		if err != nil || len(refused) != 1 || !refused[1].Has("commission") {
			t.Errorf("an import with one bad line: %v, %v", refused, err)
		}
		if p, err := d.Entries(t.Context(), d.by, earnings.Filter{}, earnings.Place{Limit: 9}); err != nil || p.Count != 1 {
			t.Errorf("after a refused import there are %d entries, %v, want 1", p.Count, err)
		}
	})
}

// An edit that says the same leaves the older client's own total, and what that
// client tells apart.
func TestRevise_Same(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := newDesk(t, s, "Europe/Bucharest", time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC))
		older, rounded := d.by, fixed.Amount(61_00)
		older.Source = account.SourceLegacy
		e, _, err := d.Create(t.Context(), older, func(det *earnings.Details) fault.Fields {
			det.AppIncome, det.Legacy = 60_75, &earnings.LegacyTotal{Sent: true, Value: &rounded}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, change := range map[string]func(*earnings.Details){
			"nothing": func(*earnings.Details) {},
			"everything": func(det *earnings.Details) {
				blank, err := d.Blank(t.Context(), d.by)
				if err != nil {
					t.Error(err)
				}
				date := det.Date
				*det = blank
				det.Date, det.AppIncome, det.Items, det.ItemsChanged = date, 60_75, []earnings.ExpenseItem{}, true
				det.CommissionGiven, det.ExpensesGiven = true, true
			},
		} {
			got, err := d.Revise(t.Context(), d.by, e.ID, nil, func(det *earnings.Details) fault.Fields { change(det); return nil })
			if err != nil || got.LegacyEarnings == nil || *got.LegacyEarnings != rounded || got.CommissionGiven || got.ExpensesGiven || got.Revision != 1 {
				t.Errorf("%s sent again: %+v, %v", name, got, err)
			}
			m, refused, err := d.Import(t.Context(), d.by, []earnings.Row{{ID: e.ID, Change: func(det *earnings.Details) fault.Fields { change(det); return nil }}})
			if err != nil || len(refused) > 0 || m != (earnings.Merged{Known: 1}) {
				t.Errorf("%s imported again: %+v, %v, %v", name, m, refused, err)
			}
		}
	})
}

// Rows of the older client, moved and imported ones may hold what others may not.
// What is left alone is not looked at again.
func TestSumsOfOthers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := newDesk(t, s, "Europe/Bucharest", time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC))
		older := d.by
		older.Source = account.SourceLegacy
		odd := func(det *earnings.Details) fault.Fields {
			det.AppIncome, det.Tips, det.Commission, det.Expenses, det.Hours = -10_00, -1_00, 150_00, -3_00, nil
			return nil
		}
		if _, _, err := d.Create(t.Context(), d.by, odd); fault.As(err) == nil || len(fault.As(err).Fields) != 3 {
			t.Errorf("by the product's own API: %v, want tips, commission and expenses refused", err)
		}
		e, _, err := d.Create(t.Context(), older, odd)
		if err != nil || e.Earnings != -10_00+15_00-1_00+3_00 {
			t.Fatalf("%v, %v", e.Earnings, err)
		}
		revise := func(by account.Actor, change func(*earnings.Details)) error {
			_, err := d.Revise(t.Context(), by, e.ID, nil, func(det *earnings.Details) fault.Fields { change(det); return nil })
			return err
		}
		if err := revise(d.by, func(det *earnings.Details) { det.Note = "x" }); err != nil {
			t.Errorf("with the sums left alone: %v", err)
		}
		for name, change := range map[string]func(*earnings.Details){
			"tips":       func(det *earnings.Details) { det.Tips = -2_00 },
			"commission": func(det *earnings.Details) { det.Commission = 151_00 },
			"expenses":   func(det *earnings.Details) { det.Expenses = -4_00 },
		} {
			if err := revise(d.by, change); fault.As(err) == nil || !fault.As(err).Fields.Has(name) {
				t.Errorf("%s: %v, want it refused", name, err)
			}
			if err := revise(older, change); err != nil {
				t.Errorf("%s: %v, want the older client to change it", name, err)
			}
		}
		_, refused, err := d.Import(t.Context(), d.by, []earnings.Row{{Change: func(det *earnings.Details) fault.Fields {
			det.Tips, det.Expenses, det.Commission = -1, -1, -1
			return nil
		}}})
		if err != nil || len(refused) != 0 {
			t.Errorf("imported: %v, %v", refused, err)
		}
		for commission, taken := range map[fixed.Amount]bool{
			150_00: true, -150_00: true, earnings.MaxCommission: true, -earnings.MaxCommission: true, earnings.MaxCommission + 1: false, -earnings.MaxCommission - 1: false,
		} {
			_, refused, err := d.Import(t.Context(), d.by, []earnings.Row{{Change: func(det *earnings.Details) fault.Fields { det.Commission = commission; return nil }}})
			if err != nil || refused[0].Has("commission") == taken {
				t.Errorf("imported with a commission of %v %%: %v, %v, want it taken: %t", commission, refused, err, taken)
			}
		}
		// The hours of a day, likewise.
		long := fixed.Amount(24_01)
		if _, _, err := d.Create(t.Context(), older, func(det *earnings.Details) fault.Fields { det.Hours = &long; return nil }); fault.As(err) == nil || !fault.As(err).Fields.Has("hours") {
			t.Errorf("24.01 hours: %v", err)
		}
		if _, err := s.Writer().ExecContext(t.Context(), `UPDATE entry SET hours = 3000`); err != nil {
			t.Fatal(err)
		}
		if err := revise(d.by, func(det *earnings.Details) { det.Note = "y" }); err != nil {
			t.Errorf("an older row of 30 hours: %v", err)
		}
	})
}

// An operator finds anybody's entry by its number alone.
func TestFind_B9(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := newDesk(t, s, "Europe/Bucharest", time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC))
		e, _, err := d.Create(t.Context(), d.by, func(*earnings.Details) fault.Fields { return nil })
		if err != nil {
			t.Fatal(err)
		}
		operator := account.Actor{ID: d.by.ID + 1, Source: account.SourceAdmin, Manages: true}
		if got, err := d.Find(t.Context(), operator, e.ID); err != nil || got.ID != e.ID || got.OwnerID != d.by.ID {
			t.Errorf("Find = %+v, %v", got, err)
		}
		if _, err := d.Find(t.Context(), operator, 4711); !errors.Is(err, earnings.ErrNotFound) {
			t.Errorf("Find of none = %v, want %v", err, earnings.ErrNotFound)
		}
		if _, err := d.Find(t.Context(), d.by, e.ID); !errors.Is(err, earnings.ErrNotFound) {
			t.Errorf("Find by the owner = %v, want %v", err, earnings.ErrNotFound)
		}
	})
}
