package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func mustFault(t testing.TB, spec string) Fault {
	t.Helper()
	f, err := ParseFault(spec)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func serveFaults(t testing.TB, specs ...string) string {
	t.Helper()
	o := Options{}
	for _, spec := range specs {
		o.Faults = append(o.Faults, mustFault(t, spec))
	}
	return serve(t, o)
}

func TestParseFault(t *testing.T) {
	cases := []struct{ spec, canonical string }{
		{"latency=200ms", "latency=200ms"},
		{"latency=0s,rate=0.5,path=/search/jql", "latency=0s,rate=0.5,path=/search/jql"},
		{"429=0.1,retry-after=2,reason=jira-quota-tenant-based", "429,rate=0.1,retry-after=2,reason=jira-quota-tenant-based"},
		{"429", "429,retry-after=1"},
		{"429,retry-after=none", "429,retry-after=none"},
		{"503,retry-after=0,count=3", "503,count=3,retry-after=0"},
		{"410,path=/project", "410,path=/project"},
		{"reset=0.01", "reset,rate=0.01"},
		{"lost,path=/oauth/token,count=1", "lost,path=/oauth/token,count=1"},
		{"lost=0.05", "lost,rate=0.05"},
		{"cut=0", "cut,rate=0"},
		{"cut=-0", "cut,rate=0"},
		{"truncate", "truncate"},
		{"html=1,method=post", "html,method=POST"},
		{"pad=100MB", "pad=104857600B"},
		{"repeat-token=1", "repeat-token"},
		{"expire-token,after=3", "expire-token,after=3"},
		{"empty-page,every=10", "empty-page,every=10"},
		{"anonymous", "anonymous"},
		{"hang,after=1", "hang,after=1"},
	}
	for _, c := range cases {
		t.Run(c.spec, func(t *testing.T) {
			f, err := ParseFault(c.spec)
			if err != nil {
				t.Fatal(err)
			}
			if got := f.String(); got != c.canonical {
				t.Errorf("got %q, want %q", got, c.canonical)
			}
			if again := mustFault(t, f.String()); again != f {
				t.Errorf("read back: got %+v, want %+v", again, f)
			}
		})
	}
}

func TestParseFaultRefuses(t *testing.T) {
	cases := []struct{ name, spec, want string }{
		{"empty", "", "the kind is missing"},
		{"only an option", ",rate=1", "the kind is missing"},
		{"unknown kind", "explode=1", `kind "explode" is unknown: use latency, pad`},
		{"success status", "200", "status 200 is not a failure"},
		{"four digits", "4290", `kind "4290" is unknown`},
		{"signed status", "+42", "status 42 is not a failure"},
		{"latency without a value", "latency", "latency needs a duration"},
		{"latency without a unit", "latency=200", "latency needs a duration"},
		{"negative latency", "latency=-1s", "latency needs a duration"},
		{"endless latency", "latency=2h", "latency needs a duration"},
		{"rate above 1", "500=1.1", "a number from 0 to 1"},
		{"NaN", "500=NaN", "a number from 0 to 1"},
		{"empty rate", "500=", "a number from 0 to 1"},
		{"percent", "500=5%", "a number from 0 to 1"},
		{"size without a unit", "pad=100", "pad needs a size"},
		{"huge size", "pad=5GB", "pad needs a size"},
		{"unknown option", "500,when=now", `option "when" is unknown`},
		{"empty option", "500,", `option "" is unknown`},
		{"option twice", "500,count=1,count=2", `option "count" is given twice`},
		{"zero count", "500,count=0", `option "count" needs a whole number from 1`},
		{"zero every", "500,every=0", `option "every" needs a whole number from 1`},
		{"fraction", "500,after=1.5", `option "after" needs a whole number`},
		{"retry-after elsewhere", "reset,retry-after=1", "goes only with a status"},
		{"reason elsewhere", "503,reason=x", "goes only with 429"},
		{"header injection", "429,reason=a\r\nX: y", "visible ASCII"},
		{"empty path", "500,path=", "needs a value"},
		{"endless path", "500,path=" + strings.Repeat("a", 300), "at most 256 bytes"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseFault(c.spec)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q: got %v, want %q", c.spec, err, c.want)
			}
		})
	}
}

