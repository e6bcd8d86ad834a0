package main

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
)

// money is hundredths; it travels as a decimal string.
type money int64

// MarshalText never fails.
func (m money) MarshalText() ([]byte, error) { //nolint:unparam // it is an interface's
	return m.append(make([]byte, 0, 16)), nil
}

func (m money) append(b []byte) []byte {
	n := uint64(m)
	if m < 0 {
		b, n = append(b, '-'), -n
	}
	b = strconv.AppendUint(b, n/100, 10)
	return append(b, '.', byte('0'+n%100/10), byte('0'+n%10))
}

func (m *money) UnmarshalText(text []byte) error {
	whole, part, _ := strings.Cut(string(text), ".")
	if len(part) > 2 || len(whole) > 10 {
		return errors.New("not an amount")
	}
	n, err := strconv.ParseInt(whole+(part + "00")[:2], 10, 64)
	if err != nil || n < 0 {
		return errors.New("not an amount")
	}
	*m = money(n)
	return nil
}

// orNull is the amount of a column that may be NULL.
func orNull(n *int64) *money { return (*money)(n) }

// divRound is a·b ÷ c rounded half to even. The products of money here fit.
func divRound(a, b, c int64) int64 {
	n := a * b
	q, r := n/c, n%c
	step := int64(1)
	if n < 0 {
		r, step = -r, -1
	}
	if 2*r > c || (2*r == c && q%2 != 0) {
		q += step
	}
	return q
}

// day is a day as it travels.
type day time.Time

// MarshalText never fails.
func (d day) MarshalText() ([]byte, error) { //nolint:unparam // it is an interface's
	return time.Time(d).AppendFormat(make([]byte, 0, 10), time.DateOnly), nil
}

func (d *day) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.DateOnly, string(text))
	*d = day(t)
	return err
}

func (d day) String() string { return time.Time(d).Format(time.DateOnly) }

// changes is what the history says of something that was made: each field with
// nothing before it. Fields are written in the order of their names.
type changes struct{ b []byte }

func (c *changes) name(name string) {
	lead := byte(',')
	if len(c.b) == 0 {
		lead = '{'
	}
	c.b = append(c.b, lead, '"')
	c.b = append(c.b, name...)
	c.b = append(c.b, `":[null,`...)
}

func (c *changes) text(name, value string) {
	c.name(name)
	c.b = append(appendText(c.b, value), ']')
}

func (c *changes) maybeText(name string, value *string) {
	if value != nil {
		c.text(name, *value)
	}
}

func (c *changes) money(name string, value *money) {
	if value != nil {
		c.name(name)
		c.b = append(value.append(append(c.b, '"')), `"]`...)
	}
}

func (c *changes) number(name string, value *int) {
	if value != nil {
		c.name(name)
		c.b = append(strconv.AppendInt(c.b, int64(*value), 10), ']')
	}
}

func (c *changes) given(name string, given bool) {
	if given {
		c.name(name)
		c.b = append(c.b, `true]`...)
	}
}

func (c *changes) end() string { return string(append(c.b, '}')) }

// appendText appends a JSON string.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == '"' || s[i] == '\\' {
			text, err := json.Marshal(s)
			if err != nil { // texts can always be encoded
				panic(err)
			}
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
