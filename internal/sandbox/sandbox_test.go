package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}

func TestNewRefuses(t *testing.T) {
	cases := []struct {
		name    string
		options Options
		want    []string
	}{
		{"no projects", Options{Projects: -1}, []string{"projects must be 1 to 10000, not -1"}},
		{"too many issues", Options{Issues: MaxIssues + 1}, []string{"issues must be"}},
		{"several", Options{Issues: -2, Comments: 5000}, []string{"issues must be", "comments must be"}},
		{"sites", Options{Sites: 6}, []string{"sites must be 1 to 5, not 6"}},
		{"lives", Options{TokenTTL: time.Millisecond, RefreshIdle: -1}, []string{"token ttl must be at least 1s", "refresh idle must not be negative"}},
		{"zone", Options{AccountTimeZone: "Moon/Base"}, []string{`account time zone "Moon/Base" is unknown`}},
		{"colon", Options{Email: "a:b"}, []string{"must not contain a colon"}},
		{"zero fault", Options{Faults: []Fault{{}}}, []string{"make it with ParseFault"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(c.options)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
			}
		})
	}
}

func TestEnv(t *testing.T) {
	s, err := New(Options{Email: "me@example.com", Token: "t", ClientID: "app", ClientSecret: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	got := s.Env("http://127.0.0.1:8090/")
	want := []string{
		"UCF_JIRA_BASE_URL=http://127.0.0.1:8090/acme", "UCF_JIRA_API_EMAIL=me@example.com", "UCF_JIRA_API_TOKEN=t",
		"UCF_CONFLUENCE_BASE_URL=http://127.0.0.1:8090/acme", "UCF_CONFLUENCE_API_EMAIL=me@example.com", "UCF_CONFLUENCE_API_TOKEN=t",
		"UCF_SALESFORCE_INSTANCE_URL=http://127.0.0.1:8090/salesforce", "UCF_SALESFORCE_ACCESS_TOKEN=t",
		"ATLASSIAN_AUTH_URL=http://127.0.0.1:8090/auth", "ATLASSIAN_API_URL=http://127.0.0.1:8090/api",
		"ATLASSIAN_CLIENT_ID=app", "ATLASSIAN_CLIENT_SECRET=s3cret",
		"SALESFORCE_LOGIN_URL=http://127.0.0.1:8090/salesforce",
		"SALESFORCE_CLIENT_ID=app", "SALESFORCE_CLIENT_SECRET=s3cret",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCredentials(t *testing.T) {
	site := serve(t, Options{})
	basic := func(email, token string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(email, token) }
	}
	cases := []struct {
		name string
		sign func(*http.Request)
		path string
		want int
	}{
		{"right", basic(DefaultEmail, DefaultToken), "myself", 200},
		{"wrong token", basic(DefaultEmail, "x"), "myself", 401},
		{"wrong email", basic("x@example.com", DefaultToken), "myself", 401},
		{"none", func(*http.Request) {}, "search/jql?jql=updated%3E0", 401},
		{"bearer", func(r *http.Request) { r.Header.Set("Authorization", "Bearer sandbox") }, "issue/PAY-1", 401},
		{"server info needs none", func(*http.Request) {}, "serverInfo", 200},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site+"/rest/api/3/"+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			c.sign(request)
			response, body := do(t, request)
			if response.StatusCode != c.want {
				t.Fatalf("got %d, want %d: %s", response.StatusCode, c.want, body)
			}
			if c.want == 401 && (string(body) != messageUnauthenticated || response.Header.Get("WWW-Authenticate") == "") {
				t.Errorf("got %q, %q", body, response.Header)
			}
		})
	}
}

func TestNotThere(t *testing.T) {
	site := serve(t, Options{})
	cases := []struct {
		name, method, path, contains string
		status                       int
	}{
		{"another site", "GET", "/../other/rest/api/3/myself", "null for uri", 404},
		{"version 2", "GET", "/rest/api/2/myself", "null for uri: /acme/rest/api/2/myself", 404},
		{"a site too many", "GET", "/../globex/rest/api/3/myself", "null for uri", 404},
		{"trailing slash", "GET", "/rest/api/3/myself/", "null for uri", 404},
		{"unclean path", "GET", "/rest/api//3/myself", "null for uri", 404},
		{"unknown issue", "GET", "/rest/api/3/issue/PAY-999999", messageNoIssue, 404},
		{"hostile key", "GET", "/rest/api/3/project/" + url.PathEscape("\"><\x00\xff"), "No project could be found", 404},
		{"removed search", "POST", "/rest/api/3/search", "CHANGE-2046", 410},
		{"post to myself", "POST", "/rest/api/3/myself", "405 Method Not Allowed", 405},
		{"put to search", "PUT", "/rest/api/3/search/jql", "405 Method Not Allowed", 405},
		{"bad startAt", "GET", "/rest/api/3/project/search?startAt=-1", "startAt", 400},
		{"bad maxResults", "GET", "/rest/api/3/issue/PAY-1/comment?maxResults=many", "maxResults", 400},
		{"bad comment order", "GET", "/rest/api/3/issue/PAY-1/comment?orderBy=updated", "orderBy", 400},
		{"bad search size", "GET", "/rest/api/3/search/jql?jql=id%3D10000&maxResults=-5", "maxResults", 400},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), c.method, site+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.SetBasicAuth(DefaultEmail, DefaultToken)
			response, body := do(t, request)
			var collection struct {
				ErrorMessages []string
				Errors        map[string]string
			}
			if err := json.Unmarshal(body, &collection); err != nil || collection.Errors == nil {
				t.Fatalf("%v: %s", err, body)
			}
			if response.StatusCode != c.status || !strings.Contains(collection.ErrorMessages[0], c.contains) {
				t.Errorf("got %d %q, want %d %q", response.StatusCode, collection.ErrorMessages, c.status, c.contains)
			}
			if allow := response.Header.Get("Allow"); (c.status == 405) != (allow != "") {
				t.Errorf("Allow = %q", allow)
			}
		})
	}
}

