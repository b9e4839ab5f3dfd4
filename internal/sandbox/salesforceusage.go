package sandbox

import (
	"cmp"
	"fmt"
	"sync"
	"time"
)

// DefaultDailyRequests is how many requests the Salesforce org has in 24 hours.
const DefaultDailyRequests = 100_000

// usage counts the requests of 24 hours. They are forgotten together, 24 hours after the first.
type usage struct {
	mu    sync.Mutex
	most  int64
	used  int64
	since time.Time
}

// count adds n requests, as far as there are that many left, and returns what has been used. ok is false when there
// were none left.
func (u *usage) count(n int64, now time.Time) (used int64, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if now.Sub(u.since) >= 24*time.Hour {
		u.used, u.since = 0, now
	}
	ok = n == 0 || u.used < u.most
	u.used = min(u.most, u.used+n)
	return u.used, ok
}

// info is the value of the header Sforce-Limit-Info.
func (u *usage) info(used int64) string { return fmt.Sprintf("api-usage=%d/%d", used, u.most) }

func newUsage(o Options) *usage {
	return &usage{most: int64(cmp.Or(o.DailyRequests, DefaultDailyRequests))}
}
