package atlassian

import (
	"strconv"
	"time"
)

// timeLayout is how Jira writes times: RFC 3339 but for the zone, which has no colon.
const timeLayout = "2006-01-02T15:04:05.999999999-0700"

// ParseTime reads a time as Jira and Confluence write it: in Jira's own layout, in RFC 3339, or as milliseconds since
// 1970. It returns the time in UTC, and false for anything else.
func ParseTime(s string) (time.Time, bool) {
	for _, layout := range []string{timeLayout, time.RFC3339Nano} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	// A number with few digits is a year or an id rather than a time; one with many lies beyond any calendar.
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil && len(s) >= 9 && len(s) <= 15 {
		return time.UnixMilli(ms).UTC(), true
	}
	return time.Time{}, false
}
