package mongostore

import (
	"fmt"
	"testing"
	"time"

	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

func record(id, hash string) domain.Record {
	return domain.Record{Kind: domain.ItemRecord, ID: id, ContainerID: "PAY", SyncedAt: at, Hash: hash, Value: []byte(`{}`)}
}

// TestWorkLostOnTheWay loses the answers to what holders of jobs and feeds write.
func TestWorkLostOnTheWay(t *testing.T) {
	p, s, witness := pair(t, tuned())
	for _, c := range []struct {
		name    string
		command string
		write   func(j domain.Job, f domain.Feed) error
		effect  func() string
		want    string
	}{
		{"BeatJob", "findAndModify", func(j domain.Job, _ domain.Feed) error {
			return discard(s.BeatJob(t.Context(), hold(j), time.Minute, &domain.JobState{Progress: 7}))
		}, func() string {
			j, err := witness.Job(t.Context(), acme, "job_1")
			return fmt.Sprint(j.Revision, " ", j.Progress, " ", err)
		}, "3 7 <nil>"},
		{"EndJob", "findAndModify", func(j domain.Job, _ domain.Feed) error {
			j.Status, j.FinishedAt = domain.JobSucceeded, at
			return s.EndJob(t.Context(), hold(j), j)
		}, func() string {
			j, err := witness.Job(t.Context(), acme, "job_1")
			return fmt.Sprint(j.Revision, " ", string(j.Status), " ", err)
		}, "3 succeeded <nil>"},
		{"CancelJob", "findAndModify", func(domain.Job, domain.Feed) error {
			return discard(s.CancelJob(t.Context(), acme, "job_1", at))
		}, func() string {
			j, err := witness.Job(t.Context(), acme, "job_1")
			return fmt.Sprint(j.Revision, " ", j.CancelRequested, " ", err)
		}, "3 true <nil>"},
		{"TakeFeed", "findAndModify", func(_ domain.Job, f domain.Feed) error {
			return discard(s.TakeFeed(t.Context(), acme, "con_1", "me", time.Minute))
		}, func() string {
			f, err := witness.Feed(t.Context(), acme, "con_1")
			return fmt.Sprint(f.Fence, " ", f.Owner, " ", err)
		}, "2 me <nil>"},
		{"PutRecords", "update", func(_ domain.Job, f domain.Feed) error {
			return discard(s.PutRecords(t.Context(), f, []domain.Record{record("1", "a"), record("2", "a")}))
		}, func() string {
			rs, err := witness.ListRecords(t.Context(), acme, "con_1", store.RecordQuery{UpTo: 1 << 40, Limit: 10})
			f, ferr := witness.Feed(t.Context(), acme, "con_1")
			return fmt.Sprint(len(rs), " ", f.Published, " ", err, ferr)
		}, "2 2 <nil> <nil>"},
		{"PutRecords that reserves", "findAndModify", func(_ domain.Job, f domain.Feed) error {
			return discard(s.PutRecords(t.Context(), f, []domain.Record{record("1", "a")}))
		}, func() string {
			rs, err := witness.ListRecords(t.Context(), acme, "con_1", store.RecordQuery{UpTo: 1 << 40, Limit: 10})
			f, ferr := witness.Feed(t.Context(), acme, "con_1")
			return fmt.Sprint(len(rs), " ", rs[0].Change == f.Published, " ", err, ferr)
		}, "1 true <nil> <nil>"},
	} {
		for _, l := range []loss{answerLost, requestLost} {
			t.Run(fmt.Sprint(c.name, "/", l), func(t *testing.T) {
				clearAll(t, witness)
				must(t, witness.CreateJob(t.Context(), job()))
				j, err := witness.ClaimJob(t.Context(), store.Claim{Owner: "me", Term: time.Minute})
				must(t, err)
				f, err := witness.TakeFeed(t.Context(), acme, "con_1", "me", time.Minute)
				must(t, err)
				p.next(fault{c.command, l, nil})
				must(t, c.write(j, f))
				p.wantMet(t, 1)
				if got := c.effect(); got != c.want {
					t.Errorf("what is kept: %q, want %q", got, c.want)
				}
			})
		}
	}
}

func hold(j domain.Job) store.Hold { return store.Hold{Tenant: j.Tenant, ID: j.ID, Fence: j.Fence} }
