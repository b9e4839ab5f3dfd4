package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/sandbox"
	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/store"
)

// synced is a stored connection that jobs work at.
type synced struct {
	*box
	name       string // of the site
	connection string
}

func (b *box) connected(t *testing.T, name, connector string) *synced {
	t.Helper()
	in := service.PutConnectionIn{}
	in.Body.ConnectorID, in.Body.Name, in.Body.Config = connector, "of "+name[:min(len(name), 40)], configOf(name, b.url)
	out, err := b.app.Service.PutConnection(t.Context(), "acme", in)
	if err != nil {
		t.Fatal(err)
	}
	return &synced{b, name, out.ID}
}

func (s *synced) store(t *testing.T) store.Store {
	t.Helper()
	st, err := s.app.Service.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// run runs a job to its end.
func (s *synced) run(ctx context.Context, t *testing.T, kind domain.JobType, p domain.JobParams) domain.Job {
	t.Helper()
	now := time.Now().UTC()
	j := domain.Job{
		Meta: domain.Meta{Tenant: "acme", Revision: 1, CreatedAt: now, UpdatedAt: now}, ID: domain.NewID(domain.JobPrefix, now),
		ConnectionID: s.connection, Type: kind, Params: p, Status: domain.JobQueued,
	}
	if err := s.store(t).CreateJob(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	j, err := s.app.Jobs.RunJob(ctx, "acme", j.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// succeeds runs a job and expects it to succeed.
func (s *synced) succeeds(t *testing.T, kind domain.JobType, p domain.JobParams) domain.Job {
	t.Helper()
	j := s.run(t.Context(), t, kind, p)
	if j.Status != domain.JobSucceeded {
		t.Fatalf("%s: the job is %s: %+v, %+v", s.name, j.Status, j.Error, j.Incomplete)
	}
	return j
}

// stored returns what the records hold that is not deleted, and all that was ever deleted, from the beginning of the feed.
func (s *synced) stored(t *testing.T) (alive map[string]string, deleted map[string]string) {
	t.Helper()
	alive, deleted = map[string]string{}, map[string]string{}
	f, err := s.store(t).Feed(t.Context(), "acme", s.connection)
	if err != nil {
		t.Fatal(err)
	}
	for after := int64(0); ; {
		list, err := s.store(t).ListRecords(t.Context(), "acme", s.connection, store.RecordQuery{After: after, UpTo: f.Published, Raw: true, Limit: 500})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			if r.Change <= after {
				t.Fatalf("change %d after %d", r.Change, after)
			}
			after = r.Change
			if r.Deleted {
				deleted[string(r.Kind)+" "+r.ID] = r.Reason
			} else {
				alive[string(r.Kind)+" "+r.ID] = string(r.Value) + rawMark + string(r.Raw)
			}
		}
		if len(list) < 500 {
			return alive, deleted
		}
	}
}

// truth returns what the system holds now, read by listings.
func (s *synced) truth(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	keep := func(kind, id string, v any, raw json.RawMessage) {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		all[kind+" "+id] = string(text) + rawMark + string(raw)
	}
	in := list(connectorOf(s.name), configOf(s.name, s.url))
	in.Raw = true
	svc := s.app.Service
	var keys []string
	err := svc.EachContainerPage(t.Context(), "acme", service.ContainersIn{ListIn: in}, true, func(p connectors.Page[connectors.Container]) error {
		for _, k := range p.Items {
			raw := k.Raw
			k.Raw = nil
			keep("container", k.ID, k, raw)
			keys = append(keys, k.ID)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var items []string
	for _, key := range keys {
		err := svc.EachItemPage(t.Context(), "acme", service.ItemsIn{ListIn: in, ContainerID: key}, true, func(p connectors.Page[connectors.Item]) error {
			for _, it := range p.Items {
				raw := it.Raw
				it.Raw = nil
				keep("item", it.ID, it, raw)
				items = append(items, it.ID)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range items {
		err := svc.EachCommentPage(t.Context(), "acme", service.CommentsIn{ListIn: in, ItemID: id}, true, func(p connectors.Page[connectors.Comment]) error {
			for _, m := range p.Items {
				raw := m.Raw
				m.Raw = nil
				keep("comment", m.ID, m, raw)
			}
			return nil
		})
		if err != nil && connectors.CodeOf(err) != connectors.Unsupported {
			t.Fatal(err)
		}
	}
	return all
}

func connectorOf(name string) string {
	for _, id := range []string{"jira", "confluence", "salesforce"} {
		if len(name) >= len(id) && name[:len(id)] == id {
			return id
		}
	}
	return name
}

// rawMark divides a value from its raw form.
const rawMark = "\nraw: "

// equal holds what is stored against what the system has. The raw form of an item may quote others (links, parents), whose
// changes do not change the item: it is compared where everything was read anew.
func (s *synced) equal(t *testing.T, when string, raw bool) {
	t.Helper()
	want := s.truth(t)
	got, _ := s.stored(t)
	faults := 0
	form := func(text string) string {
		if !raw {
			text, _, _ = strings.Cut(text, rawMark)
		}
		return text
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if form(got[key]) != form(want[key]) {
			if faults++; faults < 5 {
				t.Errorf("%s: %s of %s:\nstored %.1500s\nsystem %.1500s", when, key, s.name, got[key], want[key])
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[key]; !ok {
			if faults++; faults < 5 {
				t.Errorf("%s: %s of %s is stored and not there: %.300s", when, key, s.name, got[key])
			}
		}
	}
	if faults > 0 {
		t.Fatalf("%s: %d of %d records of %s are wrong", when, faults, len(want), s.name)
	}
	t.Logf("%s: %d records of %s are right", when, len(want), s.name)
}

func (s *synced) change(t *testing.T, what, id, to string) {
	t.Helper()
	if _, err := s.Change(0, what, id, to); err != nil {
		t.Fatal(err)
	}
}

// TestSync imports whole systems, changes them, and expects syncs to bring the records in step.
func TestSync(t *testing.T) {
	t.Run("jira", func(t *testing.T) { syncJira(t, "jira") })
	t.Run("jira at a data center", func(t *testing.T) { syncJira(t, "jira at a data center") })
	t.Run("confluence", func(t *testing.T) { syncConfluence(t, "confluence") })
	t.Run("confluence at a data center", func(t *testing.T) { syncConfluence(t, "confluence at a data center") })
	t.Run("salesforce", syncSalesforce)
}

func syncSalesforce(t *testing.T) {
	t.Parallel()
	o := sandbox.Options{Records: 300, Now: time.Now}
	d := newDesk(t, o)
	id := d.connect("acme", "salesforce").ConnectionID
	srv := httptest.NewServer(d.sandbox)
	t.Cleanup(srv.Close)
	s := &synced{&box{d.sandbox, srv.URL, d.app}, "salesforce", id}
	j := s.succeeds(t, domain.ImportJob, domain.JobParams{Containers: []string{"Account", "Case", "Contact"}})
	if c := j.Counts; c.Items.Created == 0 || c.Comments.Created == 0 || c.Containers.Created != 3 {
		t.Errorf("%+v", c)
	}
	again := s.succeeds(t, domain.SyncJob, domain.JobParams{Containers: []string{"Account", "Case", "Contact"}, Census: "always"})
	if c := again.Counts.Items; c.Created+c.Updated+c.Deleted > 0 {
		t.Errorf("a sync without changes: %+v", c)
	}
}

func syncJira(t *testing.T, name string) {
	t.Parallel()
	s := newBox(t, sandbox.Options{Issues: 300, Now: time.Now}).connected(t, name, "jira")
	j := s.succeeds(t, domain.SyncJob, domain.JobParams{})
	if j.Counts.Items.Created != 300 || j.Counts.Items.Seen != 300 || j.Progress != 100 {
		t.Errorf("%+v", j.JobState)
	}
	s.equal(t, "after the first sync", true)
	ids := s.items(t)
	for i, id := range ids[:30] {
		switch i % 3 {
		case 0:
			s.change(t, "issue edit", id, "")
		case 1:
			s.change(t, "issue comment", id, fmt.Sprintf("said %d", i))
		case 2:
			s.change(t, "issue delete", id, "")
		}
	}
	s.change(t, "issue archive", ids[40], "")
	j = s.succeeds(t, domain.SyncJob, domain.JobParams{Census: "always"})
	if c := j.Counts.Items; c.Deleted != 11 || c.Updated != 20 {
		t.Errorf("%+v", c)
	}
	s.equal(t, "after changes", false)
	_, deleted := s.stored(t)
	if got := deleted["item "+ids[2]]; got != "gone" {
		t.Errorf("a deleted issue is marked as %q", got)
	}
	if got := deleted["item "+ids[40]]; got != "archived" {
		t.Errorf("an archived issue is marked as %q", got)
	}
	s.change(t, "issue unarchive", ids[40], "")
	s.succeeds(t, domain.SyncJob, domain.JobParams{Census: "always"})
	s.equal(t, "after an issue came back", false)
	j = s.succeeds(t, domain.ImportJob, domain.JobParams{})
	if c := j.Counts.Items; c.Created+c.Deleted > 0 || c.Seen != 290 {
		t.Errorf("an import of what is there: %+v", c)
	}
	s.equal(t, "after an import", true)
}

func syncConfluence(t *testing.T, name string) {
	t.Parallel()
	s := newBox(t, sandbox.Options{Pages: 200, Now: time.Now}).connected(t, name, "confluence")
	s.succeeds(t, domain.SyncJob, domain.JobParams{})
	s.equal(t, "after the first sync", true)
	ids := s.items(t)
	for i, id := range ids[:9] {
		s.change(t, []string{"page edit", "page comment", "page trash"}[i%3], id, fmt.Sprintf("said %d", i))
	}
	s.succeeds(t, domain.SyncJob, domain.JobParams{Census: "always"})
	s.equal(t, "after changes", false)
}

func (s *synced) items(t *testing.T) []string {
	t.Helper()
	list, err := s.store(t).FindRecords(t.Context(), "acme", s.connection, store.RecordFind{Kind: domain.ItemRecord}, store.List{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range list {
		ids = append(ids, r.ID)
	}
	return ids
}
