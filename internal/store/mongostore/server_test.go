package mongostore

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// recorded returns a monitor that keeps the commands of some names.
func recorded(names ...string) (*event.CommandMonitor, func() []bson.Raw) {
	var mu sync.Mutex
	var kept []bson.Raw
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if slices.Contains(names, e.CommandName) {
			mu.Lock()
			defer mu.Unlock()
			kept = append(kept, slices.Clone(e.Command))
		}
	}}, func() []bson.Raw {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(kept)
	}
}

// TestConcerns holds that an address cannot weaken what is durable, nor have what is stale be read.
func TestConcerns(t *testing.T) {
	u, err := url.Parse(server(t).Reveal())
	must(t, err)
	q := u.Query()
	for name, value := range map[string]string{
		"w": "1", "journal": "false", "readPreference": "secondary", "maxStalenessSeconds": "120", "readConcernLevel": "local", "retryWrites": "true",
		"timeoutMS": "1", "maxPoolSize": "100000", "serverSelectionTimeoutMS": "600000",
	} {
		q.Set(name, value)
	}
	u.RawQuery = q.Encode()
	writes := []string{"insert", "update", "delete", "findAndModify"}
	reads := []string{"find", "aggregate", "distinct"}
	tune := tuned()
	var commands func() []bson.Raw
	tune.monitor, commands = recorded(append(writes, reads...)...)
	db := databaseOf(t.TempDir())
	t.Cleanup(func() { drop(t, db) })
	// To a single server the driver sends another mode than it was told.
	o, err := clientOptions(connectors.NewSecret(u.String()), db, tune)
	must(t, err)
	if o.ReadPreference.Mode() != readpref.PrimaryMode || *o.MaxPoolSize != maxConnections {
		t.Errorf("reads are of the %s, with %d connections", o.ReadPreference, *o.MaxPoolSize)
	}
	s, err := open(t.Context(), connectors.NewSecret(u.String()), db, nil, tune)
	must(t, err)
	defer s.Close()
	for _, w := range writings() {
		if w.before != nil {
			must(t, w.before(t.Context(), s))
		}
		must(t, w.write(t.Context(), s))
		w.effect(t.Context(), s)
		clearAll(t, s)
	}
	_, err = s.TokenKeyIDs(t.Context())
	must(t, err)

	seen := map[string]int{}
	for _, c := range commands() {
		name := commandName(t, c)
		seen[name]++
		if w := lookup(c, "writeConcern", "w"); slices.Contains(writes, name) && (w != `"majority"` || lookup(c, "writeConcern", "j") != "true") {
			t.Errorf("%s is sent with the write concern %s", name, c.Lookup("writeConcern"))
		}
		if level := lookup(c, "readConcern", "level"); slices.Contains(reads, name) && level != `"majority"` {
			t.Errorf("%s is sent with the read concern %s", name, level)
		}
		if mode := lookup(c, "$readPreference", "mode"); mode != "" && mode != `"primary"` && mode != `"primaryPreferred"` {
			t.Errorf("%s is sent with the read preference %s", name, mode)
		}
		if lookup(c, "txnNumber") != "" {
			t.Errorf("%s is retried by the driver", name)
		}
	}
	for _, name := range append(writes, reads...) {
		if seen[name] == 0 {
			t.Errorf("no %s was seen", name)
		}
	}
}

func commandName(t testing.TB, c bson.Raw) string {
	t.Helper()
	first, err := c.IndexErr(0)
	must(t, err)
	return first.Key()
}

// lookup returns a value within a command as text, "" where there is none.
func lookup(c bson.Raw, path ...string) string {
	v, err := c.LookupErr(path...)
	if err != nil {
		return ""
	}
	return v.String()
}

