package jira

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

const siteInfo = `{"baseUrl":"https://acme.atlassian.net","version":"1001.0.0","deploymentType":"Cloud","serverTitle":"Acme","serverTime":"2026-04-28T15:33:15.492+0200"}`

// TestSystemTime has a site whose answers have a date of their own, or none.
func TestSystemTime(t *testing.T) {
	of := time.Date(2026, 4, 28, 13, 33, 15, 492_000_000, time.UTC)
	date := time.Date(2026, 4, 28, 13, 33, 18, 0, time.UTC)
	for name, tt := range map[string]struct {
		date []string
		body string
		want time.Time // zero for our own clock less what it may be ahead
	}{
		"a date and the server's time":        {[]string{date.Format(http.TimeFormat)}, siteInfo, of},
		"the server's time alone":             {nil, siteInfo, of},
		"a date alone":                        {[]string{date.Format(http.TimeFormat)}, `{"version":"1","deploymentType":"Cloud"}`, date},
		"neither":                             {nil, `{"version":"1","deploymentType":"Cloud"}`, time.Time{}},
		"a server's time that cannot be read": {nil, `{"version":"1","deploymentType":"Cloud","serverTime":"now"}`, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			info := ok(tt.body)
			info.header = http.Header{"Date": tt.date}
			before := time.Now()
			got, err := newSite(t).on(serverInfoPath, info).driver().SystemTime(bg())
			took := time.Since(before)
			if err != nil {
				t.Fatal(err)
			}
			want := tt.want
			if want.IsZero() {
				want = before.Add(-5 * time.Minute)
			}
			if got.Before(want) || got.After(want.Add(took)) {
				t.Errorf("got %v, want %v and at most %v more", got, want, took)
			}
		})
	}
	_, err := newSite(t).on(serverInfoPath, status(503, "busy")).driver().SystemTime(bg())
	wantError(t, err, connectors.ProviderError, "503")
}

func TestCountComments(t *testing.T) {
	for name, tt := range map[string]struct {
		raw   string
		n     int
		known bool
	}{
		"none":               {`{"id":"1","fields":{"comment":{"comments":[],"maxResults":0,"total":0,"startAt":0}}}`, 0, true},
		"more than embedded": {`{"id":"1","fields":{"comment":{"comments":[{"id":"7"}],"maxResults":20,"total":23,"startAt":3}}}`, 23, true},
		"not listed":         {`{"id":"1","fields":{}}`, 0, false},
		"hidden":             {`{"id":"1","fields":{"comment":null}}`, 0, false},
		"without a total":    {`{"id":"1","fields":{"comment":{"comments":[]}}}`, 0, false},
		"of another shape":   {`{"id":"1","fields":{"comment":"3"}}`, 0, false},
		"negative":           {`{"id":"1","fields":{"comment":{"total":-1}}}`, 0, false},
		"no raw form":        {``, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			n, known := newSite(t).driver().CountComments(connectors.Item{ID: "1", Raw: json.RawMessage(tt.raw)})
			if n != tt.n || known != tt.known {
				t.Errorf("got %d, %v, want %d, %v", n, known, tt.n, tt.known)
			}
		})
	}
}
