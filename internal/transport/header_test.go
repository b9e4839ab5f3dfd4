package transport

import (
	"net/http"
	"testing"
	"time"
)

var noon = time.Date(2026, 5, 6, 12, 0, 0, 0, time.UTC)

func TestQuotaReset(t *testing.T) {
	tests := []struct {
		name    string
		header  []string
		refused bool
		want    time.Duration
	}{
		{"nothing", nil, true, 0},
		{"RFC 3339", []string{"X-RateLimit-Reset", "2026-05-06T12:00:30Z"}, true, 30 * time.Second},
		{"with offset", []string{"X-RateLimit-Reset", "2026-05-06T14:00:30+02:00"}, true, 30 * time.Second},
		{"without seconds", []string{"X-RateLimit-Reset", "2026-05-06T12:01Z"}, true, time.Minute},
		{"offset without colon", []string{"X-RateLimit-Reset", "2026-05-06T14:01:00+0200"}, true, time.Minute},
		{"HTTP date", []string{"X-RateLimit-Reset", "Wed, 06 May 2026 12:01:00 GMT"}, true, time.Minute},
		{"epoch seconds", []string{"X-RateLimit-Reset", "1778068830"}, true, 30 * time.Second},
		{"epoch milliseconds", []string{"X-RateLimit-Reset", "1778068830000"}, true, 30 * time.Second},
		{"seconds from now", []string{"X-RateLimit-Reset", "30"}, true, 30 * time.Second},
		{"past", []string{"X-RateLimit-Reset", "2020-01-01T00:00:00Z"}, true, 0},
		{"far future", []string{"X-RateLimit-Reset", "9999-01-01T00:00:00Z"}, true, 24 * time.Hour},
		{"largest number", []string{"X-RateLimit-Reset", "9223372036854775807"}, true, 24 * time.Hour},
		{"larger number", []string{"X-RateLimit-Reset", "9223372036854775808"}, true, 24 * time.Hour},
		{"negative", []string{"X-RateLimit-Reset", "-5"}, true, 0},
		{"some left", []string{"X-RateLimit-Reset", "30", "X-RateLimit-Remaining", "5"}, true, 0},
		{"none left, not refused", []string{"X-RateLimit-Reset", "30", "X-RateLimit-Remaining", "0"}, false, 30 * time.Second},
		{"unknown, not refused", []string{"X-RateLimit-Reset", "30"}, false, 0},
		{"policy used up", []string{"Beta-RateLimit", `"global-app-quota";r=0;t=120`}, false, 2 * time.Minute},
		{"draft name", []string{"RateLimit", `"default";r=0;t=5`}, false, 5 * time.Second},
		{"policy left", []string{"RateLimit", `"default";r=50;t=30`}, true, 0},
		{"longest of several", []string{"RateLimit", `"a";r=0;t=3, "b"; r=0; t=9, "c";r=1;t=99`}, false, 9 * time.Second},
		{"policy without reset", []string{"RateLimit", `"a";r=0`}, true, 0},
		{"policy nonsense", []string{"RateLimit", `;;==,r=0;t=..`}, true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := respond(429, "", tt.header...)
			if got := quotaReset(resp.Header, tt.refused, noon); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestLimitScope(t *testing.T) {
	tests := map[string]scope{
		"":                              scopeKey,
		"jira-quota-global-based":       scopeAll,
		"jira-quota-tenant-based":       scopeKey,
		"conf-global-based":             scopeAll,
		"confluence-quota-tenant-based": scopeKey,
		"jira-burst-based":              scopeEndpoint,
		"Jira-Burst-Based":              scopeEndpoint,
		"jira-per-issue-on-write":       scopeNone,
	}
	for reason, want := range tests {
		if got := limitScope(reason); got != want {
			t.Errorf("%q: got %v, want %v", reason, got, want)
		}
	}
}

func FuzzAskedWait(f *testing.F) {
	f.Add("7", "", "", "", "")
	f.Add("Wed, 06 May 2026 12:01:00 GMT", "Wed, 06 May 2026 12:00:00 GMT", "0", "2026-05-06T12:01Z", `"q";r=0;t=1`)
	f.Add("1.5", "x", "", "1778068830000", `r=0;t=99999999999999999999`)
	f.Add("0000000000000000000000009", "", "00", "9223372036854775807", `,,;;`)
	f.Fuzz(func(t *testing.T, after, date, left, reset, policy string) {
		h := http.Header{}
		for name, v := range map[string]string{
			"Retry-After": after, "Date": date, "X-RateLimit-Remaining": left, "X-RateLimit-Reset": reset, "RateLimit": policy,
		} {
			h.Set(name, v)
		}
		for _, code := range []int{200, 429, 503} {
			if got := askedWait(&http.Response{StatusCode: code, Header: h}, noon); got < 0 || got > maxAfter {
				t.Errorf("%d: wait %v is out of bounds", code, got)
			}
		}
		if got := quotaReset(h, false, noon); got < 0 || got > maxAfter {
			t.Errorf("reset %v is out of bounds", got)
		}
		limitScope(policy)
	})
}
