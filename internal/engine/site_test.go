package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// site is a connected system as tests set it: two items to a page.
type site struct {
	mu       sync.Mutex
	now      time.Time
	boxes    []string
	items    map[string]connectors.Item
	comments map[string][]string // by item
	fate     map[string]connectors.AbsenceReason

	fails   map[string]error // when the items of a container are asked for
	silent  map[string]error // when the comments of an item are asked for
	cut     int              // how many more pages of items are given before every answer fails; negative for all
	era     int              // page tokens of another one are refused
	noSince bool             // whether changes cannot be asked for
	hides   []string         // ids that listings of ids leave out

	said  map[string]time.Time // when comments of an item changed, nil where that changes the item
	deaf  []connectors.Gap     // what a listing of such items tells that it leaves out
	stale int                  // how often a page token of it is refused
	asked []string
}

func newSite(boxes ...string) *site {
	return &site{
		now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), boxes: boxes, cut: -1, items: map[string]connectors.Item{}, comments: map[string][]string{},
		fate: map[string]connectors.AbsenceReason{}, fails: map[string]error{}, silent: map[string]error{},
	}
}

// put adds or changes an item.
func (s *site) put(box, id, name string) {
	at := s.now
	s.items[id] = connectors.Item{ID: id, Name: name, ContainerID: box, UpdatedAt: &at}
	delete(s.fate, id)
}

func (s *site) remove(id string, why connectors.AbsenceReason) {
	delete(s.items, id)
	s.fate[id] = why
}

func (s *site) Probe(context.Context) (connectors.ProbeResult, error) {
	return connectors.ProbeResult{}, nil
}

func (s *site) SystemTime(context.Context) (time.Time, error) { return s.now, nil }

func (s *site) ListContainers(_ context.Context, _ connectors.ContainerQuery) (connectors.Page[connectors.Container], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var page connectors.Page[connectors.Container]
	for _, b := range s.boxes {
		page.Items = append(page.Items, connectors.Container{ID: b, Label: "box " + b})
	}
	return page, nil
}