// TestStartingTogether opens many stores on a database that is not there yet: each gets all indexes, once.
func TestStartingTogether(t *testing.T) {
	address := server(t)
	for range 3 {
		db := databaseOf(t.TempDir())
		t.Cleanup(func() { drop(t, db) })
		const many = 8
		stores, errs := make([]*Store, many), make([]error, many)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for i := range many {
			wg.Go(func() {
				<-start
				stores[i], errs[i] = Open(t.Context(), address, db, nil)
			})
		}
		close(start)
		wg.Wait()
		for i, err := range errs {
			if err != nil {
				t.Errorf("store %d: %v (%v)", i, err, errors.Unwrap(err))
				continue
			}
			defer stores[i].Close()
		}
		if t.Failed() {
			return
		}
		wantIndexes(t, stores[0])
		must(t, stores[0].CreateConnection(t.Context(), connection("a", 0)))
		other := connection("a", 0)
		other.ID = "con_2"
		wantCode(t, "a name in use", stores[1].CreateConnection(t.Context(), other), connectors.Conflict)
	}
}

// wantIndexes checks that each collection has the indexes that the code names, and no others.
func wantIndexes(t *testing.T, s *Store) {
	t.Helper()
	want := map[string][]string{}
	for _, i := range indexes() {
		want[i.collection] = append(want[i.collection], describe(i.keys, i.unique, i.where != nil, i.ttl > 0))
	}
	for c, list := range want {
		cur, err := s.db.Collection(c).Indexes().List(t.Context())
		must(t, err)
		var is []struct {
			Name    string `bson:"name"`
			Key     bson.D `bson:"key"`
			Unique  bool   `bson:"unique"`
			Partial bson.D `bson:"partialFilterExpression"`
			TTL     *int64 `bson:"expireAfterSeconds"`
		}
		must(t, cur.All(t.Context(), &is))
		var got []string
		for _, i := range is {
			if i.Name != "_id_" {
				got = append(got, describe(i.Key, i.Unique, len(i.Partial) > 0, i.TTL != nil))
			}
		}
		slices.Sort(got)
		slices.Sort(list)
		if !slices.Equal(got, list) {
			t.Errorf("indexes of %s:\n got %s\nwant %s", c, strings.Join(got, "; "), strings.Join(list, "; "))
		}
	}
}

func describe(keys bson.D, unique, partial, ttl bool) string {
	text := ""
	for _, k := range keys {
		text += fmt.Sprint(k.Key, ":", k.Value, " ")
	}
	return fmt.Sprint(text, "unique:", unique, " partial:", partial, " ttl:", ttl)
}

// TestIndexesUsed has the server explain each query that is not by id: none of them reads a whole collection.
func TestIndexesUsed(t *testing.T) {
	tune := tuned()
	var commands func() []bson.Raw
	tune.monitor, commands = recorded("find", "aggregate", "distinct")
	_, s, _ := pair(t, tune)
	for i := range 200 {
		c := connection(fmt.Sprint("name ", i), 0)
		c.ID = fmt.Sprint("con_", i)
		must(t, s.CreateConnection(t.Context(), c))
		tok := token("sealed", 0)
		tok.ID, tok.KeyID, tok.DueAt, tok.Grant = fmt.Sprint("tok_", i), fmt.Sprint("k", i%3), at.Add(time.Duration(i)*time.Hour), &domain.Grant{Key: fmt.Sprint("g", i)}
		must(t, s.CreateToken(t.Context(), tok))
	}
	ctx, l := t.Context(), store.List{Limit: 3}
	for _, c := range []struct {
		index string
		err   func() error
	}{
		{"tenant_1_connectorId_1_name_1", func() error { return discard(s.ConnectionNamed(ctx, acme, "jira", "name 7")) }},
		{"tenant_1_id_1", func() error { return discard(s.ListConnections(ctx, acme, "", l)) }},
		{"tenant_1_id_1", func() error { return discard(s.ListConnections(ctx, acme, "jira", l)) }},
		{"tenant_1_id_1", func() error { return discard(s.ListTokens(ctx, acme, l)) }},
		{"tenant_1_grantKey_1", func() error { return discard(s.TokenOfGrant(ctx, acme, "g7")) }},
		{"id_1", func() error { return discard(s.TokensNotSealedBy(ctx, "k1", l)) }},
		{"dueAt_1_id_1", func() error { return discard(s.DueTokens(ctx, at.Add(time.Hour), 3)) }},
		{"tenant_1_connectionId_1_stream_1_containerId_1", func() error { return discard(s.ListSyncStates(ctx, acme, "con_1")) }},
		{"tenant_1_id_-1", func() error { return discard(s.ListAudit(ctx, acme, store.AuditFilter{}, l)) }},
		{"tenant_1_action_1_id_-1", func() error { return discard(s.ListAudit(ctx, acme, store.AuditFilter{Action: "a"}, l)) }},
		{"tenant_1_targetId_1_id_-1", func() error { return discard(s.ListAudit(ctx, acme, store.AuditFilter{TargetID: "a"}, l)) }},
		{"tenant_1_id_-1", func() error { return discard(s.ListJobs(ctx, acme, store.JobFilter{}, l)) }},
		{"tenant_1_connectionId_1_id_-1", func() error { return discard(s.ListJobs(ctx, acme, store.JobFilter{ConnectionID: "con_1"}, l)) }},
	} {
		before := len(commands())
		if err := c.err(); connectors.CodeOf(err) != connectors.NotFound {
			must(t, err)
		}
		for _, command := range commands()[before:] {
			wantIndexed(t, s, command, c.index)
		}
	}
}

