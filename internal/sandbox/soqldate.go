package sandbox

import (
	"strconv"
	"strings"
	"time"
)

// maxPeriod bounds the n of LAST_N_DAYS:n, in days.
const maxPeriod = 1_000_000

// soqlDateRange returns the range of a date literal in UTC. known is false for what is none; ok is false for one with
// an n that is missing or wrong.
func soqlDateRange(name string, n string, now time.Time) (s span, known, ok bool) {
	now = now.UTC()
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	month, year := today.AddDate(0, 0, 1-today.Day()), time.Date(today.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	week := today.AddDate(0, 0, -int(today.Weekday()))
	days := func(from, until int) span { return spanOf(today.AddDate(0, 0, from), today.AddDate(0, 0, until)) }
	name = strings.ToUpper(name)
	if plain, found := map[string]span{
		"YESTERDAY": days(-1, 0), "TODAY": days(0, 1), "TOMORROW": days(1, 2),
		"LAST_WEEK": spanOf(week.AddDate(0, 0, -7), week), "THIS_WEEK": spanOf(week, week.AddDate(0, 0, 7)),
		"NEXT_WEEK":  spanOf(week.AddDate(0, 0, 7), week.AddDate(0, 0, 14)),
		"LAST_MONTH": spanOf(month.AddDate(0, -1, 0), month), "THIS_MONTH": spanOf(month, month.AddDate(0, 1, 0)),
		"NEXT_MONTH": spanOf(month.AddDate(0, 1, 0), month.AddDate(0, 2, 0)), "LAST_90_DAYS": days(-90, 1), "NEXT_90_DAYS": days(1, 91),
		"LAST_YEAR": spanOf(year.AddDate(-1, 0, 0), year), "THIS_YEAR": spanOf(year, year.AddDate(1, 0, 0)),
		"NEXT_YEAR": spanOf(year.AddDate(1, 0, 0), year.AddDate(2, 0, 0)),
	}[name]; found {
		return plain, true, n == ""
	}
	count, err := strconv.Atoi(n)
	ok = err == nil && count >= 0 && count <= maxPeriod
	switch name {
	case "LAST_N_DAYS":
		return days(-count, 1), true, ok
	case "NEXT_N_DAYS":
		return days(1, count+1), true, ok
	case "N_DAYS_AGO":
		return days(-count, 1-count), true, ok
	}
	return span{}, false, false
}

func spanOf(from, until time.Time) span { return span{from.UnixMilli(), until.UnixMilli()} }

// readSOQLLiteral reads a number, a day or a moment.
func readSOQLLiteral(t soqlToken) (soqlValue, bool) {
	v := soqlValue{text: t.text, at: t.at}
	if day, err := time.Parse(time.DateOnly, t.text); err == nil {
		v.kind, v.span = soqlDate, spanOf(day, day.AddDate(0, 0, 1))
		return v, true
	}
	if at, err := time.Parse(time.RFC3339, t.text); err == nil {
		v.kind, v.span = soqlMoment, span{at.UnixMilli(), at.UnixMilli() + 1}
		return v, true
	}
	if strings.ContainsAny(t.text, "xXpP_:") {
		return v, false
	}
	n, err := strconv.ParseFloat(t.text, 64)
	v.kind, v.number = soqlNumber, n
	return v, err == nil
}
