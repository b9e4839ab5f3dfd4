package storetest

import (
	"errors"
	"reflect"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

const (
	acme  domain.Tenant = "acme"
	other domain.Tenant = "other-tenant"
	empty domain.Tenant = "Empty.Tenant_0"
)

// must ends the check on an error.
func must(t TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v (%s)", err, connectors.CodeOf(err))
	}
}

// wantCode checks that err is a *connectors.Error with one of the codes and a message.
func wantCode(t TB, what string, err error, want ...connectors.Code) {
	t.Helper()
	var e *connectors.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: error %v, want a *connectors.Error with code %v", what, err, want)
		return
	}
	for _, code := range want {
		if e.Code == code && e.Message != "" {
			return
		}
	}
	t.Errorf("%s: code %s, message %q; want code %v and a message", what, e.Code, e.Message, want)
}

// same checks that two values are deeply equal.
func same(t TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// contents is what a store keeps of one tenant.
type contents struct {
	Connections []domain.Connection
	Tokens      []domain.Token
	SyncStates  []domain.SyncState
	Settings    []domain.ConnectorSetting
	Audit       []domain.AuditEntry
	Jobs        []domain.Job
	Feeds       []feedContents
}

// kept reads all that the checks keep of the tenants.
func kept(t TB, s store.Store, tenants ...domain.Tenant) map[domain.Tenant]contents {
	t.Helper()
	ctx, all := t.Context(), store.List{Limit: 1000}
	out := map[domain.Tenant]contents{}
	for _, tenant := range tenants {
		var c contents
		var errs [6]error
		c.Connections, errs[0] = s.ListConnections(ctx, tenant, "", all)
		c.Tokens, errs[1] = s.ListTokens(ctx, tenant, all)
		c.SyncStates, errs[2] = s.ListSyncStates(ctx, tenant, connectionID)
		c.Audit, errs[3] = s.ListAudit(ctx, tenant, store.AuditFilter{}, all)
		c.Jobs, errs[5] = s.ListJobs(ctx, tenant, store.JobFilter{}, all)
		c.Feeds = []feedContents{recordsOf(t, s, tenant, feedID), recordsOf(t, s, tenant, feedID+"_2")}
		for _, key := range []string{"one", "two", "new"} {
			set, err := s.ConnectorSetting(ctx, tenant, key)
			if err == nil {
				c.Settings = append(c.Settings, set)
			} else if connectors.CodeOf(err) != connectors.NotFound {
				errs[4] = err
			}
		}
		must(t, errors.Join(errs[:]...))
		out[tenant] = c
	}
	return out
}
