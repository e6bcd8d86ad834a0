package httpapi_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/earnings"
	"github.com/ridecopilot/ridecopilot/internal/fault"
	"github.com/ridecopilot/ridecopilot/internal/fixed"
)

// Files as spreadsheets save them come in, under any of the names that their kind
// has, and do not double.
func TestImport_Spreadsheets(t *testing.T) {
	each(t, func(w *world) {
		files := map[string]string{
			"decimal commas":     "date;platform;app_income\n2026-05-04;Uber;420,00\n",
			"upper case":         "DATE,Platform, App_Income \n2026-05-04,Uber,420\n",
			"days with points":   "date;platform;app_income\n04.05.2026;Uber;420\n",
			"days with slashes":  "date;platform;app_income\n04/05/2026 00:00;Uber;420\n",
			"trailing":           "date;platform;app_income;;\n2026-05-04;Uber;420;;\n;;;;\n",
			"sep of another":     "sep=,\r\ndate,platform,app_income\r\n2026-05-04,Uber,420.00\r\n",
			"quoted sep":         "\"sep=;\"\ndate;platform;app_income\n2026-05-04;Uber;420\n",
			"tab with commas":    "date\tplatform\tapp_income\n2026-05-04\tUber\t420,0\n",
			"a quote in front":   "date,platform,app_income\n'2026-05-04,Uber,'420\n",
			"UTF-16 big endian":  "\xfe\xff\x00d\x00a\x00t\x00e\x00,\x00a\x00p\x00p\x00_\x00i\x00n\x00c\x00o\x00m\x00e\x00,\x00p\x00l\x00a\x00t\x00f\x00o\x00r\x00m\x00\n\x002\x000\x002\x006\x00-\x000\x005\x00-\x000\x004\x00,\x004\x002\x000\x00,\x00U\x00b\x00e\x00r",
			"CR":                 "date,platform,app_income\r2026-05-04,Uber,420\r",
			"CR, a note of two":  "date,platform,app_income,note\r2026-05-04,Uber,420,\"two\nlines\"\r",
			"CR, CRLF in a note": "date,platform,app_income,note\r2026-05-04,Uber,420,\"two\r\nlines\"\r",
			"CR, at last CRLF":   "date,platform,app_income\r2026-05-04,Uber,420\r\n",
			"CR, at last LF":     "date;platform;app_income\r2026-05-04;Uber;420\n",
			"CR, quoted sep":     "\"sep=;\"\rdate;platform;app_income\r2026-05-04;Uber;420\r\n",
			"LF, CR in a note":   "date,platform,app_income,note\n2026-05-04,Uber,420,\"two\rlines\"\n",
			"CRLF, quoted names": "\"date\",\"platform\",\"app_income\",\"note\"\r\n2026-05-04,Uber,420,\"two\rlines\"\r\n",
			"blanks in thousand": "date;platform;app_income\n2026-05-04;Uber;420,00\n\n  ;;\n",
		}
		paths, err := filepath.Glob("testdata/csv/*.csv")
		if err != nil || len(paths) != 7 {
			t.Fatalf("%v, %v", paths, err)
		}
		for _, path := range paths {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files[filepath.Base(path)] = string(raw)
		}
		want := map[string]string{"excel-ro.csv": "420.50", "negative-adjustment.csv": "-12.50"}
		for name, file := range files {
			c := w.person()
			for n, kind := range []string{"text/csv", "application/vnd.ms-excel", "text/plain; charset=utf-8"} {
				r := c.post("/api/calculator/import/", file, "Content-Type", kind).want(200)
				if r.number("accepted") != 1 || r.number("known") != float64(min(n, 1)) || r.number("changed") != 0 {
					w.Errorf("%s: report = %s", name, r.body)
				}
			}
			r := c.get("/api/calculator/").want(200)
			income := "420.00"
			if want[name] != "" {
				income = want[name]
			}
			if r.number("count") != 1 || r.text("results", 0, "app_income") != income || r.text("results", 0, "date") != "2026-05-04" || r.text("results", 0, "platform") != "Uber" {
				w.Errorf("%s: %s", name, r.body)
			}
		}
	})
}

