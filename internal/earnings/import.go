package earnings

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/ridecopilot/ridecopilot/internal/account"
	"github.com/ridecopilot/ridecopilot/internal/calendar"
	"github.com/ridecopilot/ridecopilot/internal/fault"
)

// Row is a row of a file of entries.
type Row struct {
	ID     int64                       // that the row has in the file; 0 for none
	Change func(*Details) fault.Fields // edits the details of a new entry, or of the one with the ID
}

// Merged is what became of the rows of a file.
type Merged struct {
	Made    int // new entries
	Changed int // entries of the same number that say something else now
	Known   int // entries that are there already
}

// Merge is what a store does with the rows of a file. The entries are the owner's.
type Merge struct {
	IDs      []int64 // that the rows have, perhaps of others
	From, To calendar.Day
	// Decide is given the owner's entries with those IDs, and asks for all those of
	// the days with the hashes of all imported ones. It returns the entries to make, and the
	// entries to change with what they were. It may run again.
	Decide func(named []Entry, near func() ([]Entry, map[int64]string, error)) (made, was, changed []Entry, err error)
}

// Import stores many days' work, all or none. A row with the number of one of the
// actor's entries is that entry, and changes it where it says something else. Any
// other row is a new entry, unless the same row was imported before or the same
// entry is there: as many times as the file has it, no more. refused says what is
// wrong with which of them, by index; when it is not empty nothing was stored.
// Nor was anything when the actor's idempotency key was used before: it was all
// stored then.
func (s *Service) Import(ctx context.Context, by account.Actor, rows []Row) (m Merged, refused map[int]fault.Fields, err error) {
	today, set, err := s.Today(ctx, by)
	if err != nil {
		return Merged{}, nil, err
	}
	i := &importing{s: s, by: by, rows: rows, fresh: make([]Entry, len(rows)), bad: make([]fault.Fields, len(rows))}
	for n, row := range rows {
		e, err := s.newEntry(by, DefaultDetails(today, set.Currency), imported, row.Change)
		if f := fault.As(err); f != nil {
			i.bad[n] = f.Fields
		} else if err != nil {
			return Merged{}, nil, err
		}
		i.fresh[n] = e
	}
	ask := Merge{From: Latest, To: Earliest, Decide: i.decide}
	for n, row := range rows {
		if row.ID > 0 {
			ask.IDs = append(ask.IDs, row.ID)
		}
		if i.bad[n] == nil {
			ask.From, ask.To = min(ask.From, i.fresh[n].Date), max(ask.To, i.fresh[n].Date)
		}
	}
	err = s.store.MergeEntries(ctx, by, ask)
	if len(i.refused) > 0 {
		return Merged{}, i.refused, nil
	}
	return i.merged, nil, err
}

// importing is an import under way.
type importing struct {
	s       *Service
	by      account.Actor
	rows    []Row
	fresh   []Entry        // the rows as new entries
	bad     []fault.Fields // what is wrong with them as such
	merged  Merged
	refused map[int]fault.Fields
}

// errRefused rolls an import back.
var errRefused = fault.New(fault.Invalid, "Some rows are refused.")

func (i *importing) decide(named []Entry, near func() ([]Entry, map[int64]string, error)) (made, was, changed []Entry, err error) {
	i.merged, i.refused = Merged{}, map[int]fault.Fields{}
	mine := map[int64]Entry{}
	for _, e := range named {
		mine[e.ID] = e
	}
	rest := make([]int, 0, len(i.rows)) // that are no entry by their number
	taken := map[int64]bool{}
	for n, row := range i.rows {
		before, ok := mine[row.ID]
		if !ok || taken[row.ID] { // of another account, or copied within the file
			rest = append(rest, n)
			continue
		}
		taken[row.ID] = true
		after, bad := i.revised(before, row.Change)
		switch {
		case len(bad) > 0:
			i.refused[n] = bad
		case reflect.DeepEqual(before, after):
			i.merged.Known++
		default:
			after.Revision++
			after.UpdatedAt = i.s.now()
			was, changed = append(was, before), append(changed, after)
			i.merged.Changed++
		}
	}
	var there *stock
	if len(rest) > 0 { // all entries of the days are many
		entries, hashes, err := near()
		if err != nil {
			return nil, nil, nil, err
		}
		there = newStock(entries, hashes, taken)
	}
	for _, n := range rest {
		if i.bad[n] != nil {
			i.refused[n] = i.bad[n]
			continue
		}
		e := i.fresh[n]
		hash := e.hash()
		if there.take(hash) {
			i.merged.Known++
			continue
		}
		e.ImportHash = &hash
		made = append(made, e)
		i.merged.Made++
	}
	if len(i.refused) > 0 {
		return nil, nil, nil, errRefused
	}
	return made, was, changed, nil
}

// revised is an entry as a row of the file has it.
func (i *importing) revised(before Entry, change func(*Details) fault.Fields) (Entry, fault.Fields) {
	e := before
	e.Items = slices.Clone(before.Items)
	bad := change(&e.Details)
	e.tidy()
	if oneBreak(e.Note) == oneBreak(before.Note) { // tables know one kind of break
		e.Note = before.Note
	}
	e.validate(&before.Details, imported, &bad)
	e.compute(&before, &bad)
	return e, bad
}

// hash is what two rows that say the same have in common, whatever kind of file
// they stand in.
func (d Details) hash() string {
	d = d.plain()
	d.Note = oneBreak(d.Note)
	text, err := json.Marshal(d)
	if err != nil { // texts and numbers
		panic(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func oneBreak(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// stock is the entries that are there already, by what they say and by the row
// that they were imported from. Each is taken once.
type stock struct {
	by   map[string][]int64
	gone map[int64]bool
}

func newStock(near []Entry, hashes map[int64]string, gone map[int64]bool) *stock {
	s := &stock{map[string][]int64{}, maps.Clone(gone)}
	for _, id := range slices.Sorted(maps.Keys(hashes)) { // the very rows first
		s.by[hashes[id]] = append(s.by[hashes[id]], id)
	}
	for _, e := range near {
		hash := e.hash()
		if hashes[e.ID] != hash {
			s.by[hash] = append(s.by[hash], e.ID)
		}
	}
	return s
}

func (s *stock) take(hash string) bool {
	for len(s.by[hash]) > 0 {
		id := s.by[hash][0]
		s.by[hash] = s.by[hash][1:]
		if !s.gone[id] {
			s.gone[id] = true
			return true
		}
	}
	return false
}
