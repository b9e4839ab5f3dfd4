package sandbox

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// interval is the half-open range of numbers that a comparison accepts.
type interval struct{ from, until int64 }

func (i interval) contains(n int64) bool { return n >= i.from && n < i.until }

// intervalOf turns a comparison into the range it accepts; "!=" gives that of "=".
func intervalOf(operator string, n int64) interval {
	switch operator {
	case ">":
		return interval{n + 1, math.MaxInt64}
	case ">=":
		return interval{n, math.MaxInt64}
	case "<":
		return interval{math.MinInt64, n}
	case "<=":
		return interval{math.MinInt64, n + 1}
	default:
		return interval{n, n + 1}
	}
}

// maxEpoch keeps arithmetic with a given time within bounds; it is in the year 287396.
const maxEpoch = int64(9e15)

// parseJQLDate reads a date operand as milliseconds since 1970: epoch milliseconds, a date with minutes at best in
// the account's zone, or a period from now.
func (c *jqlCompiler) parseJQLDate(clause *clauseNode, value jqlValue) (int64, error) {
	if value.function {
		return c.dateFunction(value.text)
	}
	if n, err := strconv.ParseUint(value.text, 10, 63); err == nil && int64(n) <= maxEpoch {
		return int64(n), nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006/01/02 15:04", "2006-01-02", "2006/01/02"} {
		if t, err := time.ParseInLocation(layout, value.text, c.world.zone); err == nil {
			return t.UnixMilli(), nil
		}
	}
	if period, ok := parsePeriod(value.text); ok {
		return c.now.Add(period).UnixMilli(), nil
	}
	return 0, refusef("Date value '%s' for field '%s' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm', "+
		"'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'.", value.text, clause.written)
}

func (c *jqlCompiler) dateFunction(name string) (int64, error) {
	local := c.now.In(c.world.zone)
	switch strings.ToLower(name) {
	case "now":
		return local.UnixMilli(), nil
	case "startofday":
		return time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, local.Location()).UnixMilli(), nil
	case "startofmonth":
		return time.Date(local.Year(), local.Month(), 1, 0, 0, 0, 0, local.Location()).UnixMilli(), nil
	case "startofyear":
		return time.Date(local.Year(), 1, 1, 0, 0, 0, 0, local.Location()).UnixMilli(), nil
	}
	return 0, refusef("Unable to find JQL function '%s()'.", name)
}

var periodUnits = map[byte]time.Duration{'w': 7 * 24 * time.Hour, 'd': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute}

// parsePeriod reads "-5d" or "4w 2d". A period is at most 100 years.
func parsePeriod(text string) (time.Duration, bool) {
	const longest = 100 * 366 * 24 * time.Hour
	text, negative := strings.CutPrefix(text, "-")
	text = strings.TrimPrefix(text, "+")
	var sum time.Duration
	parts := strings.Fields(text)
	for _, part := range parts {
		unit, ok := periodUnits[part[len(part)-1]]
		n, err := strconv.ParseUint(part[:len(part)-1], 10, 31)
		if !ok || err != nil || time.Duration(n) > longest/unit {
			return 0, false
		}
		if sum += time.Duration(n) * unit; sum > longest {
			return 0, false
		}
	}
	if negative {
		sum = -sum
	}
	return sum, len(parts) > 0
}
