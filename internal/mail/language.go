package mail

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// language is what the words need that a template cannot say.
type language struct {
	months [12]string
	types  map[string]string // of documents
	days   func(n int) string
	today  string
	ahead  string // with %s for a number of days
	ago    string
}

var languages = map[string]language{
	"en": {
		months: [12]string{
			"January", "February", "March", "April", "May", "June",
			"July", "August", "September", "October", "November", "December",
		},
		types: map[string]string{
			"driving_license": "driving licence", "registration": "vehicle registration", "insurance": "insurance",
			"inspection": "technical inspection", "taxi_permit": "taxi permit", "badge": "badge",
			"medical": "medical certificate", "criminal_record": "criminal record certificate",
			"contract": "contract", "other": "document",
		},
		days:  englishDays,
		today: "today", ahead: "in %s", ago: "%s ago",
	},
	"ro": {
		months: [12]string{
			"ianuarie", "februarie", "martie", "aprilie", "mai", "iunie",
			"iulie", "august", "septembrie", "octombrie", "noiembrie", "decembrie",
		},
		types: map[string]string{
			"driving_license": "permis de conducere", "registration": "certificat de înmatriculare", "insurance": "asigurare",
			"inspection": "inspecție tehnică (ITP)", "taxi_permit": "autorizație de taxi", "badge": "ecuson",
			"medical": "aviz medical", "criminal_record": "cazier judiciar",
			"contract": "contract", "other": "document",
		},
		days:  romanianDays,
		today: "astăzi", ahead: "peste %s", ago: "acum %s",
	},
}

func (l language) day(t time.Time) string {
	return fmt.Sprintf("%d %s %d", t.Day(), l.months[t.Month()-1], t.Year())
}

// when is the distance of a day from today.
func (l language) when(days int) string {
	switch {
	case days == 0:
		return l.today
	case days < 0:
		return fmt.Sprintf(l.ago, l.days(-days))
	}
	return fmt.Sprintf(l.ahead, l.days(days))
}

// label names a document by its title and type, or by the one that is known.
func (l language) label(title, kind string) string {
	name, ok := l.types[kind]
	if !ok {
		kind, name = "other", l.types["other"]
	}
	switch {
	case title == "":
		r, n := utf8.DecodeRuneInString(name)
		return string(unicode.ToUpper(r)) + name[n:]
	case kind == "other" || strings.EqualFold(title, name):
		return title
	}
	return title + " – " + name
}

func englishDays(n int) string {
	if n == 1 {
		return "1 day"
	}
	return strconv.Itoa(n) + " days"
}

// romanianDays puts "de" between a number and its noun from 20 on, but for those
// that end in 01 to 19: 1 zi, 19 zile, 20 de zile, 101 zile, 120 de zile.
func romanianDays(n int) string {
	switch r := n % 100; {
	case n == 1:
		return "1 zi"
	case n == 0 || r >= 1 && r <= 19:
		return strconv.Itoa(n) + " zile"
	}
	return strconv.Itoa(n) + " de zile"
}
