package mongostore

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/store"
)

// brisk is quick to give up, so that tests need not wait.
func brisk() tuning {
	t := tuned()
	t.selection, t.patience, t.grace = 300*time.Millisecond, time.Second, 200*time.Millisecond
	return t
}

// calls are one of each kind of call, on a database that holds nothing of theirs.
func calls() map[string]func(ctx context.Context, s *Store) error {
	return map[string]func(ctx context.Context, s *Store) error{
		"Ping":   func(ctx ctxt, s *Store) error { return s.Ping(ctx) },
		"create": func(ctx ctxt, s *Store) error { return s.AppendAudit(ctx, auditEntry()) },
		"update": func(ctx ctxt, s *Store) error { return only(s.UpdateToken(ctx, token("b", 1))) },
		"delete": func(ctx ctxt, s *Store) error { return s.DeleteToken(ctx, acme, "tok_1") },
		"take":   func(ctx ctxt, s *Store) error { return s.TakeOAuthState(ctx, "state", 1) },
		"put":    func(ctx ctxt, s *Store) error { return only(s.PutBudget(ctx, budget(1, 0))) },
		"sweep":  func(ctx ctxt, s *Store) error { _, err := s.SweepOAuthStates(ctx, at); return err },
		"read":   func(ctx ctxt, s *Store) error { _, err := s.Token(ctx, acme, "tok_1"); return err },
		"list":   func(ctx ctxt, s *Store) error { _, err := s.ListTokens(ctx, acme, store.List{Limit: 1}); return err },
		"count":  func(ctx ctxt, s *Store) error { _, _, err := s.CountJobs(ctx, acme); return err },
		"claim": func(ctx ctxt, s *Store) error {
			_, err := s.ClaimJob(ctx, store.Claim{Owner: "me", Term: time.Minute})
			return err
		},
	}
}

// wantAway checks that an error says what is wrong, within a time, and tells nobody the password.
func wantAway(t *testing.T, what string, err error, took, limit time.Duration) {
	t.Helper()
	wantCode(t, what, err, connectors.Unavailable)
	if !errors.Is(err, store.ErrAway) {
		t.Errorf("%s: %v does not say that the store is away", what, err)
	}
	var e *connectors.Error
	if errors.As(err, &e) && (e.RetryAfter <= 0 || !strings.Contains(e.Message, "MONGODB_URL")) {
		t.Errorf("%s: RetryAfter %s, message %q; want a time, and what to check", what, e.RetryAfter, e.Message)
	}
	if took > limit {
		t.Errorf("%s took %s, want at most %s", what, took, limit)
	}
	wantNoSecret(t, what, err)
}

// wantNoSecret checks that neither the error nor any of its causes holds the password of the tests' servers.
func wantNoSecret(t *testing.T, what string, err error) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		if text := fmt.Sprintf("%v %+v", e, e); strings.Contains(text, "Test_pass_1") || strings.Contains(text, "s3cret") || strings.Contains(text, "%zq") {
			t.Errorf("%s: the password is in %s", what, text)
		}
	}
}

func TestAwayAndBack(t *testing.T) {
	for _, c := range []struct {
		name string
		away func(*proxy)
	}{
		{"cut", (*proxy).sever},
		{"stalled", (*proxy).stall},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, s, _ := pair(t, brisk())
			must(t, s.Ping(t.Context()))
			c.away(p)
			var wg sync.WaitGroup
			for name, call := range calls() {
				wg.Go(func() {
					began := time.Now()
					err := call(t.Context(), s)
					wantAway(t, name+" while the server is away", err, time.Since(began), 3*time.Second)
				})
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
					defer cancel()
					began := time.Now()
					wantCode(t, name+" with a deadline", call(ctx, s), connectors.Timeout)
					if took := time.Since(began); took > time.Second {
						t.Errorf("%s with a deadline of 100ms took %s", name, took)
					}
				})
			}
			wg.Wait()
			p.heal()
			back := time.Now()
			for s.Ping(t.Context()) != nil {
				if time.Since(back) > 20*time.Second {
					t.Fatal("the store does not find the server again")
				}
			}
			must(t, s.CreateToken(t.Context(), token("after", 0)))
		})
	}
}