func TestProjectSearch(t *testing.T) {
	site := serve(t, Options{Projects: 130, Issues: 259})
	keys := func(t *testing.T, query string) (found []string, total int) {
		t.Helper()
		address := site + "/rest/api/3/project/search?" + query
		for address != "" {
			response, body := get(t, address)
			var page struct {
				Values   []struct{ Key string }
				NextPage string
				IsLast   bool
				Total    int
			}
			if err := json.Unmarshal(body, &page); err != nil || response.StatusCode != http.StatusOK {
				t.Fatalf("%d %v: %s", response.StatusCode, err, body)
			}
			for _, project := range page.Values {
				found = append(found, project.Key)
			}
			if page.IsLast != (page.NextPage == "") {
				t.Fatalf("isLast %v, nextPage %q", page.IsLast, page.NextPage)
			}
			address, total = page.NextPage, page.Total
		}
		return found, total
	}
	for _, size := range []string{"1", "7", "50", "100", "500"} {
		got, total := keys(t, "maxResults="+size)
		if len(got) != 130 || total != 130 || !slices.IsSorted(got) || len(slices.Compact(got)) != 130 {
			t.Errorf("by %s: got %d of %d projects, or out of order", size, len(got), total)
		}
	}
	if got, _ := keys(t, "orderBy=-key"); got[0] < got[129] {
		t.Errorf("-key starts with %s", got[0])
	}
	cases := []struct{ query, want string }{
		{"keys=PAY&keys=OPS", "OPS PAY"},
		{"keys=PAY,WEB", "PAY WEB"},
		{"id=10001", "OPS"},
		{"query=payments", "PAY"},
		{"keys=NOPE", ""},
		{"status=deleted", ""},
		{"keys=PAY,OPS&typeKey=software", "PAY"},
		{"keys=PAY,OPS&orderBy=%2Bname", "OPS PAY"},
	}
	for _, c := range cases {
		if got, _ := keys(t, c.query); strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, want %q", c.query, got, c.want)
		}
	}
	_, body := get(t, site+"/rest/api/3/project/search?maxResults=1000")
	if !bytes.Contains(body, []byte(`"maxResults":100,`)) {
		t.Errorf("maxResults above 100 does not fall back: %.200s", body)
	}
}