func discard[T any](_ T, err error) error { return err }

// wantIndexed has the server explain a command.
func wantIndexed(t *testing.T, s *Store, c bson.Raw, index string) {
	t.Helper()
	var asked bson.D
	must(t, bson.Unmarshal(c, &asked))
	asked = slices.DeleteFunc(asked, func(e bson.E) bool {
		return strings.HasPrefix(e.Key, "$") || slices.Contains([]string{"lsid", "maxTimeMS", "readConcern"}, e.Key)
	})
	var plan bson.Raw
	must(t, s.db.RunCommand(t.Context(), bson.D{{Key: "explain", Value: asked}, {Key: "verbosity", Value: "queryPlanner"}}).Decode(&plan))
	text := strings.NewReplacer(`": "`, `":"`, `"Index Name"`, `"indexName"`).Replace(plan.String())
	if strings.Contains(text, "COLLSCAN") || strings.Contains(text, "Seq Scan") || !strings.Contains(text, `"indexName":"`+index+`"`) {
		t.Errorf("the index %s does not serve %s:\n%s", index, asked, text)
	}
}

// TestSlashes has ids whose parts would meet if they were only put together.
func TestSlashes(t *testing.T) {
	_, s, _ := pair(t, tuned())
	for i, parts := range [][3]string{{"a/b", "c", "d"}, {"a", "b/c", "d"}, {"a", "b", "c/d"}, {"a%2Fb", "c", "d"}} {
		st := syncState(fmt.Sprint(i), 0)
		st.ConnectionID, st.Stream, st.ContainerID = parts[0], parts[1], parts[2]
		must(t, only(s.PutSyncState(t.Context(), st)))
		got, err := s.SyncState(t.Context(), acme, parts[0], parts[1], parts[2])
		must(t, err)
		if got.Cursor != fmt.Sprint(i) {
			t.Errorf("%v has the cursor %s, want %d", parts, got.Cursor, i)
		}
	}
}

// TestPlainDocuments holds what other programs see: times as texts that sort, and nothing replaced as a whole.
func TestPlainDocuments(t *testing.T) {
	_, s, witness := pair(t, tuned())
	must(t, s.CreateConnection(t.Context(), connection("a", 0)))
	c := witness.db.Collection(connections)
	_, err := c.UpdateOne(t.Context(), bson.D{{Key: "id", Value: "con_1"}}, bson.D{{Key: "$set", Value: bson.D{{Key: "ofALaterVersion", Value: "kept"}}}})
	must(t, err)
	must(t, only(s.UpdateConnection(t.Context(), connection("b", 1))))
	var d bson.M
	must(t, c.FindOne(t.Context(), bson.D{{Key: "id", Value: "con_1"}}).Decode(&d))
	if d["ofALaterVersion"] != "kept" || d["name"] != "b" || d["createdAt"] != "2026-02-03T04:05:06.000000007Z" {
		t.Errorf("the document is %v", d)
	}
}
