package jira

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
)

// dataCenter is a Data Center whose issues change between requests. It pages by number and compares times as precisely
// as it is told.
type dataCenter struct {
	issues  []dcIssue
	between func(*dataCenter) // called before every search
	minutes bool              // whether times are compared by the minute
	asks    int
}

type dcIssue struct {
	id               int
	created, updated int64 // milliseconds since 1970
}

var dcSince = regexp.MustCompile(`(created|updated) >= ([0-9]+)`)

func (d *dataCenter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/rest/api/2/myself" {
		send(w, 200, serverMe)
		return
	}
	if r.URL.Path != "/rest/api/2/search" {
		refuse(w, 404, "unexpected "+r.URL.Path)
		return
	}
	var q serverSearch
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		refuse(w, 400, err.Error())
		return
	}
	d.asks++
	if d.between != nil {
		d.between(d)
	}
	found := d.find(q.JQL)
	from := min(int(q.StartAt), len(found))
	until := min(from+q.MaxResults, len(found))
	entries := []string{}
	for _, is := range found[from:until] {
		at := func(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000-0700") }
		entries = append(entries, fmt.Sprintf(`{"id":"%d","key":"PAY-%d","fields":{"project":{"key":"PAY"},"created":"%s","updated":"%s"}}`, is.id, is.id, at(is.created), at(is.updated)))
	}
	send(w, 200, fmt.Sprintf(`{"startAt":%d,"total":%d,"issues":[%s]}`, q.StartAt, len(found), strings.Join(entries, ",")))
}

func (d *dataCenter) find(jql string) []dcIssue {
	where, order, _ := strings.Cut(jql, " ORDER BY ")
	found := slices.Clone(d.issues)
	for _, m := range dcSince.FindAllStringSubmatch(where, -1) {
		since, _ := strconv.ParseInt(m[2], 10, 64)
		if d.minutes {
			since -= since % 60_000
		}
		found = slices.DeleteFunc(found, func(is dcIssue) bool { return is.time(m[1]) < since })
	}
	field, _, _ := strings.Cut(order, " ")
	slices.SortFunc(found, func(a, b dcIssue) int {
		return cmp.Or(cmp.Compare(a.time(field), b.time(field)), cmp.Compare(a.id, b.id))
	})
	return found
}

func (is dcIssue) time(field string) int64 {
	switch field {
	case "created":
		return is.created
	case "updated":
		return is.updated
	}
	return int64(is.id)
}

