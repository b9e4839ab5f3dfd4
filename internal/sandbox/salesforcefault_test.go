package sandbox

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// withFaults connects before the faults begin: they concern the paths of data alone.
func withFaults(t *testing.T, o Options, specs ...string) *orgBox {
	t.Helper()
	for _, spec := range specs {
		o.Faults = append(o.Faults, mustFault(t, spec+",path=/services/data/v"))
	}
	return serveOrg(t, o)
}

const contacts = "SELECT Id FROM Contact"

func TestSalesforcePageFaults(t *testing.T) {
	small := []string{"Sforce-Query-Options", "batchSize=200"}
	t.Run("repeat-token", func(t *testing.T) {
		b := withFaults(t, Options{}, "repeat-token,after=1")
		first := b.ask("query", contacts, small...).batch(t)
		second := b.call(http.MethodGet, salesforcePrefix+first.NextRecordsURL, "").batch(t)
		if second.Done || second.NextRecordsURL != first.NextRecordsURL || len(second.Records) != 200 {
			t.Errorf("got %v, %s after %s", second.Done, second.NextRecordsURL, first.NextRecordsURL)
		}
	})
	t.Run("empty-page", func(t *testing.T) {
		b := withFaults(t, Options{}, "empty-page,count=1")
		first := b.ask("query", contacts, small...).batch(t)
		second := b.call(http.MethodGet, salesforcePrefix+first.NextRecordsURL, "").batch(t)
		if first.Done || len(first.Records) != 0 || len(second.Records) != 200 || second.TotalSize != first.TotalSize {
			t.Errorf("got %d and %d records", len(first.Records), len(second.Records))
		}
	})
	t.Run("expire-token", func(t *testing.T) {
		b := withFaults(t, Options{}, "expire-token")
		first := b.ask("query", contacts, small...).batch(t)
		got := b.call(http.MethodGet, salesforcePrefix+first.NextRecordsURL, "")
		if got.status != http.StatusBadRequest || string(got.body) != `[{"message":"invalid query locator","errorCode":"INVALID_QUERY_LOCATOR"}]` {
			t.Errorf("got %d %s", got.status, got.body)
		}
	})
}

func TestSalesforceAnswerFaults(t *testing.T) {
	cases := []struct {
		fault, body string
		status      int
	}{
		{"503,retry-after=7", `"errorCode":"SERVER_UNAVAILABLE"`, 503},
		{"500", `"errorCode":"UNKNOWN_EXCEPTION"`, 500},
		{"403", `"errorCode":"REQUEST_LIMIT_EXCEEDED"`, 403},
		{"401", `"errorCode":"INVALID_SESSION_ID"`, 401},
		{"429", `[{"message":"Rate limit exceeded."`, 429},
		{"502", "<html>", 502},
		{"html", "<!DOCTYPE html>", 200},
		{"anonymous", `"errorCode":"INVALID_SESSION_ID"`, 401},
		{"truncate", `{"totalSize":`, 200},
		{"latency=1ms", `"done":true`, 200},
	}
	for _, c := range cases {
		t.Run(c.fault, func(t *testing.T) {
			b := withFaults(t, Options{Records: 10}, c.fault)
			got := b.ask("query", contacts)
			if got.status != c.status || !strings.Contains(string(got.body), c.body) {
				t.Errorf("got %d %s", got.status, got.body)
			}
			if strings.Contains(c.fault, "retry-after") != (got.header.Get("Retry-After") == "7") {
				t.Errorf("Retry-After is %q", got.header.Get("Retry-After"))
			}
		})
	}
	for _, fault := range []string{"reset", "cut"} {
		b := withFaults(t, Options{Records: 300}, fault+",count=1")
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+dataPath+"/sobjects", nil)
		request.Header.Set("Authorization", "Bearer "+b.token)
		if err := readAll(request); err == nil {
			t.Errorf("%s: an answer", fault)
		}
		if got := b.ask("query", contacts); got.status != http.StatusOK {
			t.Errorf("after %s: %d", fault, got.status)
		}
	}
}

