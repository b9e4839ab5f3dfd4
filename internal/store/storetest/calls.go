package storetest

import (
	"context"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// call is one method, called on the records that seed has made. It returns how many records were found or changed.
type call struct {
	name string
	run  func(ctx context.Context, s store.Store, t domain.Tenant) (int, error)
	// foreign is what a tenant without records gets; "" is no error and nothing found.
	foreign connectors.Code
	// creates says that the call makes a record, which a tenant without records may do as well.
	creates bool
	// global says that the call is not a tenant's; all that it changes what every tenant has.
	global, all bool
}

// seed makes two records of each kind for a tenant.
func seed(t TB, s store.Store, tenant domain.Tenant) {
	t.Helper()
	for _, key := range []string{"one", "two"} {
		for _, k := range kinds() {
			must(t, k.create(t.Context(), s, tenant, key, "on"))
		}
		must(t, s.AppendAudit(t.Context(), audit(tenant, "aud_"+key, "seed", key)))
	}
	seedWork(t, s, tenant)
}

func count[T any](list []T, err error) (int, error) { return len(list), err }

func single[T any](_ T, err error) (int, error) { return 1, err }

func done(err error) (int, error) { return 1, err }

// calls returns every method.
func calls() []call {
	all := append(connectionCalls(), tokenCalls()...)
	all = append(all, syncStateCalls()...)
	all = append(all, otherCalls()...)
	all = append(all, jobCalls()...)
	return append(all, recordCalls()...)
}

type (
	ctxt   = context.Context
	tenant = domain.Tenant
)

func connectionCalls() []call {
	return []call{
		{name: "CreateConnection", creates: true, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return done(s.CreateConnection(ctx, connection(t, "new", "", 0)))
		}},
		{name: "Connection", foreign: connectors.NotFound, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return single(s.Connection(ctx, t, "con_one"))
		}},
		{name: "ConnectionNamed", foreign: connectors.NotFound, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return single(s.ConnectionNamed(ctx, t, "jira", "name of one"))
		}},
		{name: "UpdateConnection", foreign: connectors.NotFound, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return single(s.UpdateConnection(ctx, connection(t, "one", "changed", 1)))
		}},
		{name: "TouchConnection", run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return 0, s.TouchConnection(ctx, t, "con_one", changedAt)
		}},
		{name: "DeleteConnection", foreign: connectors.NotFound, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return done(s.DeleteConnection(ctx, t, "con_two", 1))
		}},
		{name: "ListConnections", run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return count(s.ListConnections(ctx, t, "", store.List{Limit: 10}))
		}},
		{name: "ListConnections of a connector", run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return count(s.ListConnections(ctx, t, "jira", store.List{Limit: 10}))
		}},
	}
}

func tokenCalls() []call {
	return []call{
		{name: "CreateToken", creates: true, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return done(s.CreateToken(ctx, token(t, "new", "", 0)))
		}},
		{name: "Token", foreign: connectors.NotFound, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return single(s.Token(ctx, t, "tok_one"))
		}},
		{name: "UpdateToken", foreign: connectors.NotFound, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return single(s.UpdateToken(ctx, token(t, "one", "changed", 1)))
		}},
		{name: "DeleteToken", foreign: connectors.NotFound, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return done(s.DeleteToken(ctx, t, "tok_two"))
		}},
		{name: "ListTokens", run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return count(s.ListTokens(ctx, t, store.List{Limit: 10}))
		}},
		{name: "TokenOfGrant", foreign: connectors.NotFound, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return single(s.TokenOfGrant(ctx, t, "grant of one"))
		}},
		{name: "TokensNotSealedBy", global: true, run: func(ctx ctxt, s store.Store, _ tenant) (int, error) {
			return count(s.TokensNotSealedBy(ctx, "", store.List{Limit: 10}))
		}},
		{name: "DueTokens", global: true, run: func(ctx ctxt, s store.Store, _ tenant) (int, error) {
			return count(s.DueTokens(ctx, changedAt, 10))
		}},
		{name: "CreateOAuthState", creates: true, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return done(s.CreateOAuthState(ctx, oauthState(t, "state of "+string(t), changedAt)))
		}},
		{name: "SweepOAuthStates", global: true, run: func(ctx ctxt, s store.Store, _ tenant) (int, error) {
			return s.SweepOAuthStates(ctx, changedAt)
		}},
		{name: "TokenKeyIDs", global: true, run: func(ctx ctxt, s store.Store, _ tenant) (int, error) {
			return count(s.TokenKeyIDs(ctx))
		}},
	}
}

func syncStateCalls() []call {
	return []call{
		{name: "SyncState", foreign: connectors.NotFound, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return single(s.SyncState(ctx, t, connectionID, "items", "one"))
		}},
		{name: "PutSyncState that creates", creates: true, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return single(s.PutSyncState(ctx, syncState(t, "new", "", 0)))
		}},
		{name: "PutSyncState that updates", foreign: connectors.NotFound, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return single(s.PutSyncState(ctx, syncState(t, "one", "changed", 1)))
		}},
		{name: "DeleteSyncStates", run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return s.DeleteSyncStates(ctx, t, connectionID, "items", "two")
		}},
		{name: "DeleteSyncStates of all", run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return s.DeleteSyncStates(ctx, t, connectionID, "", "")
		}},
		{name: "ListSyncStates", run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return count(s.ListSyncStates(ctx, t, connectionID))
		}},
	}
}

func otherCalls() []call {
	return []call{
		{name: "ConnectorSetting", foreign: connectors.NotFound, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return single(s.ConnectorSetting(ctx, t, "one"))
		}},
		{name: "PutConnectorSetting that creates", creates: true, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return single(s.PutConnectorSetting(ctx, setting(t, "new", "", 0)))
		}},
		{name: "PutConnectorSetting that updates", foreign: connectors.NotFound, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return single(s.PutConnectorSetting(ctx, setting(t, "one", "", 1)))
		}},
		{name: "PutBudget", global: true, run: func(ctx ctxt, s store.Store, _ tenant) (int, error) {
			return single(s.PutBudget(ctx, budget("of a call", 0)))
		}},
		{name: "Budget", global: true, run: func(ctx ctxt, s store.Store, _ tenant) (int, error) {
			return single(s.Budget(ctx, "of a call"))
		}},
		{name: "ListBudgets", global: true, run: func(ctx ctxt, s store.Store, _ tenant) (int, error) {
			return count(s.ListBudgets(ctx, store.List{Limit: 10}))
		}},
		{name: "AppendAudit", creates: true, run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return done(s.AppendAudit(ctx, audit(t, "aud_new", "new", "new")))
		}},
		{name: "ListAudit", run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return count(s.ListAudit(ctx, t, store.AuditFilter{}, store.List{Limit: 10}))
		}},
		{name: "ListAudit of a target", run: func(ctx ctxt, s store.Store, t tenant) (int, error) {
			return count(s.ListAudit(ctx, t, store.AuditFilter{Action: "seed", TargetID: "one"}, store.List{Limit: 10}))
		}},
		{name: "Ping", global: true, run: func(ctx ctxt, s store.Store, _ tenant) (int, error) {
			return done(s.Ping(ctx))
		}},
	}
}