// dcDriver returns the driver for a Data Center.
func dcDriver(t *testing.T, h http.Handler) *Driver {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	config, err := Definition.ParseConfig(map[string]any{"auth_method": atlassian.MethodPAT, "base_url": s.URL, "personal_token": token})
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDriver(connectors.Env{Config: config, HTTP: s.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return d.(*Driver)
}

const dcStart = 1_770_000_000_000

// TestServerListingWhileIssuesChange lists random sites that change between any two requests: whatever was there all the
// time and did not change is listed.
func TestServerListingWhileIssuesChange(t *testing.T) {
	for seed := range uint64(400) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		site := &dataCenter{minutes: rnd.IntN(3) == 0}
		step := []int64{0, 1, 1000, 90_000}[rnd.IntN(4)] // many of one instant, or far apart
		for i := range 60 + rnd.IntN(100) {
			site.issues = append(site.issues, dcIssue{i + 1, dcStart + int64(i/3)*step, dcStart + int64(rnd.IntN(40))*step})
		}
		steady := map[string]bool{}
		for _, is := range site.issues {
			steady[strconv.Itoa(is.id)] = true
		}
		clock, last := int64(dcStart+100*90_000), 1000
		site.between = func(d *dataCenter) {
			if d.asks > 60 {
				return // a listing of changes does not end before the changes do
			}
			for range rnd.IntN(4) {
				i := rnd.IntN(len(d.issues))
				switch id := strconv.Itoa(d.issues[i].id); rnd.IntN(3) {
				case 0:
					delete(steady, id)
					d.issues = slices.Delete(d.issues, i, i+1)
				case 1:
					delete(steady, id)
					clock += step + 1
					d.issues[i].updated = clock
				case 2:
					clock += step + 1
					last++
					if len(d.issues) < 200 {
						d.issues = append(d.issues, dcIssue{last, clock, clock})
					}
				}
			}
		}
		q := connectors.ItemQuery{Limit: 5 + rnd.IntN(20)}
		if rnd.IntN(2) == 0 {
			q.UpdatedAfter = time.UnixMilli(dcStart)
		}
		d := dcDriver(t, site)
		for pages := 0; ; pages++ {
			page, err := d.ListItems(bg(), q)
			if err != nil || pages > 200 {
				t.Fatalf("seed %d: page %d: %v", seed, pages, err)
			}
			for _, it := range page.Items {
				delete(steady, it.ID)
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if len(steady) > 0 {
			t.Fatalf("seed %d: %d issues that did not change are missing: %v", seed, len(steady), steady)
		}
	}
}

// TestServerListingOfASteadySite expects every issue once, in few requests.
func TestServerListingOfASteadySite(t *testing.T) {
	for name, q := range map[string]connectors.ItemQuery{
		"by creation": {}, "by change": {UpdatedAfter: time.UnixMilli(1)}, "by an order of its own": {Query: "ORDER BY id ASC"},
	} {
		t.Run(name, func(t *testing.T) {
			site := &dataCenter{}
			for i := range 1000 {
				site.issues = append(site.issues, dcIssue{i + 1, dcStart + int64(i), dcStart + int64(i)})
			}
			d := dcDriver(t, site)
			var ids []string
			for q.Limit = 50; ; {
				page, err := d.ListItems(bg(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, it := range page.Items {
					ids = append(ids, it.ID)
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			slices.Sort(ids)
			if len(ids) != 1000 || len(slices.Compact(ids)) != 1000 {
				t.Errorf("got %d issues, %d different", len(ids), len(slices.Compact(ids)))
			}
			if site.asks > 42 {
				t.Errorf("took %d requests for 20 pages", site.asks)
			}
		})
	}
}

func TestServerIDs(t *testing.T) {
	site := &dataCenter{}
	for i := range 2500 {
		site.issues = append(site.issues, dcIssue{i + 1, dcStart + int64(i/10), dcStart})
	}
	d := dcDriver(t, site)
	seen := map[string]bool{}
	q := connectors.IDQuery{ContainerID: "PAY"}
	for {
		page, err := d.ListIDs(bg(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range page.Items {
			seen[id] = true
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if len(seen) != 2500 || site.asks > 5 {
		t.Errorf("got %d ids in %d requests", len(seen), site.asks)
	}
}

func TestServerFaults(t *testing.T) {
	for name, tt := range map[string]struct{ cursor, body, words string }{
		"a cursor of the cloud": {"0..token", "", "start without one"},
		"a negative place":      {"-1.0.7", "", "start without one"},
		"a hostile anchor":      {"1.0.7,a b", "", "start without one"},
		"no anchor":             {"1.0.", "", "start without one"},
		"no issues":             {"", `{"startAt":0,"total":3}`, "without issues"},
		"no total":              {"", `{"startAt":0,"issues":[]}`, "without issues or their number"},
		"another page":          {"", `{"startAt":50,"total":3,"issues":[]}`, "another page"},
		"too many":              {"", `{"startAt":0,"total":3,"issues":[{},{},{}]}`, "more issues"},
		"an issue without time": {"", `{"startAt":0,"total":1,"issues":[{"id":"1","key":"A-1","fields":{}}]}`, "without the time"},
		"a short page":          {string(foothold{since: parseTime(april).UnixMilli(), anchors: []string{"7"}}.cursor()), `{"startAt":0,"total":9,"issues":[{"id":"7","key":"A-1","fields":{"created":"` + april + `"}}]}`, "an empty page"},
	} {
		t.Run(name, func(t *testing.T) {
			d := dcDriver(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { send(w, 200, tt.body) }))
			_, err := d.ListItems(bg(), connectors.ItemQuery{Limit: 1, Cursor: connectors.Cursor(tt.cursor)})
			want := connectors.ProviderError
			if tt.body == "" {
				want = connectors.InvalidRequest
			}
			wantError(t, err, want, tt.words)
		})
	}
}

func TestWrongKindOfToken(t *testing.T) {
	d := dcDriver(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { send(w, 200, cloudInfo) }))
	_, err := d.Probe(bg())
	wantError(t, err, connectors.InvalidRequest, "this is Jira Cloud, which knows no personal access tokens: use api_key")
}