func TestImport_Numbers(t *testing.T) {
	each(t, func(w *world) {
		for _, tt := range []struct{ separator, cell, want string }{
			{";", "1.420,50", "1420.50"},
			{";", "1.420", "1420.00"},
			{";", "1.420.000,5", "1420000.50"},
			{";", "1 420,50", "1420.50"},
			{";", "1\u00a0420,50", "1420.50"},
			{";", "12.50", "12.50"},
			{";", "-12,50", "-12.50"},
			{";", "\u221212,50", "-12.50"},
			{";", "12,505", ""},
			{";", "1,420.50", ""},
			{"\t", "1.420,50", "1420.50"},
			{"\t", "420.50", "420.50"},
			{",", `"1,420.50"`, "1420.50"},
			{",", `"1,420"`, "1420.00"},
			{",", `"420,50"`, ""},
			{",", "12.50", "12.50"},
			{",", "1e3", ""},
			{",", "--5", ""},
			{",", "00000000000000000280", ""},
		} {
			c := w.person()
			file := strings.Join([]string{"date", "app_income"}, tt.separator) + "\n" + strings.Join([]string{"2026-05-04", tt.cell}, tt.separator) + "\n"
			r := c.post("/api/calculator/import/", file, "Content-Type", "text/csv")
			if tt.want == "" {
				r.want(400)
				continue
			}
			r.want(200)
			if got := c.get("/api/calculator/").want(200).text("results", 0, "app_income"); got != tt.want {
				w.Errorf("%q is read as %s, want %s", tt.cell, got, tt.want)
			}
		}
		// Days with slashes are read if the file says which way round they are.
		for file, want := range map[string]string{
			"date,app_income\n5/4/2026,1\n5/31/2026,2\n": "2026-05-31 2026-05-04", "date,app_income\n4/5/2026,1\n31/5/2026,2\n": "2026-05-31 2026-05-04",
			"date,app_income\n5/4/2026,1\n": "", "date,app_income\n5/31/2026,1\n31/5/2026,1\n": "", "date;app_income\n31.02.2026;1\n": "", "date;app_income\n1.2.26;1\n": "",
		} {
			c := w.person()
			r := c.post("/api/calculator/import/", file, "Content-Type", "text/csv")
			if want == "" {
				r.want(400)
				continue
			}
			r.want(200)
			if got := strings.Trim(fmt.Sprint(c.get("/api/calculator/").want(200).results("date")), "[]"); got != want {
				w.Errorf("%q has the days %s, want %s", file, got, want)
			}
		}
	})
}

