package mongostore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

const acme domain.Tenant = "acme"

var at = time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC)

func head() domain.Meta { return domain.Meta{Tenant: acme, CreatedAt: at, UpdatedAt: at} }

func connection(name string, revision int64) domain.Connection {
	c := domain.Connection{Meta: head(), ID: "con_1", ConnectorID: "jira", Name: name}
	c.Revision = revision
	return c
}

func token(sealed string, revision int64) domain.Token {
	t := domain.Token{Meta: head(), ID: "tok_1", Kind: "api_key", KeyID: "k1", Sealed: sealed}
	t.Revision = revision
	return t
}

func syncState(cursor string, revision int64) domain.SyncState {
	st := domain.SyncState{Meta: head(), ConnectionID: "con_1", Stream: "items", Cursor: cursor}
	st.Revision = revision
	return st
}

func setting(extra bool, revision int64) domain.ConnectorSetting {
	c := domain.ConnectorSetting{Meta: head(), ConnectorID: "jira", ExtraDetails: extra}
	c.Revision = revision
	return c
}

func budget(points, revision int64) domain.Budget {
	return domain.Budget{Key: "a/b", Revision: revision, UpdatedAt: at, BudgetState: domain.BudgetState{Points: points}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v (%s, %v)", err, connectors.CodeOf(err), errors.Unwrap(err))
	}
}

func wantCode(t testing.TB, what string, err error, want connectors.Code) {
	t.Helper()
	if got := connectors.CodeOf(err); got != want {
		t.Errorf("%s: code %q, error %v (%v); want code %q", what, got, err, errors.Unwrap(err), want)
	}
}

func only(_ int64, err error) error { return err }

// writing is one kind of write, and how its effect is seen.
type writing struct {
	name    string
	command string // that carries it
	before  func(ctx context.Context, s *Store) error
	write   func(ctx context.Context, s *Store) error
	// later is what another process writes right after it, nil where nothing can.
	later func(ctx context.Context, s *Store) error
	// effect returns what is kept, which is want after it was applied once, and wantLater after later as well.
	effect          func(ctx context.Context, s *Store) string
	want, wantLater string
}

func connectionEffect(ctx context.Context, s *Store) string {
	c, err := s.Connection(ctx, acme, "con_1")
	return fmt.Sprint(c.Revision, " ", c.Name, " ", connectors.CodeOf(err))
}

func tokenEffect(ctx context.Context, s *Store) string {
	tok, err := s.Token(ctx, acme, "tok_1")
	return fmt.Sprint(tok.Revision, " ", tok.Sealed, " ", connectors.CodeOf(err))
}

func syncEffect(ctx context.Context, s *Store) string {
	st, err := s.SyncState(ctx, acme, "con_1", "items", "")
	return fmt.Sprint(st.Revision, " ", st.Cursor, " ", connectors.CodeOf(err))
}

func settingEffect(ctx context.Context, s *Store) string {
	c, err := s.ConnectorSetting(ctx, acme, "jira")
	return fmt.Sprint(c.Revision, " ", c.ExtraDetails, " ", connectors.CodeOf(err))
}

func budgetEffect(ctx context.Context, s *Store) string {
	b, err := s.Budget(ctx, "a/b")
	return fmt.Sprint(b.Revision, " ", b.Points, " ", connectors.CodeOf(err))
}

func stateEffect(ctx context.Context, s *Store) string {
	st, err := s.OAuthState(ctx, "state")
	return fmt.Sprint(st.Revision, " ", st.Sealed, " ", connectors.CodeOf(err))
}

func auditEffect(ctx context.Context, s *Store) string {
	list, err := s.ListAudit(ctx, acme, store.AuditFilter{}, store.List{Limit: 10})
	return fmt.Sprint(len(list), " ", connectors.CodeOf(err))
}

func jobEffect(ctx context.Context, s *Store) string {
	j, err := s.Job(ctx, acme, "job_1")
	return fmt.Sprint(j.Status, " fence ", j.Fence, " takeovers ", j.Takeovers, " ", connectors.CodeOf(err))
}

func job() domain.Job {
	return domain.Job{Meta: head(), ID: "job_1", ConnectionID: "con_1", Type: domain.SyncJob}
}

func auditEntry() domain.AuditEntry {
	return domain.AuditEntry{ID: "aud_1", Tenant: acme, Action: "a", CreatedAt: at}
}

func oauthState(sealed string) domain.OAuthState {
	return domain.OAuthState{Meta: head(), ID: "state", KeyID: "k1", Sealed: sealed, ExpiresAt: at}
}

type (
	ctxt  = context.Context
	write = func(ctx context.Context, s *Store) error
)

