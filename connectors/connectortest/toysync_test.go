package connectortest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// toyTalk are the things that the toy system's notes are on, note by note.
var toyTalk = map[string][]string{"red": {"r1", "r1", "r2", "r1", "r5", "r1"}, "green": {"g2"}, "blue": {}, "tiny": {}}

// toyPage is how many of them a page of the toy has.
const toyPage = 2

// talk answers which things of a box have notes that changed.
func (s toySystem) talk(w http.ResponseWriter, r *http.Request) {
	box := r.PathValue("box")
	ids, ok := toyTalk[box]
	if !ok {
		say(w, 404, `{"message":"no such box"}`)
		return
	}
	if since, err := time.Parse(time.RFC3339, r.URL.Query().Get("since")); err == nil && since.Year() > 2100 {
		ids = nil
	}
	more := ""
	if s.gap && box == "red" {
		ids, more = ids[:4], `"hidden":"notes by others", `
	}
	s.listWith(w, r, more, "commented", ids, func(id string) string { return fmt.Sprintf(`{"id":%q}`, id) })
}

// toyClock is the time as the toy's latest answer told it.
type toyClock struct {
	mu          sync.Mutex
	told, local time.Time
	asked       int
}

func (k *toyClock) note(h http.Header, b bugs) {
	at, err := http.ParseTime(h.Get("Date"))
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil || b.has("time/set_back") && at.Before(k.told) {
		return
	}
	k.told, k.local = at, time.Now()
}

// now returns the time, if it is known.
func (k *toyClock) now(b bugs) (time.Time, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := k.told.Add(time.Since(k.local))
	if k.asked++; b.has("time/backwards") && k.asked%2 == 0 {
		at = at.Add(-3 * time.Second)
	}
	return at, !k.told.IsZero()
}

func (d *toyDriver) SystemTime(ctx context.Context) (time.Time, error) {
	at, err := d.systemTime(ctx)
	switch {
	case err != nil:
	case d.bugs.has("time/ours"):
		return time.Now().Add(-5 * time.Minute), nil
	case d.bugs.has("time/long ago"):
		return time.Unix(0, 0), nil
	}
	return at, err
}

func (d *toyDriver) systemTime(ctx context.Context) (time.Time, error) {
	if at, ok := d.clock.now(d.bugs); ok {
		return at, nil
	}
	var info struct{ Title string }
	err := d.get(ctx, "time", "/info", nil, &info)
	switch {
	case errors.Is(err, errSwallowed):
		return time.Now(), nil
	case err != nil:
		return time.Time{}, err
	case info.Title == "" && !d.lenient("time"):
		return time.Time{}, connectors.Errorf(connectors.ProviderError, "the toy does not tell who it is")
	}
	if at, ok := d.clock.now(d.bugs); ok {
		return at, nil
	}
	if d.bugs.has("time/undated") {
		return time.Now(), nil
	}
	return time.Now().Add(-5 * time.Minute), nil
}

func (d *toyDriver) CountComments(it connectors.Item) (n int, known bool) {
	var is struct{ Notes *int }
	err := json.Unmarshal(it.Raw, &is)
	switch {
	case d.bugs.has("count/known"):
		return 0, false
	case d.bugs.has("count/odd_raw") && err != nil:
		return 0, true
	case d.bugs.has("count/odd_raw by a panic"):
		return *is.Notes, true
	case err != nil || is.Notes == nil:
		return 0, false
	case d.bugs.has("count/right") && *is.Notes > 3:
		return 3, true
	case d.bugs.has("count/no_request"):
		_ = d.get(context.Background(), "time", "/info", nil, new(any))
	}
	return *is.Notes, true
}

func (d *toyDriver) ListCommented(ctx context.Context, q connectors.ChangedIDQuery) (connectors.Page[string], error) {
	params := url.Values{}
	if !q.After.IsZero() && !d.bugs.has("commented/updated_after") {
		params.Set("since", q.After.UTC().Format(time.RFC3339))
	}
	path := "/boxes/" + d.segment(q.ContainerID) + "/talk"
	page, err := listToys(ctx, d, "commented", path, params, q.Cursor, toyPage, func(o toyObject, _ json.RawMessage) string { return o.ID })
	for i := range page.Incomplete {
		page.Incomplete[i].ContainerID = q.ContainerID
	}
	switch {
	case err != nil:
	case d.bugs.has("commented/every_item") && q.Cursor != "" && page.Next == "":
		page.Items = nil
	case d.bugs.has("commented/own_items") && q.ContainerID == "red":
		page.Items = append(page.Items, "g1")
	case d.bugs.has("commented/a gap where there is none") && len(page.Incomplete) == 0:
		page.Incomplete = []connectors.Gap{{ContainerID: q.ContainerID, Code: connectors.Reauthorize, Reason: "hidden"}}
	case d.bugs.has("commented/gaps of no container"):
		for i := range page.Incomplete {
			page.Incomplete[i].ContainerID = ""
		}
	case d.bugs.has("commented/gaps without a reason"):
		for i := range page.Incomplete {
			page.Incomplete[i].Reason = ""
		}
	}
	return page, err
}