// What the export writes, in either form, the import reads back; the same file
// twice does not double, and neither does it in another account.
func TestCSV_RoundTrip(t *testing.T) {
	each(t, func(w *world) {
		random := rand.New(rand.NewPCG(1, 2))
		pick := func(list ...string) string { return list[random.IntN(len(list))] }
		amount := func(limit int) fixed.Amount { return fixed.Amount(random.IntN(limit)) }
		c := w.person()
		work := earnings.NewService(w.store, w.store, w.clock.now)
		by := account.Actor{ID: c.id, Source: account.SourceAPI}
		for range 60 {
			_, _, err := work.Create(t.Context(), by, func(d *earnings.Details) fault.Fields {
				d.Date -= calendar.Day(random.IntN(5)) // so that some are alike
				d.Platform = pick("Uber", "Bolt", "", "=1+1", "-x", "'x", "a;b,c \"d\"")
				d.AppIncome = amount(3)*1_234_567 - 1_000_00
				d.Tips, d.Commission, d.Expenses = amount(2)*100_05, amount(3)*33_33, amount(2)*1_420_50
				if random.IntN(2) == 0 {
					d.Hours, d.DistanceKM, d.Trips = new(amount(24_01)), new(amount(1_000_00)), new(random.IntN(30))
				}
				if random.IntN(3) == 0 {
					d.ItemsChanged, d.Items = true, []earnings.ExpenseItem{{Category: "fuel", Amount: amount(100_00), Note: pick("", "a\"b", "x;y", "=z")}}
				}
				d.Note = pick("", "two\nlines", "two\r\nlines", "  blanks ", "'=x", "+40", "1,5;2")
				d.Currency = pick("RON", "EUR")
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		// A row of the older client, such as no other door may write.
		older := by
		older.Source = account.SourceLegacy
		if _, _, err := work.Create(t.Context(), older, func(d *earnings.Details) fault.Fields {
			d.AppIncome, d.Commission, d.Expenses, d.CommissionGiven = -1, 150_00, -5_00, true
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		all := func(c *client) string {
			_, results, _ := strings.Cut(string(c.get("/api/calculator/?page_size=100").want(200).body), `"results"`)
			return results
		}
		said := func(c *client) string {
			file := strings.ReplaceAll(string(c.get("/api/calculator/export.csv").want(200).body), "\r\n", "\n")
			var list []string
			for line := range strings.Lines(file) {
				list = append(list, strings.TrimLeft(line, "0123456789")) // without the number
			}
			slices.Sort(list)
			return strings.Join(list, "")
		}
		before := all(c)
		for _, language := range []string{"en", "ro"} {
			c.patch("/api/settings/", obj{"language": language}).want(200)
			other := w.person()
			for _, format := range []string{"", "?format=csv", "?format=excel"} {
				file := c.get("/api/calculator/export.csv" + format).want(200)
				if !strings.HasPrefix(string(file.body), "\ufeff") {
					w.Errorf("%s has no byte order mark", format)
				}
				excel := format == "?format=excel" && language == "ro"
				if strings.HasPrefix(string(file.body), "\ufeffid;date;") != excel || strings.Contains(string(file.body), ";-1000,00;") != excel {
					w.Errorf("%s in %s: %.200s", format, language, file.body)
				}
				r := c.post("/api/calculator/import/", file.body, "Content-Type", "text/csv").want(200)
				if r.number("known") != 61 || r.number("changed") != 0 || all(c) != before {
					w.Errorf("%s in %s did something: %s", format, language, r.body)
				}
				r = other.post("/api/calculator/import/", file.body, "Content-Type", "text/csv").want(200)
				again := other.post("/api/calculator/import/", file.body, "Content-Type", "text/csv").want(200)
				if r.number("accepted") != 61 || again.number("known") != 61 {
					w.Errorf("%s in %s into another account: %s, %s", format, language, r.body, again.body)
				}
			}
			if got, want := said(other), said(c); got != want {
				w.Errorf("the other account has\n%s\nwant\n%s", got, want)
			}
			if n := other.get("/api/calculator/").want(200).number("count"); n != 61 {
				w.Errorf("%v entries in the other account, want 61", n)
			}
		}
	})
}

// Which rows of a file are there already.
func TestImport_Known(t *testing.T) {
	each(t, func(w *world) {
		c, other := w.person(), w.person()
		load := func(c *client, file string, accepted, known, changed float64) {
			t.Helper()
			r := c.post("/api/calculator/import/", file, "Content-Type", "text/csv").want(200)
			if r.number("accepted") != accepted || r.number("known") != known || r.number("changed") != changed {
				t.Errorf("report = %s, want %v, %v, %v", r.body, accepted, known, changed)
			}
		}
		count := func(c *client, want float64) {
			t.Helper()
			if n := c.get("/api/calculator/").want(200).number("count"); n != want {
				t.Errorf("%v entries, want %v", n, want)
			}
		}
		const head = "date,platform,app_income\n"
		const one, two = "2026-05-04,Uber,10\n", "2026-05-05,Bolt,20\n"
		load(c, head+one+one+two, 3, 0, 0) // two alike are two
		load(c, head+one+one+two, 3, 3, 0)
		load(c, head+one+one+one+two, 4, 3, 0) // a third is new
		load(c, "date;platform;app_income\n04.05.2026;Uber;10,00\n", 1, 1, 0)
		count(c, 4)
		// What was imported and then edited is not made again.
		id := c.get("/api/calculator/").want(200).number("results", 0, "id")
		c.patch(fmt.Sprintf("/api/calculator/%.0f/", id), obj{"app_income": "21", "date": "2026-01-01"}).want(200)
		load(c, head+two, 1, 1, 0)
		// What was entered by hand is not made again either.
		hand := c.post("/api/calculator/", obj{"date": "2026-05-06", "app_income": "30", "platform": "Uber"}).want(201).number("id")
		load(c, head+"2026-05-06,Uber,30.00\n", 1, 1, 0)
		count(c, 5)
		// What was deleted is.
		c.delete(fmt.Sprintf("/api/calculator/%.0f/", hand), nil).want(204)
		load(c, head+"2026-05-06,Uber,30.00\n", 1, 0, 0)
		count(c, 5)
		// A row with a number of one's own is that entry, the first time; columns that
		// are not there stay.
		mine := c.post("/api/calculator/", obj{"date": "2026-05-07", "app_income": "40", "note": "keep", "tips": "1"}).want(201).number("id")
		row := func(id float64, rest string) string { return fmt.Sprintf("%.0f,%s\n", id, rest) }
		const numbered = "id,date,app_income,tips\n"
		load(c, numbered+row(mine, "2026-05-07,41,"), 1, 0, 1)
		load(c, numbered+row(mine, "2026-05-07,41,"), 1, 1, 0)
		r := c.get(fmt.Sprintf("/api/calculator/%.0f/", mine)).want(200)
		if r.text("app_income") != "41.00" || r.text("note") != "keep" || r.text("tips") != "0.00" || r.text("earnings") != "41.00" {
			t.Errorf("%s", r.body)
		}
		load(c, numbered+row(mine, "2026-05-07,41,")+row(mine, "2026-05-08,42,"), 2, 1, 0)
		load(c, numbered+row(mine, "2026-05-07,41,")+row(mine, "2026-05-08,42,"), 2, 2, 0)
		count(c, 7)
		// A number of another account is none, and changes nothing there.
		load(other, numbered+row(mine, "2026-05-07,99,"), 1, 0, 0)
		load(other, numbered+row(mine, "2026-05-07,99,"), 1, 1, 0)
		load(other, numbered+"x,2026-05-08,99,\n-1,2026-05-09,99,\n0,2026-05-10,99,\n", 3, 0, 0)
		count(other, 4)
		if got := c.get(fmt.Sprintf("/api/calculator/%.0f/", mine)).want(200).text("app_income"); got != "41.00" {
			t.Errorf("another account has changed it to %s", got)
		}
		// Twice at once is once.
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { // one that has lost a race is told to come back
				c.do("POST", "/api/calculator/import/", head+"2026-06-01,Uber,1\n2026-06-01,Uber,1\n", "Content-Type", "text/csv")
			})
		}
		wg.Wait()
		load(c, head+"2026-06-01,Uber,1\n2026-06-01,Uber,1\n", 2, 2, 0)
		count(c, 9)
		// All or none, also of changes.
		c.post("/api/calculator/import/", numbered+row(mine, "2026-05-07,50,")+row(mine+1000, "2026-05-07,x,"), "Content-Type", "text/csv").want(400)
		if got := c.get(fmt.Sprintf("/api/calculator/%.0f/", mine)).want(200).text("app_income"); got != "41.00" {
			t.Errorf("a refused file has changed it to %s", got)
		}
	})
}