func TestSearchByPost(t *testing.T) {
	site := serve(t, Options{})
	post := func(t *testing.T, body string) (*http.Response, []byte) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, site+"/rest/api/3/search/jql", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth(DefaultEmail, DefaultToken)
		request.Header.Set("Content-Type", "application/json")
		return do(t, request)
	}
	_, got := post(t, `{"jql":"project = PAY","maxResults":3,"fields":["summary","*all","-comment"],"expand":"names","reconcileIssues":[10000]}`)
	_, want := get(t, site+"/rest/api/3/search/jql?jql=project+%3D+PAY&maxResults=3&fields=summary,*all&fields=-comment&expand=names")
	if !bytes.Equal(got, want) {
		t.Errorf("POST and GET differ:\n%.300s\n%.300s", got, want)
	}
	for _, bad := range []string{
		``, `[]`, `{"jql":1}`, `{"startAt":5,"jql":"project = PAY"}`, `{"jql":"project = PAY"} x`,
		`{"jql":"project = PAY","maxResults":-1}`, strings.Repeat(" ", 2<<20) + `{"jql":"project = PAY"}`,
		`{"jql":"project = PAY","reconcileIssues":[` + strings.Repeat("1,", 50) + `1]}`,
	} {
		if response, body := post(t, bad); response.StatusCode != http.StatusBadRequest {
			t.Errorf("%.60s: got %d %s", bad, response.StatusCode, body)
		}
	}
}

func TestPageTokens(t *testing.T) {
	now := epoch(1)
	var mu sync.Mutex
	site := serve(t, Options{Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	first := func(jql string) string {
		_, body := get(t, site+"/rest/api/3/search/jql?maxResults=10&jql="+url.QueryEscape(jql))
		return decodePage(t, body).NextPageToken
	}
	token := first("project = PAY")
	flipped := []byte(token)
	flipped[3] ^= 1
	cases := []struct {
		name, jql, token string
		advance          time.Duration
		want             int
	}{
		{"its own query", "project = PAY", token, 0, 200},
		{"another query", "project = OPS", token, 0, 400},
		{"a changed token", "project = PAY", string(flipped), 0, 400},
		{"a short token", "project = PAY", token[:8], 0, 400},
		{"not a token", "project = PAY", "startAt=50", 0, 400},
		{"an old token", "project = PAY", token, 8 * 24 * time.Hour, 400},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			mu.Lock()
			now = now.Add(c.advance)
			mu.Unlock()
			query := url.Values{"jql": {c.jql}, "nextPageToken": {c.token}}
			response, body := get(t, site+"/rest/api/3/search/jql?"+query.Encode())
			if response.StatusCode != c.want {
				t.Errorf("got %d, want %d: %s", response.StatusCode, c.want, body)
			}
		})
	}
}

// startAt is what the removed search had: the new one ignores it, so a client that relies on it loops for ever.
func TestStartAtIsIgnored(t *testing.T) {
	site := serve(t, Options{})
	_, with := get(t, site+"/rest/api/3/search/jql?jql=project%3DPAY&startAt=50")
	_, without := get(t, site+"/rest/api/3/search/jql?jql=project%3DPAY")
	if !bytes.Equal(with, without) {
		t.Error("startAt changes the page")
	}
}

