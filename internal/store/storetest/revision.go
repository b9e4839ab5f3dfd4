package storetest

import (
	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// wantRecord checks a record's revision and value.
func wantRecord(t TB, s store.Store, k kind, key string, wantRevision int64, wantValue string) {
	t.Helper()
	revision, value, err := k.read(t.Context(), s, acme, key)
	must(t, err)
	if revision != wantRevision || value != wantValue {
		t.Errorf("%s: revision %d, value %q; want %d, %q", k.name, revision, value, wantRevision, wantValue)
	}
}

func revisions(t TB, open func() store.Store) {
	s := open()
	for _, k := range kinds() {
		must(t, k.create(t.Context(), s, acme, "a", ""))
		wantRecord(t, s, k, "a", 1, "")
		for i, value := range []string{"on", "on", "", "on"} {
			current := int64(i + 1)
			revision, err := k.update(t.Context(), s, acme, "a", value, current)
			must(t, err)
			if revision != current+1 {
				t.Errorf("%s: update of revision %d returned %d", k.name, current, revision)
			}
			wantRecord(t, s, k, "a", current+1, value)
		}
	}
	must(t, s.CreateToken(t.Context(), token(acme, "given", "", 17)))
	wantRecord(t, s, tokenKind, "given", 1, "")
	must(t, s.CreateConnection(t.Context(), connection(acme, "given", "", 17)))
	wantRecord(t, s, connectionKind, "given", 1, "")
}

func staleRevisions(t TB, open func() store.Store) {
	s := open()
	for _, k := range kinds() {
		must(t, k.create(t.Context(), s, acme, "a", "on"))
		must(t, k.create(t.Context(), s, acme, "b", "on"))
		_, err := k.update(t.Context(), s, acme, "a", "on", 1)
		must(t, err)
		before := kept(t, s, acme)
		for _, revision := range []int64{1, 3, -1, 1 << 40} {
			got, err := k.update(t.Context(), s, acme, "a", "", revision)
			wantCode(t, k.name+": update of a stale revision", err, connectors.Conflict)
			same(t, k.name+": revision returned beside an error", got, int64(0))
		}
		same(t, k.name+": after refused updates", kept(t, s, acme), before)
		wantRecord(t, s, k, "a", 2, "on")
	}
	for _, revision := range []int64{0, 1, 3} {
		wantCode(t, "DeleteConnection of a stale revision", s.DeleteConnection(t.Context(), acme, "con_a", revision), connectors.Conflict)
	}
	wantRecord(t, s, connectionKind, "a", 2, "on")
	must(t, s.DeleteConnection(t.Context(), acme, "con_a", 2))
	must(t, s.DeleteToken(t.Context(), acme, "tok_a")) // at revision 2
}

func missingRecords(t TB, open func() store.Store) {
	s := open()
	for _, k := range kinds() {
		_, _, err := k.read(t.Context(), s, acme, "a")
		wantCode(t, k.name+": reading what never was", err, connectors.NotFound)
		_, err = k.update(t.Context(), s, acme, "a", "", 1)
		wantCode(t, k.name+": updating what never was", err, connectors.NotFound)
		if k.remove == nil {
			continue
		}
		must(t, k.create(t.Context(), s, acme, "a", ""))
		must(t, k.create(t.Context(), s, acme, "stays", ""))
		must(t, k.remove(t.Context(), s, acme, "a", 1))
		_, _, err = k.read(t.Context(), s, acme, "a")
		wantCode(t, k.name+": reading what is gone", err, connectors.NotFound)
		_, err = k.update(t.Context(), s, acme, "a", "", 1)
		wantCode(t, k.name+": updating what is gone", err, connectors.NotFound)
		wantRecord(t, s, k, "stays", 1, "")
		must(t, k.create(t.Context(), s, acme, "a", "on"))
		wantRecord(t, s, k, "a", 1, "on")
	}
	wantCode(t, "DeleteConnection of nothing", s.DeleteConnection(t.Context(), acme, "con_none", 1), connectors.NotFound)
	wantCode(t, "DeleteToken of nothing", s.DeleteToken(t.Context(), acme, "tok_none"), connectors.NotFound)
	_, err := s.ConnectionNamed(t.Context(), acme, "jira", "nobody")
	wantCode(t, "ConnectionNamed of nothing", err, connectors.NotFound)
}

func duplicates(t TB, open func() store.Store) {
	s := open()
	seed(t, s, acme)
	before := kept(t, s, acme)
	for _, k := range kinds() {
		wantCode(t, k.name+": creating it twice", k.create(t.Context(), s, acme, "one", ""), connectors.Conflict)
		must(t, k.create(t.Context(), s, other, "one", ""))
	}
	renamed := connection(acme, "one", "", 0)
	renamed.Name = "free name"
	wantCode(t, "a known ID under a free name", s.CreateConnection(t.Context(), renamed), connectors.Conflict)
	wantCode(t, "a known audit entry", s.AppendAudit(t.Context(), audit(acme, "aud_one", "x", "x")), connectors.Conflict)
	must(t, s.AppendAudit(t.Context(), audit(other, "aud_one", "x", "x")))
	same(t, "after refused creations", kept(t, s, acme), before)
}

// named returns a connection with a name.
func named(t domain.Tenant, id, connectorID, name string) domain.Connection {
	c := connection(t, id, "", 0)
	c.ConnectorID, c.Name = connectorID, name
	return c
}

func names(t TB, open func() store.Store) {
	s := open()
	must(t, s.CreateConnection(t.Context(), named(acme, "a", "jira", "main")))
	wantCode(t, "a name in use", s.CreateConnection(t.Context(), named(acme, "b", "jira", "main")), connectors.Conflict)
	_, err := s.Connection(t.Context(), acme, "con_b")
	wantCode(t, "the refused connection", err, connectors.NotFound)
	for i, c := range []domain.Connection{
		named(acme, "c", "confluence", "main"), named(other, "d", "jira", "main"), named(acme, "e", "jira", "MAIN"),
		named(acme, "f", "jira", "main "), named(acme, "g", "jira", "caf\u00e9"), named(acme, "h", "jira", "cafe\u0301"), named(acme, "i", "jira", ""),
	} {
		must(t, s.CreateConnection(t.Context(), c))
		got, err := s.ConnectionNamed(t.Context(), c.Tenant, c.ConnectorID, c.Name)
		must(t, err)
		if got.ID != c.ID {
			t.Errorf("case %d: the name %q finds %s, want %s", i, c.Name, got.ID, c.ID)
		}
	}
}

func renames(t TB, open func() store.Store) {
	s := open()
	must(t, s.CreateConnection(t.Context(), named(acme, "a", "jira", "first")))
	must(t, s.CreateConnection(t.Context(), named(acme, "b", "jira", "second")))
	before := kept(t, s, acme)
	b := named(acme, "b", "jira", "first")
	b.Revision, b.Reason = 1, "changed"
	_, err := s.UpdateConnection(t.Context(), b)
	wantCode(t, "renaming to a name in use", err, connectors.Conflict)
	same(t, "after a refused rename", kept(t, s, acme), before)

	b.Name = "third"
	_, err = s.UpdateConnection(t.Context(), b)
	must(t, err)
	_, err = s.ConnectionNamed(t.Context(), acme, "jira", "second")
	wantCode(t, "the old name", err, connectors.NotFound)
	must(t, s.CreateConnection(t.Context(), named(acme, "c", "jira", "second")))
	must(t, s.DeleteConnection(t.Context(), acme, "con_a", 1))
	must(t, s.CreateConnection(t.Context(), named(acme, "d", "jira", "first")))
}

func touch(t TB, open func() store.Store) {
	s := open()
	seed(t, s, acme)
	seed(t, s, other)
	before, err := s.Connection(t.Context(), acme, "con_one")
	must(t, err)
	foreign := kept(t, s, other)
	must(t, s.TouchConnection(t.Context(), acme, "con_one", changedAt.Add(1)))
	touched := before
	touched.LastUsedAt = changedAt.Add(1)
	got, err := s.Connection(t.Context(), acme, "con_one")
	must(t, err)
	same(t, "touched connection", got, touched)
	must(t, s.TouchConnection(t.Context(), acme, "con_none", changedAt))
	_, err = s.Connection(t.Context(), acme, "con_none")
	wantCode(t, "a connection that was only touched", err, connectors.NotFound)
	same(t, "another tenant's connections after a touch", kept(t, s, other), foreign)

	before.Reason = "read before the touch"
	_, err = s.UpdateConnection(t.Context(), before)
	must(t, err)
	got, err = s.Connection(t.Context(), acme, "con_one")
	must(t, err)
	if !got.LastUsedAt.Equal(touched.LastUsedAt) {
		t.Errorf("an update took back the last use: %v, want %v", got.LastUsedAt, touched.LastUsedAt)
	}
}