func FuzzParseFault(f *testing.F) {
	for _, seed := range []string{
		"", "429=0.1,retry-after=2,reason=jira-burst-based", "latency=200ms,path=/search", "pad=1KB", "410", "expire-token,after=3",
		"cut=1e-300", "500=0x1p-2", "reset,every=10,count=3,after=0,method=get", "latency=1h", "\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		fault, err := ParseFault(spec)
		if err != nil {
			return
		}
		again, err := ParseFault(fault.String())
		if err != nil || again != fault {
			t.Fatalf("%q is %+v, written %q, read back %+v, %v", spec, fault, fault.String(), again, err)
		}
	})
}

// statuses sends n requests one after the other.
func statuses(t *testing.T, address string, n int) []int {
	t.Helper()
	var got []int
	for range n {
		response, _ := get(t, address)
		got = append(got, response.StatusCode)
	}
	return got
}

func TestFaultSelectors(t *testing.T) {
	cases := []struct {
		name, spec string
		want       string // one letter a request: F for 503
	}{
		{"always", "503", "FFFFFF"},
		{"never", "503=0", "......"},
		{"count", "503,count=2", "FF...."},
		{"after", "503,after=2", "..FFFF"},
		{"every", "503,every=3", "..F..F"},
		{"after, every and count", "503,after=1,every=2,count=1", "..F..."},
		{"path", "503,path=/myself", "FFFFFF"},
		{"another path", "503,path=/search", "......"},
		{"method", "503,method=GET", "FFFFFF"},
		{"another method", "503,method=POST", "......"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			site := serveFaults(t, c.spec)
			got := ""
			for _, status := range statuses(t, site+"/rest/api/3/myself", len(c.want)) {
				got += map[int]string{503: "F", 200: "."}[status]
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestFaultRateFollowsTheSeed(t *testing.T) {
	pattern := func(seed uint64) string {
		s, err := New(Options{Seed: seed, Faults: []Fault{mustFault(t, "500=0.3"), mustFault(t, "503=0.3")}})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for range 300 {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/acme/rest/api/3/serverInfo", http.NoBody))
			got += map[int]string{500: "a", 503: "b", 200: "."}[w.Code]
		}
		return got
	}
	one := pattern(1)
	if one != pattern(1) {
		t.Error("equal seeds fail differently")
	}
	if one == pattern(2) {
		t.Error("another seed fails alike")
	}
	// 0.3 of 300, and 0.3 of the 210 that are left.
	if a, b := strings.Count(one, "a"), strings.Count(one, "b"); a < 60 || a > 120 || b < 35 || b > 95 {
		t.Errorf("got %d and %d failures of 300, want about 90 and 63", a, b)
	}
}

func TestFaultRateLimitHeaders(t *testing.T) {
	site := serveFaults(t, "429,retry-after=2,reason=jira-quota-global-based")
	response, body := get(t, site+"/rest/api/3/myself")
	want := map[string]string{
		"Retry-After": "2", "RateLimit-Reason": "jira-quota-global-based", "X-RateLimit-Remaining": "0",
		"X-RateLimit-NearLimit": "true", "X-RateLimit-Limit": "100",
	}
	for name, value := range want {
		if got := response.Header.Get(name); got != value {
			t.Errorf("%s = %q, want %q", name, got, value)
		}
	}
	if _, err := time.Parse("2006-01-02T15:04Z", response.Header.Get("X-RateLimit-Reset")); err != nil {
		t.Error(err)
	}
	if response.StatusCode != http.StatusTooManyRequests || !json.Valid(body) {
		t.Errorf("status %d, body %s", response.StatusCode, body)
	}
	response, _ = get(t, serveFaults(t, "429,retry-after=none")+"/rest/api/3/myself")
	if got, given := response.Header["Retry-After"]; given {
		t.Errorf("Retry-After = %q, want none", got)
	}
}

func TestFaultStatusesAndPages(t *testing.T) {
	cases := []struct {
		spec, contentType, contains string
		status                      int
	}{
		{"401", contentJSON, messageUnauthenticated, 401},
		{"403", contentJSON, "Forbidden", 403},
		{"410", contentJSON, "CHANGE-2046", 410},
		{"500", contentJSON, "Internal server error", 500},
		{"502", contentHTML, "upstream", 502},
		{"503", contentJSON, "Service Unavailable", 503},
		{"504", contentHTML, "upstream", 504},
		{"599", contentJSON, "Status 599", 599},
		{"html", contentHTML, "Log in", 200},
	}
	for _, c := range cases {
		t.Run(c.spec, func(t *testing.T) {
			response, body := get(t, serveFaults(t, c.spec)+"/rest/api/3/myself")
			if response.StatusCode != c.status || response.Header.Get("Content-Type") != c.contentType || !strings.Contains(string(body), c.contains) {
				t.Errorf("got %d %s %s", response.StatusCode, response.Header.Get("Content-Type"), body)
			}
		})
	}
}

func fetch(ctx context.Context, address string) ([]byte, int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, err
	}
	request.SetBasicAuth(DefaultEmail, DefaultToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return body, response.ContentLength, err
}

func TestFaultsOfTheConnection(t *testing.T) {
	const path = "/rest/api/3/project/search?expand=description,lead"
	whole, _, err := fetch(t.Context(), serveFaults(t)+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("reset", func(t *testing.T) {
		_, _, err := fetch(t.Context(), serveFaults(t, "reset")+path)
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("got %v, want a connection reset", err)
		}
	})
	t.Run("cut", func(t *testing.T) {
		body, announced, err := fetch(t.Context(), serveFaults(t, "cut")+path)
		if !errors.Is(err, io.ErrUnexpectedEOF) || len(body) == 0 || int64(len(body)) >= announced {
			t.Errorf("got %d of %d bytes, %v", len(body), announced, err)
		}
	})
	t.Run("truncate", func(t *testing.T) {
		body, announced, err := fetch(t.Context(), serveFaults(t, "truncate")+path)
		if err != nil || json.Valid(body) || int64(len(body)) != announced || len(body) == 0 {
			t.Errorf("got %d of %d bytes, valid %v, %v", len(body), announced, json.Valid(body), err)
		}
	})
	t.Run("pad", func(t *testing.T) {
		body, _, err := fetch(t.Context(), serveFaults(t, "pad=1MB")+path)
		if err != nil || !json.Valid(body) || len(body) < 1<<20+len(whole)/2 {
			t.Errorf("got %d bytes, valid %v, %v", len(body), json.Valid(body), err)
		}
	})
	t.Run("latency", func(t *testing.T) {
		started := time.Now()
		_, _, err := fetch(t.Context(), serveFaults(t, "latency=30ms", "latency=30ms")+path)
		if took := time.Since(started); err != nil || took < 60*time.Millisecond {
			t.Errorf("took %s, %v, want at least 60ms", took, err)
		}
	})
	for _, spec := range []string{"hang", "latency=1h"} {
		t.Run(spec+" ends with the client", func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			s, err := New(Options{Faults: []Fault{mustFault(t, spec)}})
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(s)
			defer server.Close() // waits for the handler
			defer http.DefaultClient.CloseIdleConnections()
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, _, err := fetch(ctx, server.URL+"/acme"+path); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the deadline", err)
			}
		})
	}
}

func TestFaultsOfPages(t *testing.T) {
	const path = "/rest/api/3/search/jql?jql=project%3DPAY&maxResults=100&nextPageToken="
	page := func(t *testing.T, site, token string) (int, issuePage) {
		t.Helper()
		response, body := get(t, site+path+token)
		return response.StatusCode, decodePage(t, body)
	}
	t.Run("repeat-token", func(t *testing.T) {
		var ticks atomic.Int64 // a token that is sealed again would carry another time
		site := serve(t, Options{
			Faults: []Fault{mustFault(t, "repeat-token")},
			Now:    func() time.Time { return epoch(1).Add(time.Duration(ticks.Add(1)) * time.Second) },
		})
		_, first := page(t, site, "")
		_, second := page(t, site, first.NextPageToken)
		if first.NextPageToken == "" || second.NextPageToken != first.NextPageToken || second.IsLast {
			t.Errorf("got tokens %q and %q, last %v", first.NextPageToken, second.NextPageToken, second.IsLast)
		}
	})
	t.Run("repeat-token in the middle", func(t *testing.T) {
		site := serveFaults(t, "repeat-token,after=1")
		_, first := page(t, site, "")
		_, second := page(t, site, first.NextPageToken)
		if second.NextPageToken != first.NextPageToken || len(second.Issues) != 100 {
			t.Errorf("got tokens %q and %q with %d issues", first.NextPageToken, second.NextPageToken, len(second.Issues))
		}
	})
	t.Run("expire-token", func(t *testing.T) {
		site := serveFaults(t, "expire-token,after=1")
		_, first := page(t, site, "")
		firstUse, _ := page(t, site, first.NextPageToken)
		secondUse, _ := page(t, site, first.NextPageToken)
		if firstUse != 200 || secondUse != 400 {
			t.Errorf("got %d and %d, want 200 and 400", firstUse, secondUse)
		}
	})
	t.Run("empty-page", func(t *testing.T) {
		site := serveFaults(t, "empty-page,count=2")
		_, first := page(t, site, "")
		_, second := page(t, site, first.NextPageToken)
		_, third := page(t, site, second.NextPageToken)
		if len(first.Issues)+len(second.Issues) != 0 || first.NextPageToken == second.NextPageToken || len(third.Issues) != 100 {
			t.Errorf("got %d, %d and %d issues, tokens %q and %q", len(first.Issues), len(second.Issues), len(third.Issues),
				first.NextPageToken, second.NextPageToken)
		}
	})
	t.Run("empty-page loses nothing", func(t *testing.T) {
		if ids := walk(t, serveFaults(t, "empty-page,every=2"), "project = PAY", "id", 30); len(ids) != 200 {
			t.Errorf("got %d issues, want 200", len(ids))
		}
	})
}

func TestFaultAnonymous(t *testing.T) {
	site := serveFaults(t, "anonymous")
	cases := []struct {
		path, contains string
		status         int
	}{
		{"/rest/api/3/project/search", `"total":0`, 200},
		{"/rest/api/3/search/jql?jql=updated%3E0", `{"issues":[],"isLast":true}`, 200},
		{"/rest/api/3/search/jql?jql=project%3DPAY", "The value 'PAY' does not exist for the field 'project'.", 400},
		{"/rest/api/3/search/jql?jql=key%3DPAY-1", "An issue with key 'PAY-1' does not exist", 400},
		{"/rest/api/3/issue/PAY-1", messageNoIssue, 404},
		{"/rest/api/3/issue/PAY-1/comment", messageNoIssue, 404},
		{"/rest/api/3/project/PAY", "No project could be found", 404},
		{"/rest/api/3/myself", messageUnauthenticated, 401},
	}
	for _, c := range cases {
		response, body := get(t, site+c.path)
		if response.StatusCode != c.status || !strings.Contains(string(body), c.contains) {
			t.Errorf("%s: got %d %s, want %d %s", c.path, response.StatusCode, body, c.status, c.contains)
		}
		if got := response.Header.Get("X-Seraph-LoginReason"); got != "AUTHENTICATED_FAILED" {
			t.Errorf("%s: X-Seraph-LoginReason = %q", c.path, got)
		}
	}
}