// TestShortAbsence cuts the server off for less than the patience: callers notice nothing.
func TestShortAbsence(t *testing.T) {
	p, s, witness := pair(t, tuned())
	must(t, s.CreateToken(t.Context(), token("0", 0)))
	p.sever()
	done := make(chan error, 1)
	go func() { done <- only(s.UpdateToken(t.Context(), token("1", 1))) }()
	select {
	case err := <-done:
		t.Fatalf("the write did not wait: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	p.heal()
	must(t, <-done)
	if got := tokenEffect(t.Context(), witness); got != "2 1 " {
		t.Errorf("what is kept: %q", got)
	}
}

// TestCancelledOnTheWay has the caller go while a write is at the server: one that was applied is not called cancelled.
func TestCancelledOnTheWay(t *testing.T) {
	p, s, witness := pair(t, tuned())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p.next(fault{"insert", answerLate, func() {
		cancel()
		time.AfterFunc(50*time.Millisecond, p.heal)
	}})
	must(t, s.CreateToken(ctx, token("a", 0)))
	p.wantMet(t, 1)
	if got := tokenEffect(t.Context(), witness); got != "1 a " {
		t.Errorf("what is kept: %q", got)
	}
	if err := s.CreateToken(ctx, token("a", 0)); connectors.CodeOf(err) != connectors.Unavailable {
		t.Errorf("a call that was cancelled before it began: %v", err)
	}
}

// TestLateAnswer has the server live, and never answer one call.
func TestLateAnswer(t *testing.T) {
	p, s, _ := pair(t, brisk())
	for name, call := range map[string]struct {
		command string
		run     func(ctx context.Context, s *Store) error
	}{
		"read":  {"find", calls()["read"]},
		"write": {"insert", calls()["create"]},
	} {
		p.next(fault{call.command, answerLate, nil})
		began := time.Now()
		err := call.run(t.Context(), s)
		wantAway(t, "a "+name+" that is not answered", err, time.Since(began), 3*time.Second)
		p.wantMet(t, 1)
		p.heal()
	}
	must(t, s.Ping(t.Context()))
}

// clearedPool is what the driver answers those who wait for a connection when that of another failed.
type clearedPool struct{}

func (clearedPool) Error() string   { return "the pool was cleared" }
func (clearedPool) Retryable() bool { return true }

func TestCodes(t *testing.T) {
	s := &Store{db: &mongo.Database{}}
	code := func(n int32, labels ...string) error { return mongo.CommandError{Code: n, Labels: labels} }
	for _, c := range []struct {
		name string
		err  error
		want connectors.Code
	}{
		{"a cleared pool", fmt.Errorf("wrapped: %w", clearedPool{}), connectors.Unavailable},
		{"the network", code(0, "NetworkError"), connectors.Unavailable},
		{"not the primary any more", code(10107), connectors.Unavailable},
		{"a majority that is away", code(64), connectors.Unavailable},
		{"writes that met", code(112), connectors.Unavailable},
		{"a user who may not", code(13), connectors.Unavailable},
		{"an update that grows too large", mongo.WriteException{WriteErrors: mongo.WriteErrors{{Code: 17419}}}, connectors.PayloadTooLarge},
		{"what the driver finds too large", driver.ErrDocumentTooLarge, connectors.PayloadTooLarge},
		{"what nobody knows", code(1), connectors.Internal},
	} {
		wantCode(t, c.name, s.coded(t.Context(), c.err), c.want)
	}
}

func TestRefusedAddresses(t *testing.T) {
	u, err := url.Parse(server(t).Reveal())
	must(t, err)
	host := u.Host
	for _, c := range []struct {
		name, address, db string
		want              connectors.Code
	}{
		{"no address", "mongodb://user:s3cret@", "db", connectors.InvalidRequest},
		{"a password that is not encoded", "mongodb://user:s3cret/@" + host, "db", connectors.InvalidRequest},
		{"a password with an escape that is none", "mongodb://user:s3cret%zq@" + host, "db", connectors.InvalidRequest},
		{"an unknown option's value", "mongodb://user:s3cret@" + host + "/?authMechanism=NONSENSE", "db", connectors.InvalidRequest},
		{"another scheme", "postgres://user:s3cret@" + host, "db", connectors.InvalidRequest},
		{"a certificate that is not there", "mongodb://user:s3cret@" + host + "/?tls=true&tlsCAFile=/nowhere/ca.pem", "db", connectors.InvalidRequest},
		{"an unknown host", "mongodb://user:s3cret@nowhere.invalid/?authSource=admin", "db", connectors.Unavailable},
		{"a closed port", "mongodb://user:s3cret@127.0.0.1:1/?authSource=admin", "db", connectors.Unavailable},
		{"TLS where there is none", "mongodb://user:s3cret@" + host + "/?tls=true", "db", connectors.Unavailable},
		{"a database without a name", "mongodb://" + host, "", connectors.InvalidRequest},
		{"a database's name with a slash", "mongodb://" + host, "a/b", connectors.InvalidRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			s, err := open(t.Context(), connectors.NewSecret(c.address), c.db, nil, brisk())
			if err == nil {
				s.Close()
			}
			wantCode(t, c.name, err, c.want)
			wantNoSecret(t, c.name, err)
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// TestPassword opens the server that asks for one, with the right and with wrong ones.
func TestPassword(t *testing.T) {
	address := os.Getenv(scramVariable)
	if address == "" {
		t.Skipf("%s names no server that asks for a password", scramVariable)
	}
	u, err := url.Parse(address)
	must(t, err)
	with := func(user *url.Userinfo) connectors.Secret {
		changed := *u
		changed.User = user
		return connectors.NewSecret(changed.String())
	}
	db := databaseOf(t.TempDir())
	s, err := Open(t.Context(), connectors.NewSecret(address), db, nil)
	must(t, err)
	t.Cleanup(func() { must(t, s.db.Drop(context.Background())); s.Close() })
	must(t, s.CreateToken(t.Context(), token("a", 0)))
	for name, user := range map[string]*url.Userinfo{
		"a wrong password": url.UserPassword(u.User.Username(), "s3cret"),
		"an unknown user":  url.UserPassword("nobody", "s3cret"),
	} {
		began := time.Now()
		_, err := Open(t.Context(), with(user), db, nil)
		wantCode(t, name, err, connectors.Unavailable)
		if err == nil || !strings.Contains(err.Error(), "password") || time.Since(began) > 3*time.Second {
			t.Errorf("%s: %v after %s; want at once what to check", name, err, time.Since(began))
		}
		wantNoSecret(t, name, err)
	}
}

// TestTooLarge has records that do not fit into a document.
func TestTooLarge(t *testing.T) {
	_, s, _ := pair(t, tuned())
	big := strings.Repeat("x", 17<<20)
	wantCode(t, "creating what is too large", s.CreateToken(t.Context(), token(big, 0)), connectors.PayloadTooLarge)
	must(t, s.CreateToken(t.Context(), token(big[:15<<20], 0)))
	wantCode(t, "updating to what is too large", only(s.UpdateToken(t.Context(), token(big, 1))), connectors.PayloadTooLarge)
	must(t, only(s.UpdateToken(t.Context(), token("small", 1))))
}

// TestNewerFormat has a newer ucf take over the database: nothing is opened, and what is open writes no more.
func TestNewerFormat(t *testing.T) {
	tune := tuned()
	tune.recheck = time.Hour
	_, s, witness := pair(t, tune)
	must(t, s.CreateToken(t.Context(), token("a", 0)))
	_, err := witness.db.Collection(metadata).UpdateOne(t.Context(), bson.D{{Key: "_id", Value: "format"}}, bson.D{{Key: "$set", Value: bson.D{{Key: "oldestWriter", Value: format + 1}}}})
	must(t, err)
	_, err = Open(t.Context(), server(t), s.db.Name(), nil)
	wantCode(t, "opening what a newer ucf writes", err, connectors.Unavailable)
	if err == nil || !strings.Contains(err.Error(), "upgrade") {
		t.Errorf("the message %v does not say what to do", err)
	}
	must(t, only(s.UpdateToken(t.Context(), token("b", 1)))) // it has looked a moment ago
	s.gate.next.Store(0)
	for range 2 {
		wantCode(t, "writing what a newer ucf writes", only(s.UpdateToken(t.Context(), token("c", 2))), connectors.Unavailable)
	}
	_, err = s.Token(t.Context(), acme, "tok_1")
	must(t, err)
	_, err = witness.db.Collection(metadata).UpdateOne(t.Context(), bson.D{{Key: "_id", Value: "format"}}, bson.D{{Key: "$set", Value: bson.D{{Key: "oldestWriter", Value: format}}}})
	must(t, err)
	s.gate.next.Store(0)
	must(t, only(s.UpdateToken(t.Context(), token("c", 2))))
}
