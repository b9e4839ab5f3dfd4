package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/jobs"
	"github.com/unified-connector/ucf/internal/secret"
	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/store"
	"github.com/unified-connector/ucf/internal/store/sqlitestore"
)

// toy is a connector to a system of one box.
var toy = connectors.Definition{
	ID: "toy", Name: "Toy", Group: connectors.GroupSaaS, Summary: "A toy.", Container: "box", Item: "brick",
	Fields: []connectors.Field{
		{Name: "base_url", Label: "Address", Help: "Where it is.", Kind: connectors.KindURL, Required: true, Destination: true},
		{Name: "user", Label: "User", Help: "Who.", Kind: connectors.KindString, Required: true},
		{Name: "key", Label: "Key", Help: "The key.", Kind: connectors.KindSecret, Required: true},
	},
	Auth:   []connectors.AuthMethod{{ID: "api_key", Name: "Key", Scheme: connectors.SchemeBasic, User: "user", Secret: "key"}},
	Driver: toyDriver{},
	New:    func(connectors.Env) (connectors.Driver, error) { return toyDriver{}, nil },
}

type toyDriver struct{}

func (toyDriver) Probe(context.Context) (connectors.ProbeResult, error) {
	return connectors.ProbeResult{}, nil
}

func (toyDriver) ListContainers(context.Context, connectors.ContainerQuery) (connectors.Page[connectors.Container], error) {
	return connectors.Page[connectors.Container]{Items: []connectors.Container{{ID: "box", Label: "Box", Type: "box", Meta: connectors.Meta{}}}}, nil
}

// nowhere is an Outbound for drivers that call nothing.
type nowhere struct{ service.Outbound }

func (nowhere) Env(service.Target) (connectors.Env, error) { return connectors.Env{}, nil }

type keeper struct{ *secret.Keeper }

func (k keeper) KeyIDs() ([]string, error) { return k.Keeper.KeyIDs(), nil }

// leasing is a store in which something happens before the records of a connection are leased.
type leasing struct {
	store.Store
	before func() error
	ending func() // before a job ends
}

func (l *leasing) EndJob(ctx context.Context, h store.Hold, j domain.Job) error {
	if l.ending != nil {
		l.ending()
	}
	return l.Store.EndJob(ctx, h, j)
}

func (l *leasing) TakeFeed(ctx context.Context, t domain.Tenant, connectionID, owner string, term time.Duration) (domain.Feed, error) {
	if err := l.before(); err != nil {
		return domain.Feed{}, err
	}
	return l.Store.TakeFeed(ctx, t, connectionID, owner, term)
}

// desk is a service with one connection of the toy, over a store that can be meddled with.
type desk struct {
	*service.Service
	store      *leasing
	connection string
}

func newDesk(t *testing.T) desk {
	t.Helper()
	key, err := secret.Generate()
	if err != nil {
		t.Fatal(err)
	}
	k, err := secret.Parse(key)
	if err != nil {
		t.Fatal(err)
	}
	under, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "ucf.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { under.Close() })
	st := &leasing{Store: under}
	s := service.New(service.Deps{
		Definitions: []*connectors.Definition{&toy}, Store: func(context.Context) (store.Store, error) { return st, nil }, Keeper: keeper{k}, Outbound: nowhere{},
	})
	in := service.PutConnectionIn{}
	in.Body.ConnectorID, in.Body.Name = "toy", "main"
	in.Body.Config = map[string]any{"base_url": "https://toy.example", "user": "u", "key": "k"}
	c, err := s.PutConnection(t.Context(), "acme", in)
	if err != nil {
		t.Fatal(err)
	}
	return desk{s, st, c.ID}
}

// sync runs a sync to its end, and returns how many containers it left.
func (d desk) sync(t *testing.T) (domain.Job, int) {
	t.Helper()
	out, err := d.StartJob(t.Context(), "acme", service.StartJobIn{ConnectorID: "toy", Body: service.StartJobBody{Type: domain.SyncJob}})
	if err != nil {
		t.Fatal(err)
	}
	j, err := jobs.New(jobs.Options{Service: d.Service, Owner: "w"}).RunJob(t.Context(), "acme", out.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := d.store.CountRecords(t.Context(), "acme", d.connection, store.RecordFind{Kind: domain.ContainerRecord})
	if err != nil {
		t.Fatal(err)
	}
	return j, n
}

// A job that opened its connection before that went away writes no records after they were removed.
func TestConnectionGoesAway(t *testing.T) {
	for name, tc := range map[string]struct {
		meanwhile func(ctx context.Context, s *service.Service, id string) error
		want      connectors.Code
	}{
		"nothing": {func(context.Context, *service.Service, string) error { return nil }, ""},
		"revoked": {func(ctx context.Context, s *service.Service, id string) error {
			_, err := s.Revoke(ctx, "acme", service.RevokeIn{Body: service.RevokeBody{ConnectionID: id}})
			return err
		}, connectors.Reauthorize},
		"deleted": {func(ctx context.Context, s *service.Service, id string) error {
			_, err := s.DeleteConnection(ctx, "acme", service.DeleteConnectionIn{ConnectionIn: service.ConnectionIn{ID: id}})
			return err
		}, connectors.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.store.before = func() error { return tc.meanwhile(t.Context(), d.Service, d.connection) }
			j, n := d.sync(t)
			got := connectors.Code("")
			if j.Error != nil {
				got = j.Error.Code
			}
			if got != tc.want || (n == 0) != (tc.want != "") {
				t.Errorf("the job is %s, %+v, and left %d records", j.Status, j.Error, n)
			}
		})
	}
}

