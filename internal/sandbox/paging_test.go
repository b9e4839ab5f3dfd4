package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// issuePage is what a client reads of a search page.
type issuePage struct {
	Issues []struct {
		ID, Key string
		Fields  struct {
			Summary          *string
			Created, Updated string
		}
	}
	NextPageToken string
	IsLast        bool
}

func decodePage(t testing.TB, body []byte) issuePage {
	t.Helper()
	var page issuePage
	if err := json.Unmarshal(body, &page); err != nil {
		t.Fatalf("%v in %.200s", err, body)
	}
	return page
}

// walk follows a query to its end and returns the ids in the order given.
func walk(t testing.TB, site, jql, fields string, size int) []string {
	t.Helper()
	var ids []string
	for token := ""; ; {
		query := url.Values{"jql": {jql}, "fields": {fields}, "maxResults": {fmt.Sprint(size)}}
		if token != "" {
			query.Set("nextPageToken", token)
		}
		response, body := get(t, site+"/rest/api/3/search/jql?"+query.Encode())
		if response.StatusCode != http.StatusOK {
			t.Fatalf("%s: status %d: %s", jql, response.StatusCode, body)
		}
		page := decodePage(t, body)
		for _, issue := range page.Issues {
			ids = append(ids, issue.ID)
		}
		if page.IsLast != (page.NextPageToken == "") {
			t.Fatalf("isLast = %v with token %q", page.IsLast, page.NextPageToken)
		}
		if token = page.NextPageToken; token == "" {
			return ids
		}
	}
}

func TestPagingVisitsEachIssueOnce(t *testing.T) {
	site := serve(t, Options{Issues: 1003, Projects: 4})
	queries := []struct {
		jql  string
		want int
	}{
		{"project = PAY ORDER BY updated ASC, id ASC", 251},
		{"project = DATA ORDER BY updated DESC, key ASC", 250},
		{"project in (PAY, DATA) ORDER BY updated", 501},
		{"updated >= 0 ORDER BY key DESC", 1003},
		{"updated >= 0", 1003},
		{"created >= 0 ORDER BY created DESC", 1003},
		{"status != Done OR status = Done", 1003},
	}
	for _, q := range queries {
		for _, size := range []int{1, 7, 50, 100, 101} {
			if size == 1 && q.want > 300 {
				continue
			}
			t.Run(fmt.Sprintf("%s by %d", q.jql, size), func(t *testing.T) {
				ids := walk(t, site, q.jql, "summary", size)
				seen := map[string]bool{}
				for _, id := range ids {
					seen[id] = true
				}
				if len(ids) != q.want || len(seen) != q.want {
					t.Errorf("got %d issues, %d distinct, want %d", len(ids), len(seen), q.want)
				}
			})
		}
	}
}

func TestPageSizes(t *testing.T) {
	site := serve(t, Options{Issues: 6000, Projects: 1})
	cases := []struct {
		name, parameters string
		want             int
	}{
		{"default", "", 50},
		{"zero means the default", "&maxResults=0", 50},
		{"fields are capped at 100", "&maxResults=5000&fields=summary", 100},
		{"ids go up to 5000", "&maxResults=9999", 5000},
		{"keys go up to 5000", "&maxResults=5000&fields=key", 5000},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, body := get(t, site+"/rest/api/3/search/jql?jql=project%3DPAY"+c.parameters)
			if got := len(decodePage(t, body).Issues); got != c.want {
				t.Errorf("got %d issues, want %d", got, c.want)
			}
		})
	}
}

func TestMillionIssues(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s, err := New(Options{Issues: 1_000_000, Projects: 3})
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("a site of a million issues holds %d bytes", grown)
	}
	runtime.KeepAlive(s)

	site := serve(t, Options{Issues: 1_000_000, Projects: 3})
	t.Run("every id once", func(t *testing.T) {
		seen := make([]bool, 1_000_000)
		runtime.GC()
		runtime.ReadMemStats(&before)
		for token := ""; ; {
			_, body := get(t, site+"/rest/api/3/search/jql?maxResults=5000&jql=updated%3E%3D0+order+by+updated&nextPageToken="+token)
			page := decodePage(t, body)
			for _, issue := range page.Issues {
				id, err := strconv.Atoi(issue.ID)
				if err != nil || seen[id-firstIssueID] {
					t.Fatalf("id %q: %v, or seen twice", issue.ID, err)
				}
				seen[id-firstIssueID] = true
			}
			if token = page.NextPageToken; token == "" {
				break
			}
		}
		for index, yes := range seen {
			if !yes {
				t.Fatalf("index %d was never seen", index)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
			t.Errorf("the heap grew by %d bytes over a million issues", grown)
		}
	})
	t.Run("a deep page looks at its issues only", func(t *testing.T) {
		w := testWorld(Options{Issues: 1_000_000, Projects: 3})
		pl := planOf(t, w, "project = OPS ORDER BY updated, id")
		found, next, more := pl.page(t.Context(), &pen{world: w}, planPlace{position: 300_000}, 100)
		if len(found) != 100 || next.position != 300_100 || !more {
			t.Errorf("got %d issues, next %+v, more %v", len(found), next, more)
		}
	})
}

// A filter that refuses everything must not hold a request for the whole site.
func TestScanIsBoundedPerPage(t *testing.T) {
	site := serve(t, Options{Issues: 50_000, Projects: 1})
	_, body := get(t, site+"/rest/api/3/search/jql?jql="+url.QueryEscape(`summary ~ "no such words"`))
	page := decodePage(t, body)
	if len(page.Issues) != 0 || page.NextPageToken == "" {
		t.Errorf("got %d issues and token %q, want an empty page that goes on", len(page.Issues), page.NextPageToken)
	}
	if ids := walk(t, site, `summary ~ "no such words"`, "id", 50); len(ids) != 0 {
		t.Errorf("got %d issues, want none", len(ids))
	}
}

func TestCommentsToTheLastPage(t *testing.T) {
	site := serve(t, Options{})
	for _, order := range []string{"", "created", "-created"} {
		for _, size := range []int{1, 33, 100, 1000} {
			seen := map[string]bool{}
			previous := time.Time{}
			for total := 1; len(seen) < total; {
				_, body := get(t, fmt.Sprintf("%s/rest/api/3/issue/PAY-3/comment?startAt=%d&maxResults=%d&orderBy=%s", site, len(seen), size, order))
				var page struct {
					Total, MaxResults int
					Comments          []struct{ ID, Created string }
				}
				if err := json.Unmarshal(body, &page); err != nil {
					t.Fatal(err)
				}
				if page.MaxResults > 100 || len(page.Comments) == 0 {
					t.Fatalf("maxResults %d, %d comments", page.MaxResults, len(page.Comments))
				}
				for _, comment := range page.Comments {
					created := parseTime(t, comment.Created)
					backwards := strings.HasPrefix(order, "-")
					if seen[comment.ID] || (!previous.IsZero() && created.Before(previous) != backwards && !created.Equal(previous)) {
						t.Fatalf("comment %s is repeated or out of order", comment.ID)
					}
					seen[comment.ID], previous = true, created
				}
				total = page.Total
			}
			if len(seen) != crowdedComments {
				t.Errorf("order %q by %d: got %d comments, want %d", order, size, len(seen), crowdedComments)
			}
		}
	}
}

func parseTime(t testing.TB, value string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02T15:04:05.000-0700", value)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