func readAll(request *http.Request) error {
	// On a connection that was used before, the client would ask again by itself.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

func TestLocators(t *testing.T) {
	clock := newFakeClock()
	b := serveOrg(t, Options{OAuthNow: clock.Now, TokenTTL: 1000 * time.Hour})
	start := func() batch { return b.ask("query", contacts, "Sforce-Query-Options", "BatchSize = 1").batch(t) }
	follow := func(next string) reply { return b.call(http.MethodGet, salesforcePrefix+next, "") }
	first := start()
	if len(first.Records) != smallestBatch || !strings.HasSuffix(first.NextRecordsURL, "-200") {
		t.Fatalf("%d records, then %s", len(first.Records), first.NextRecordsURL)
	}
	again, same := follow(first.NextRecordsURL), follow(first.NextRecordsURL)
	if string(again.body) != string(same.body) {
		t.Error("a batch that is asked for again is another one")
	}
	for _, bad := range []string{
		strings.Replace(first.NextRecordsURL, "-200", "-100", 1), strings.Replace(first.NextRecordsURL, "-200", "-800", 1),
		strings.Replace(first.NextRecordsURL, "-200", "-200000", 1), strings.Replace(first.NextRecordsURL, "-200", "--200", 1),
		strings.Replace(first.NextRecordsURL, "-200", "", 1), "/services/data/v67.0/query/x",
	} {
		if got := follow(bad); got.status != http.StatusBadRequest || !strings.Contains(string(got.body), "INVALID_QUERY_LOCATOR") {
			t.Errorf("%s: got %d %s", bad, got.status, clipText(string(got.body), 100))
		}
	}
	mustExpire := func(name string, next string) {
		t.Helper()
		if got := follow(next); !strings.Contains(string(got.body), "INVALID_QUERY_LOCATOR") {
			t.Errorf("%s: got %d", name, got.status)
		}
	}
	for range maxCursors {
		start()
	}
	mustExpire("too many since", first.NextRecordsURL)
	fresh := start()
	b.ExpireQueries()
	mustExpire("expired by a test", fresh.NextRecordsURL)
	fresh = start()
	clock.add(cursorLife + time.Second)
	mustExpire("after two days", fresh.NextRecordsURL)
}

func TestDailyLimit(t *testing.T) {
	clock := newFakeClock()
	b := serveOrg(t, Options{DailyRequests: 3, OAuthNow: clock.Now, TokenTTL: 100 * time.Hour})
	b.call(http.MethodGet, "/salesforce/services/data/", "") // not counted
	for i, want := range []string{"api-usage=1/3", "api-usage=2/3", "api-usage=3/3"} {
		if got := b.ask("query", contacts); got.status != http.StatusOK || got.header.Get("Sforce-Limit-Info") != want {
			t.Errorf("request %d: %d %q", i+1, got.status, got.header.Get("Sforce-Limit-Info"))
		}
	}
	got := b.ask("query", contacts)
	if got.status != http.StatusForbidden || string(got.body) != `[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]` || got.header.Get("Sforce-Limit-Info") != "api-usage=3/3" {
		t.Errorf("got %d %s, %q", got.status, got.body, got.header.Get("Sforce-Limit-Info"))
	}
	clock.add(24 * time.Hour)
	if got := b.call(http.MethodGet, dataPath+"/limits", ""); !strings.Contains(string(got.body), `"DailyApiRequests":{"Max":3,"Remaining":2}`) {
		t.Errorf("the next day: %d %s", got.status, got.body)
	}
	b.UseRequests(10)
	if got := b.ask("query", contacts); got.status != http.StatusForbidden {
		t.Errorf("used up by a test: %d", got.status)
	}
}

// The token that everybody knows needs no consent.
func TestWellKnownToken(t *testing.T) {
	b := &orgBox{serveOAuth(t, Options{}), DefaultToken}
	if got := b.ask("query", contacts); got.status != http.StatusOK {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := b.get(salesforceOAuth+"/userinfo", DefaultToken).fields(t); got["user_id"] != b.org.users[0] {
		t.Errorf("got %v", got)
	}
}