// writings returns every kind of write.
func writings() []writing {
	createConnection := func(ctx ctxt, s *Store) error { return s.CreateConnection(ctx, connection("a", 0)) }
	updateConnection := func(name string, revision int64) write {
		return func(ctx ctxt, s *Store) error { return only(s.UpdateConnection(ctx, connection(name, revision))) }
	}
	createToken := func(ctx ctxt, s *Store) error { return s.CreateToken(ctx, token("a", 0)) }
	updateToken := func(sealed string, revision int64) write {
		return func(ctx ctxt, s *Store) error { return only(s.UpdateToken(ctx, token(sealed, revision))) }
	}
	putSync := func(cursor string, revision int64) write {
		return func(ctx ctxt, s *Store) error { return only(s.PutSyncState(ctx, syncState(cursor, revision))) }
	}
	putSetting := func(extra bool, revision int64) write {
		return func(ctx ctxt, s *Store) error { return only(s.PutConnectorSetting(ctx, setting(extra, revision))) }
	}
	putBudget := func(points, revision int64) write {
		return func(ctx ctxt, s *Store) error { return only(s.PutBudget(ctx, budget(points, revision))) }
	}
	createState := func(sealed string) write {
		return func(ctx ctxt, s *Store) error { return s.CreateOAuthState(ctx, oauthState(sealed)) }
	}
	createJob := func(ctx ctxt, s *Store) error { return s.CreateJob(ctx, job()) }
	claimJob := func(ctx ctxt, s *Store) error {
		_, err := s.ClaimJob(ctx, store.Claim{Owner: "me", Term: time.Minute})
		return err
	}
	return []writing{
		{"CreateConnection", "insert", nil, createConnection, updateConnection("b", 1), connectionEffect, "1 a ", "2 b "},
		{"UpdateConnection", "update", createConnection, updateConnection("b", 1), updateConnection("c", 2), connectionEffect, "2 b ", "3 c "},
		{"TouchConnection", "update", createConnection, func(ctx ctxt, s *Store) error { return s.TouchConnection(ctx, acme, "con_1", at) }, updateConnection("b", 1), connectionEffect, "1 a ", "2 b "},
		{"DeleteConnection", "delete", createConnection, func(ctx ctxt, s *Store) error { return s.DeleteConnection(ctx, acme, "con_1", 1) }, nil, connectionEffect, "0  not_found", ""},
		{"CreateToken", "insert", nil, createToken, updateToken("b", 1), tokenEffect, "1 a ", "2 b "},
		{"UpdateToken", "update", createToken, updateToken("b", 1), updateToken("c", 2), tokenEffect, "2 b ", "3 c "},
		{"DeleteToken", "delete", createToken, func(ctx ctxt, s *Store) error { return s.DeleteToken(ctx, acme, "tok_1") }, nil, tokenEffect, "0  not_found", ""},
		{"PutSyncState that creates", "insert", nil, putSync("a", 0), putSync("b", 1), syncEffect, "1 a ", "2 b "},
		{"PutSyncState that updates", "update", putSync("a", 0), putSync("b", 1), putSync("c", 2), syncEffect, "2 b ", "3 c "},
		{"DeleteSyncStates", "delete", putSync("a", 0), wantRemoved((*Store).deleteStates), nil, syncEffect, "0  not_found", ""},
		{"PutConnectorSetting that creates", "insert", nil, putSetting(true, 0), putSetting(false, 1), settingEffect, "1 true ", "2 false "},
		{"PutConnectorSetting that updates", "update", putSetting(true, 0), putSetting(false, 1), putSetting(true, 2), settingEffect, "2 false ", "3 true "},
		{"PutBudget that creates", "insert", nil, putBudget(1, 0), putBudget(2, 1), budgetEffect, "1 1 ", "2 2 "},
		{"PutBudget that updates", "update", putBudget(1, 0), putBudget(2, 1), putBudget(3, 2), budgetEffect, "2 2 ", "3 3 "},
		{"CreateOAuthState", "insert", nil, createState("a"), func(ctx ctxt, s *Store) error { return s.TakeOAuthState(ctx, "state", 1) }, stateEffect, "1 a ", ""},
		{"TakeOAuthState", "update", createState("a"), func(ctx ctxt, s *Store) error { return s.TakeOAuthState(ctx, "state", 1) }, nil, stateEffect, "0  not_found", ""},
		{"removing a taken state", "delete", createState("a"), func(ctx ctxt, s *Store) error { return s.TakeOAuthState(ctx, "state", 1) }, nil, stateEffect, "0  not_found", ""},
		{"SweepOAuthStates", "delete", createState("a"), wantRemoved((*Store).sweepStates), nil, stateEffect, "0  not_found", ""},
		{"AppendAudit", "insert", nil, func(ctx ctxt, s *Store) error {
			return s.AppendAudit(ctx, auditEntry())
		}, nil, auditEffect, "1 ", ""},
		{"CreateJob", "insert", nil, createJob, claimJob, jobEffect, "queued fence 0 takeovers 0 ", "running fence 1 takeovers 0 "},
		{"ClaimJob", "findAndModify", createJob, claimJob, nil, jobEffect, "running fence 1 takeovers 0 ", ""},
	}
}

func (s *Store) deleteStates(ctx context.Context) (int, error) {
	return s.DeleteSyncStates(ctx, acme, "con_1", "", "")
}

func (s *Store) sweepStates(ctx context.Context) (int, error) {
	return s.SweepOAuthStates(ctx, at.Add(time.Second))
}