// A store that is away for longer than a call waits is no failed attempt of the job: it goes on when the store is back.
func TestStoreGoesAway(t *testing.T) {
	for name, tc := range map[string]struct {
		err      error
		attempts int
	}{
		"away":          {connectors.Wrap(connectors.Unavailable, fmt.Errorf("%w: no primary", store.ErrAway), "away"), 0},
		"misconfigured": {connectors.Errorf(connectors.Unavailable, "the user is refused"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			d, first := newDesk(t), true
			d.store.before = func() error {
				defer func() { first = false }()
				if first {
					return tc.err
				}
				return nil
			}
			if j, n := d.sync(t); j.Status != domain.JobSucceeded || j.Attempts != tc.attempts || n != 1 {
				t.Errorf("the job is %s after %d failed attempts, want %d, and left %d records; %+v", j.Status, j.Attempts, tc.attempts, n, j.Error)
			}
		})
	}
}

// A schedule ends with its connection, and with nothing that a system answers.
func TestSchedulesGoOn(t *testing.T) {
	for name, tt := range map[string]struct {
		meanwhile func(d desk) error
		queued    int
	}{
		"not found there": {func(desk) error { return connectors.Errorf(connectors.NotFound, "the API is not at this address") }, 1},
		"refused":         {func(desk) error { return connectors.Errorf(connectors.Reauthorize, "connect again") }, 1},
		"canceled at the last moment": {func(d desk) error {
			d.store.ending = func() {
				running, err := d.store.ListJobs(t.Context(), "acme", store.JobFilter{Status: domain.JobRunning}, store.List{Limit: 2})
				if err != nil || len(running) != 1 {
					t.Fatalf("%d jobs run, %v", len(running), err)
				}
				if _, err := d.CancelJob(t.Context(), "acme", service.CancelJobIn{JobIn: service.JobIn{ID: running[0].ID}}); err != nil {
					t.Error(err)
				}
			}
			return connectors.Errorf(connectors.Reauthorize, "connect again")
		}, 0},
		"deleted": {func(d desk) error {
			_, err := d.DeleteConnection(t.Context(), "acme", service.DeleteConnectionIn{ConnectionIn: service.ConnectionIn{ID: d.connection}})
			return errors.Join(err, connectors.Errorf(connectors.NotFound, "there is no such connection"))
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.store.before = func() error { return tt.meanwhile(d) }
			out, err := d.StartJob(t.Context(), "acme", service.StartJobIn{ConnectorID: "toy", Body: service.StartJobBody{Type: domain.SyncJob, Params: service.JobParams{Every: "15m"}}})
			if err != nil {
				t.Fatal(err)
			}
			j, err := jobs.New(jobs.Options{Service: d.Service, Owner: "w"}).RunJob(t.Context(), "acme", out.ID, nil)
			if err != nil || j.Status != domain.JobFailed {
				t.Fatalf("the job is %s, %v", j.Status, err)
			}
			queued, _, err := d.store.CountJobs(t.Context(), "acme")
			if err != nil || queued != tt.queued {
				t.Errorf("%d jobs are to come, want %d; %v", queued, tt.queued, err)
			}
		})
	}
}

// A foreground that ends while its job waits leaves nothing behind that runs later.
func TestForegroundEnds(t *testing.T) {
	d := newDesk(t)
	ctx, cancel := context.WithCancel(t.Context())
	d.store.before = func() error {
		return connectors.Errorf(connectors.ProviderError, "down") // a reason to try again, after a while
	}
	out, err := d.StartJob(t.Context(), "acme", service.StartJobIn{ConnectorID: "toy", Body: service.StartJobBody{Type: domain.SyncJob}})
	if err != nil {
		t.Fatal(err)
	}
	j, err := jobs.New(jobs.Options{Service: d.Service, Owner: "w"}).RunJob(ctx, "acme", out.ID, func(j domain.Job) {
		if j.Status == domain.JobQueued && j.Attempts > 0 {
			time.AfterFunc(100*time.Millisecond, cancel)
		}
	})
	if err != nil || j.Status != domain.JobCanceled {
		t.Errorf("the job is %s, %v; want it canceled", j.Status, err)
	}
}