func (s *site) of(box string, since time.Time) []connectors.Item {
	var list []connectors.Item
	for _, it := range s.items {
		if it.ContainerID == box && !it.UpdatedAt.Before(since) {
			list = append(list, it)
		}
	}
	slices.SortFunc(list, func(a, b connectors.Item) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

func (s *site) ListItems(_ context.Context, q connectors.ItemQuery) (connectors.Page[connectors.Item], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, q.ContainerID+" "+string(q.Cursor))
	var page connectors.Page[connectors.Item]
	switch {
	case s.fails[q.ContainerID] != nil:
		return page, s.fails[q.ContainerID]
	case !slices.Contains(s.boxes, q.ContainerID):
		return page, connectors.Errorf(connectors.NotFound, "no box %s", q.ContainerID)
	case s.noSince && !q.UpdatedAfter.IsZero():
		return page, connectors.Errorf(connectors.Unsupported, "no changes")
	case s.cut == 0:
		return page, connectors.Errorf(connectors.RateLimited, "no more today")
	}
	s.cut--
	era, after, _ := strings.Cut(string(q.Cursor), "|")
	if q.Cursor != "" && era != strconv.Itoa(s.era) {
		return page, connectors.Errorf(connectors.InvalidRequest, "the page token has expired")
	}
	for _, it := range s.of(q.ContainerID, q.UpdatedAfter) {
		if it.ID <= after {
			continue
		}
		if len(page.Items) == 2 {
			page.Next = connectors.Cursor(fmt.Sprintf("%d|%s", s.era, page.Items[1].ID))
			break
		}
		page.Items = append(page.Items, it)
	}
	return page, nil
}

func (s *site) ListComments(_ context.Context, q connectors.CommentQuery) (connectors.Page[connectors.Comment], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var page connectors.Page[connectors.Comment]
	if err := s.silent[q.ItemID]; err != nil {
		return page, err
	}
	if _, ok := s.items[q.ItemID]; !ok {
		return page, connectors.Errorf(connectors.NotFound, "no item %s", q.ItemID)
	}
	for _, text := range s.comments[q.ItemID] {
		page.Items = append(page.Items, connectors.Comment{ID: q.ItemID + "/" + text, ItemID: q.ItemID, Text: text})
	}
	return page, nil
}

// ListCommented gives one id to a page.
func (s *site) ListCommented(_ context.Context, q connectors.ChangedIDQuery) (connectors.Page[string], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	page := connectors.Page[string]{Incomplete: s.deaf}
	switch {
	case s.said == nil:
		return page, connectors.Errorf(connectors.Unsupported, "comments change their items")
	case q.Cursor != "" && s.stale > 0:
		s.stale--
		return page, connectors.Errorf(connectors.InvalidRequest, "the page token has expired")
	}
	s.asked = append(s.asked, q.ContainerID+" said "+string(q.Cursor))
	for _, id := range slices.Sorted(maps.Keys(s.said)) {
		if id <= string(q.Cursor) || s.items[id].ContainerID != q.ContainerID || s.said[id].Before(q.After) {
			continue
		}
		if len(page.Items) == 1 {
			page.Next = connectors.Cursor(page.Items[0])
			break
		}
		page.Items = append(page.Items, id)
	}
	return page, nil
}

func (s *site) ListIDs(_ context.Context, q connectors.IDQuery) (connectors.Page[string], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var page connectors.Page[string]
	for _, it := range s.of(q.ContainerID, time.Time{}) {
		if !slices.Contains(s.hides, it.ID) {
			page.Items = append(page.Items, it.ID)
		}
	}
	return page, nil
}

func (s *site) ResolveAbsences(_ context.Context, box string, ids []string) ([]connectors.Absence, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []connectors.Absence
	for _, id := range ids {
		a := connectors.Absence{ID: id, Reason: cmp.Or(s.fate[id], connectors.Gone)}
		if it, ok := s.items[id]; ok {
			if a.Reason = connectors.Present; it.ContainerID != box {
				a.Reason = connectors.Moved
			}
		}
		out = append(out, a)
	}
	return out, nil
}

// plainSealer seals nothing.
type plainSealer struct{}

func (plainSealer) Seal(_ string, plain []byte) (string, error)  { return string(plain), nil }
func (plainSealer) Open(_ string, sealed string) ([]byte, error) { return []byte(sealed), nil }

func (s *site) open(t *testing.T) *connectors.Conn {
	t.Helper()
	def := &connectors.Definition{
		ID: "site", Name: "Site", Group: connectors.GroupSaaS, Summary: "A site.", Container: "box", Item: "thing",
		Auth:    []connectors.AuthMethod{{ID: "none", Name: "None", Scheme: connectors.SchemeDriver}},
		Filters: []string{connectors.CapUpdatedAfter}, Driver: (*site)(nil), New: func(connectors.Env) (connectors.Driver, error) { return s, nil },
	}
	config, err := def.ParseConfig(map[string]any{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := connectors.Open(connectors.Options{Env: connectors.Env{Config: config}, Sealer: plainSealer{}, Binding: "b"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ledger is a [Memory] as the records of a store are one.
type ledger struct {
	mu    sync.Mutex
	stamp int64
	recs  map[string]domain.Record
	fail  error // of every put, where it is set
	// put is told of every put, after it.
	put func(rs []domain.Record, outcomes []domain.Outcome)
}

func newLedger() *ledger { return &ledger{recs: map[string]domain.Record{}} }

func (l *ledger) Put(_ context.Context, rs []domain.Record) ([]domain.Outcome, error) {
	out, err := l.keep(rs)
	if l.put != nil {
		l.put(rs, out)
	}
	return out, err
}

func (l *ledger) keep(rs []domain.Record) ([]domain.Outcome, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return nil, l.fail
	}
	met := map[string]bool{}
	out := make([]domain.Outcome, len(rs))
	for i, r := range rs {
		key := string(r.Kind) + " " + r.ID
		if met[key] {
			panic(key + " comes twice in one put")
		}
		met[key] = true
		is, known := l.recs[key]
		switch {
		case r.Deleted && (!known || is.Deleted || r.ContainerID != "" && is.ContainerID != r.ContainerID):
			out[i] = domain.Unchanged
			continue
		case r.Deleted:
			out[i] = domain.Tombstone
			r.ContainerID, r.ItemID = is.ContainerID, is.ItemID
		case known && !is.Deleted && is.Hash == r.Hash:
			out[i] = domain.Unchanged
			is.Seen = max(r.Seen, is.Seen)
			l.recs[key] = is
			continue
		case known && !is.Deleted:
			out[i] = domain.Updated
		default:
			out[i] = domain.Created
		}
		r.Seen = max(r.Seen, is.Seen)
		l.recs[key] = r
	}
	return out, nil
}

func (l *ledger) Stamp() int64 { return l.stamp }

func (l *ledger) Mark(_ context.Context, kind domain.Kind, ids []string, seen int64) (missing []string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		r, ok := l.recs[string(kind)+" "+id]
		if !ok || r.Deleted {
			missing = append(missing, id)
			continue
		}
		r.Seen = max(r.Seen, seen)
		l.recs[string(kind)+" "+id] = r
	}
	return missing, nil
}

func (l *ledger) find(q store.RecordFind) []domain.Record {
	var out []domain.Record
	for _, key := range slices.Sorted(maps.Keys(l.recs)) {
		r := l.recs[key]
		if r.Kind == q.Kind && !r.Deleted && (q.ContainerID == "" || q.ContainerID == r.ContainerID) && (q.ItemID == "" || q.ItemID == r.ItemID) &&
			(q.SeenBelow == 0 || r.Seen < q.SeenBelow) {
			out = append(out, r)
		}
	}
	return out
}

func (l *ledger) Find(_ context.Context, q store.RecordFind, p store.List) ([]domain.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []domain.Record
	for _, r := range l.find(q) {
		if r.ID > p.After && len(out) < p.Limit {
			out = append(out, r)
		}
	}
	return out, nil
}

func (l *ledger) Count(_ context.Context, q store.RecordFind) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.find(q)), nil
}

// alive returns what is remembered, by kind and id, with names.
func (l *ledger) alive() string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(l.recs)) {
		if !l.recs[key].Deleted {
			out = append(out, strings.TrimPrefix(key, "item "))
		}
	}
	return strings.Join(slices.DeleteFunc(out, func(s string) bool { return strings.HasPrefix(s, "container") }), ",")
}

// shelf keeps positions.
type shelf struct {
	mu   sync.Mutex
	text map[string]string
}

type shelved struct {
	shelf *shelf
	name  string
}

func (s *shelf) Open(_ context.Context, stream, container string) (Position, error) {
	return shelved{s, stream + "/" + container}, nil
}

func (p shelved) Text() string {
	p.shelf.mu.Lock()
	defer p.shelf.mu.Unlock()
	return p.shelf.text[p.name]
}

func (p shelved) Save(_ context.Context, text string) error {
	p.shelf.mu.Lock()
	defer p.shelf.mu.Unlock()
	p.shelf.text[p.name] = text
	return nil
}