// wantRemoved is a removal that is to say that there was one.
func wantRemoved(remove func(*Store, context.Context) (int, error)) write {
	return func(ctx ctxt, s *Store) error {
		n, err := remove(s, ctx)
		if err == nil && n != 1 {
			return fmt.Errorf("%d were removed, want 1", n)
		}
		return err
	}
}

// pair opens a store through a proxy, and a witness beside it, on a database of the test's own.
func pair(t testing.TB, tune tuning) (p *proxy, s, witness *Store) {
	t.Helper()
	server(t)
	db := databaseOf(t.TempDir())
	t.Cleanup(func() { drop(t, db) })
	witness = mustOpen(t, db)
	t.Cleanup(func() { witness.Close() })
	p, address := through(t)
	s, err := open(t.Context(), address, db, nil, tune)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return p, s, witness
}

// clearAll empties the collections, which is quicker than another database.
func clearAll(t testing.TB, s *Store) {
	t.Helper()
	for _, c := range []string{connections, tokens, oauthStates, syncStates, settings, budgets, auditLogs, jobs, feeds, records} {
		_, err := s.db.Collection(c).DeleteMany(t.Context(), struct{}{})
		must(t, err)
	}
}

func TestLostOnTheWay(t *testing.T) {
	server(t)
	for _, w := range writings() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			p, s, witness := pair(t, tuned())
			for _, faults := range [][]fault{
				{{w.command, answerLost, nil}},
				{{w.command, requestLost, nil}, {w.command, answerLost, nil}},
			} {
				clearAll(t, witness)
				w.prepare(t, witness)
				p.next(faults...)
				must(t, w.write(t.Context(), s))
				p.wantMet(t, len(faults))
				if got := w.effect(t.Context(), witness); got != w.want {
					t.Errorf("what is kept: %q, want %q", got, w.want)
				}
			}
			if w.wantLater != "" {
				overtaken(t, w, p, s, witness)
			}
		})
	}
}

// overtaken has another process write between a write whose answer was lost and its repetition.
func overtaken(t *testing.T, w writing, p *proxy, s, witness *Store) {
	t.Helper()
	clearAll(t, witness)
	w.prepare(t, witness)
	later := make(chan error, 1)
	p.next(fault{w.command, answerLost, func() { later <- w.later(context.Background(), witness) }})
	must(t, w.write(t.Context(), s))
	must(t, <-later)
	p.wantMet(t, 1)
	if got := w.effect(t.Context(), witness); got != w.wantLater {
		t.Errorf("what is kept after another wrote: %q, want %q", got, w.wantLater)
	}
}

func (w writing) prepare(t testing.TB, witness *Store) {
	t.Helper()
	if w.before != nil {
		must(t, w.before(t.Context(), witness))
	}
}

// TestRefusedAfterAll has another process write first, while a request is lost: its repetition must not succeed.
func TestRefusedAfterAll(t *testing.T) {
	p, s, witness := pair(t, tuned())
	must(t, witness.CreateConnection(t.Context(), connection("a", 0)))
	p.next(fault{"update", requestLost, func() { _, _ = witness.UpdateConnection(context.Background(), connection("b", 1)) }})
	_, err := s.UpdateConnection(t.Context(), connection("c", 1))
	wantCode(t, "an update that another was quicker than", err, connectors.Conflict)
	p.wantMet(t, 1)

	must(t, witness.CreateOAuthState(t.Context(), oauthState("a")))
	p.next(fault{"update", requestLost, func() { _ = witness.TakeOAuthState(context.Background(), "state", 1) }})
	wantCode(t, "a state that another has taken", s.TakeOAuthState(t.Context(), "state", 1), connectors.NotFound)
	p.wantMet(t, 1)

	p.next(fault{"insert", requestLost, func() { _ = witness.CreateToken(context.Background(), token("theirs", 0)) }})
	wantCode(t, "a token that another has made", s.CreateToken(t.Context(), token("ours", 0)), connectors.Conflict)
	p.wantMet(t, 1)
}

// TestPutBackAfterALostRemoval takes a state whose removal fails for good: it stays taken, and can be put back.
func TestPutBackAfterALostRemoval(t *testing.T) {
	tune := tuned()
	tune.patience = time.Second
	p, s, witness := pair(t, tune)
	must(t, witness.CreateOAuthState(t.Context(), oauthState("a")))
	p.next(fault{"delete", requestLost, p.sever})
	must(t, s.TakeOAuthState(t.Context(), "state", 1))
	p.wantMet(t, 1)
	_, err := witness.OAuthState(t.Context(), "state")
	wantCode(t, "a state that was taken", err, connectors.NotFound)
	wantCode(t, "taking it again", witness.TakeOAuthState(t.Context(), "state", 1), connectors.NotFound)
	must(t, witness.CreateOAuthState(t.Context(), oauthState("again")))
	st, err := witness.OAuthState(t.Context(), "state")
	must(t, err)
	if st.Sealed != "again" || st.Revision != 1 {
		t.Errorf("the state that was put back is %+v", st)
	}
}