func TestEqualSeedsGiveEqualBytes(t *testing.T) {
	fetchAll := func(seed uint64) string {
		s, err := New(Options{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		all := ""
		for _, path := range []string{
			"serverInfo", "myself", "project/search?expand=description,lead", "issue/PAY-3/comment",
			"search/jql?jql=project%3DOPS&fields=*all&maxResults=100",
		} {
			request := httptest.NewRequest(http.MethodGet, "/acme/rest/api/3/"+path, http.NoBody)
			request.SetBasicAuth(DefaultEmail, DefaultToken)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, request)
			all += w.Body.String()
		}
		return all
	}
	one, again, other := fetchAll(7), fetchAll(7), fetchAll(8)
	if one != again {
		t.Error("equal seeds differ")
	}
	if one == other {
		t.Error("another seed gives the same")
	}
}

// A value must not depend on which other fields are asked for, nor on the way to the issue.
func TestFieldsAreIndependent(t *testing.T) {
	site := serve(t, Options{})
	fields := func(path string) map[string]json.RawMessage {
		_, body := get(t, site+path)
		var issue struct{ Fields map[string]json.RawMessage }
		if err := json.Unmarshal(body, &issue); err != nil {
			t.Fatal(err)
		}
		return issue.Fields
	}
	all := fields("/rest/api/3/issue/WEB-17")
	for _, f := range newFieldTable().all {
		alone := fields("/rest/api/3/issue/10082?fields=" + f.id)
		if len(alone) != 1 || !bytes.Equal(alone[f.id], all[f.id]) {
			t.Errorf("%s alone is %s, among all %s", f.id, alone[f.id], all[f.id])
		}
	}
	if got := fields("/rest/api/3/issue/WEB-17?fields=*navigable,-summary,nonsense"); got["summary"] != nil || got["comment"] != nil || got["status"] == nil {
		t.Errorf("*navigable,-summary gives %d fields", len(got))
	}
}

// The content must stay as hostile as it is meant to be.
func TestContentIsHostile(t *testing.T) {
	site := serve(t, Options{})
	ids := walk(t, site, "project = PAY", "id", 5000)
	seen := map[string]bool{}
	for _, id := range ids {
		_, body := get(t, site+"/rest/api/3/issue/"+id)
		if !utf8.Valid(body) || !json.Valid(body) {
			t.Fatalf("issue %s is not valid UTF-8 JSON", id)
		}
		var issue struct {
			Fields struct {
				Summary     string
				Description *json.RawMessage
				Assignee    *json.RawMessage
				Comment     struct {
					Total    int
					Comments []json.RawMessage
				}
			}
		}
		if err := json.Unmarshal(body, &issue); err != nil {
			t.Fatal(err)
		}
		f := issue.Fields
		seen["null description"] = seen["null description"] || f.Description == nil
		seen["nobody assigned"] = seen["nobody assigned"] || f.Assignee == nil
		seen["longest summary"] = seen["longest summary"] || utf8.RuneCountInString(f.Summary) == longestSummary
		seen["truncated comments"] = seen["truncated comments"] || len(f.Comment.Comments) < f.Comment.Total
		seen["no comments"] = seen["no comments"] || f.Comment.Total == 0
		for _, mark := range []string{
			`"mention"`, `"emoji"`, `"inlineCard"`, `"codeBlock"`, `"table"`, `"panel"`, `"taskList"`, `"status"`, `"date"`,
			`"media"`, `"nestedExpand"`, `"quantumBlock"`, "9007199254740993", `1E+2`, `\u00e9`, "支払い", "مشكلة", "🚀",
		} {
			seen[mark] = seen[mark] || bytes.Contains(body, []byte(mark))
		}
		if utf8.RuneCountInString(f.Summary) > longestSummary || strings.ContainsAny(f.Summary, "\r\n") {
			t.Errorf("summary %q could not exist in Jira", f.Summary)
		}
	}
	for what, found := range seen {
		if !found {
			t.Errorf("%s never occurs", what)
		}
	}
}

func TestConcurrentClients(t *testing.T) {
	site := serve(t, Options{Faults: []Fault{mustFault(t, "latency=1ms,rate=0.1")}})
	_, want := get(t, site+"/rest/api/3/search/jql?jql=project%3DPAY&fields=*all")
	var group sync.WaitGroup
	errs := make(chan error, 16)
	for range 16 {
		group.Go(func() {
			for range 5 {
				body, _, err := fetch(t.Context(), site+"/rest/api/3/search/jql?jql=project%3DPAY&fields=*all")
				if err != nil || !bytes.Equal(body, want) {
					errs <- fmt.Errorf("%w or another body", err)
					return
				}
			}
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
}
