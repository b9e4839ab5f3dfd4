package storetest_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

func bugs() []bug {
	return slices.Concat(spoiltValues(), grantBugs(), revisionBugs(), tenantBugs(), listBugs(), syncStateBugs(), auditBugs(), lifeBugs(), racingBugs(),
		workBugs(), jobBugs(), recordBugs(), feedBugs())
}

// onConnection returns a fault that changes connections as they are read.
func onConnection(change func(*domain.Connection)) func(store.Store) store.Store {
	return breaking(func(under store.Store, b *broken) {
		b.connection = func(ctx ctxt, t tenant, id string) (domain.Connection, error) {
			c, err := under.Connection(ctx, t, id)
			change(&c)
			return c, err
		}
	})
}

func onSyncState(change func(*domain.SyncState)) func(store.Store) store.Store {
	return breaking(func(under store.Store, b *broken) {
		b.syncState = func(ctx ctxt, t tenant, connection, stream, container string) (domain.SyncState, error) {
			st, err := under.SyncState(ctx, t, connection, stream, container)
			change(&st)
			return st, err
		}
	})
}

func onToken(change func(*domain.Token)) func(store.Store) store.Store {
	return breaking(func(under store.Store, b *broken) {
		b.token = func(ctx ctxt, t tenant, id string) (domain.Token, error) {
			tok, err := under.Token(ctx, t, id)
			change(&tok)
			return tok, err
		}
	})
}

func spoiltValues() []bug {
	const connection, token = "round trip of connections", "round trip of tokens"
	return []bug{
		{"milliseconds", connection, onConnection(func(c *domain.Connection) { c.UpdatedAt = c.UpdatedAt.Truncate(time.Millisecond) })},
		{"local times", connection, onConnection(func(c *domain.Connection) { c.CreatedAt = c.CreatedAt.In(time.FixedZone("", 3600)) })},
		{"zero times are 1970", token, onToken(func(t *domain.Token) {
			if t.ExpiresAt.IsZero() {
				t.ExpiresAt = time.Unix(0, 0).UTC()
			}
		})},
		{"64 bits of nanoseconds", token, onToken(func(t *domain.Token) { t.ExpiresAt = time.Unix(0, t.ExpiresAt.UnixNano()).UTC() })},
		{"replaced emoji", token, onToken(func(t *domain.Token) { t.Sealed = strings.ReplaceAll(t.Sealed, "\U0001F680", "?") })},
		{"trimmed texts", token, onToken(func(t *domain.Token) { t.KeyID = strings.TrimSpace(t.KeyID) })},
		{"numbers are floats", connection, onConnection(func(c *domain.Connection) {
			text, _ := json.Marshal(c.Config)
			c.Config = nil
			_ = json.Unmarshal(text, &c.Config)
		})},
		{"nil config is empty", connection, onConnection(func(c *domain.Connection) {
			if c.Config == nil {
				c.Config = map[string]any{}
			}
		})},
		{"empty scopes are nil", connection, onConnection(func(c *domain.Connection) {
			if len(c.Scopes) == 0 {
				c.Scopes = nil
			}
		})},
		{"sorted scopes", connection, onConnection(func(c *domain.Connection) { slices.Sort(c.Scopes) })},
		{"an empty site is none", connection, onConnection(func(c *domain.Connection) {
			if c.Site != nil && *c.Site == (connectors.Site{}) {
				c.Site = nil
			}
		})},
		{"forgotten operator host", connection, onConnection(func(c *domain.Connection) { c.OperatorHost = false })},
		{"update forgets the account", connection, breaking(func(under store.Store, b *broken) {
			b.updateConnection = func(ctx ctxt, c domain.Connection) (int64, error) {
				c.Account = connectors.Account{}
				return under.UpdateConnection(ctx, c)
			}
		})},
		{"found by name without its config", connection, breaking(func(under store.Store, b *broken) {
			b.connectionNamed = func(ctx ctxt, t tenant, connector, name string) (domain.Connection, error) {
				c, err := under.ConnectionNamed(ctx, t, connector, name)
				c.Config = nil
				return c, err
			}
		})},
		{"forgotten generation", "round trip of sync states", onSyncState(func(st *domain.SyncState) { st.Generation = 0 })},
		{"32-bit generation", "round trip of sync states", onSyncState(func(st *domain.SyncState) { st.Generation = int64(int32(st.Generation)) })},
		{"cut cursors", "cursors of a megabyte", onSyncState(func(st *domain.SyncState) { st.Cursor = st.Cursor[:min(len(st.Cursor), 1<<16)] })},
		{"update of a setting does nothing", "round trip of settings", breaking(func(under store.Store, b *broken) {
			b.putSetting = func(ctx ctxt, set domain.ConnectorSetting) (int64, error) {
				if old, err := under.ConnectorSetting(ctx, set.Tenant, set.ConnectorID); err == nil {
					set.ExtraDetails = old.ExtraDetails
				}
				return under.PutConnectorSetting(ctx, set)
			}
		})},
		{"budgets lose updates", "budgets", func(s store.Store) store.Store { return lastWins{s} }},
		{"budgets of one page", "budgets", func(s store.Store) store.Store { return firstBudgets{s} }},
		{"budgets forget who leased", "budgets", func(s store.Store) store.Store { return nobodyLeased{s} }},
		{"audit forgets a key", "round trip of audit entries", breaking(func(under store.Store, b *broken) {
			b.appendAudit = func(ctx ctxt, e domain.AuditEntry) error {
				e.Meta = maps.Clone(e.Meta)
				delete(e.Meta, "none")
				return under.AppendAudit(ctx, e)
			}
		})},
	}
}

func revisionBugs() []bug {
	return []bug{
		{"keeps the given revision", "revisions count", onToken(func(t *domain.Token) {
			if t.ID == "tok_given" {
				t.Revision = 17
			}
		})},
		{"returns the old revision", "revisions count", breaking(func(under store.Store, b *broken) {
			b.updateToken = func(ctx ctxt, t domain.Token) (int64, error) {
				n, err := under.UpdateToken(ctx, t)
				return n - 1, err
			}
		})},
		{"last writer wins", "stale revisions", lastWriterWins},
		{"stale is not found", "stale revisions", breaking(func(under store.Store, b *broken) {
			b.putSyncState = func(ctx ctxt, st domain.SyncState) (int64, error) {
				n, err := under.PutSyncState(ctx, st)
				if isCode(err, connectors.Conflict) {
					err = connectors.Errorf(connectors.NotFound, "gone")
				}
				return n, err
			}
		})},
		{"refused update leaves a trace", "stale revisions", breaking(func(under store.Store, b *broken) {
			b.updateConnection = func(ctx ctxt, c domain.Connection) (int64, error) {
				n, err := under.UpdateConnection(ctx, c)
				if err != nil {
					_ = under.TouchConnection(ctx, c.Tenant, c.ID, time.Now())
				}
				return n, err
			}
		})},
		{"delete ignores the revision", "stale revisions", breaking(func(under store.Store, b *broken) {
			b.deleteConnection = func(ctx ctxt, t tenant, id string, _ int64) error {
				c, err := under.Connection(ctx, t, id)
				return errors.Join(err, under.DeleteConnection(ctx, t, id, c.Revision))
			}
		})},
		{"delete of nothing succeeds", "missing records", breaking(func(under store.Store, b *broken) {
			b.deleteToken = func(ctx ctxt, t tenant, id string) error {
				if err := under.DeleteToken(ctx, t, id); !isCode(err, connectors.NotFound) {
					return err
				}
				return nil
			}
		})},
		{"update creates", "missing records", breaking(func(under store.Store, b *broken) {
			b.putSetting = func(ctx ctxt, set domain.ConnectorSetting) (int64, error) {
				n, err := under.PutConnectorSetting(ctx, set)
				if isCode(err, connectors.NotFound) {
					set.Revision = 0
					return under.PutConnectorSetting(ctx, set)
				}
				return n, err
			}
		})},
		{"an uncoded error", "missing records", breaking(func(under store.Store, b *broken) {
			b.token = func(ctx ctxt, t tenant, id string) (domain.Token, error) {
				tok, err := under.Token(ctx, t, id)
				if err != nil {
					err = errors.New("no rows")
				}
				return tok, err
			}
		})},
		{"create replaces", "duplicates", breaking(func(under store.Store, b *broken) {
			b.createToken = func(ctx ctxt, t domain.Token) error {
				_ = under.DeleteToken(ctx, t.Tenant, t.ID)
				return under.CreateToken(ctx, t)
			}
		})},
		{"ids are taken by other tenants", "duplicates", breaking(func(under store.Store, b *broken) {
			b.createToken = func(ctx ctxt, t domain.Token) error {
				if _, err := under.Token(ctx, "acme", t.ID); err == nil {
					return connectors.Errorf(connectors.Conflict, "in use")
				}
				return under.CreateToken(ctx, t)
			}
		})},
		{"audit entries are written over", "duplicates", breaking(func(under store.Store, b *broken) {
			b.appendAudit = func(ctx ctxt, e domain.AuditEntry) error {
				if err := under.AppendAudit(ctx, e); !isCode(err, connectors.Conflict) {
					return err
				}
				return nil
			}
		})},
		{"names without case", "names", breaking(func(under store.Store, b *broken) {
			b.connectionNamed = func(ctx ctxt, t tenant, connector, name string) (domain.Connection, error) {
				return under.ConnectionNamed(ctx, t, connector, strings.ToLower(name))
			}
		})},
		{"names may be used twice", "names", breaking(func(under store.Store, b *broken) {
			b.createConnection = func(ctx ctxt, c domain.Connection) error {
				if _, err := under.ConnectionNamed(ctx, c.Tenant, c.ConnectorID, c.Name); err == nil {
					c.Name += " 2"
				}
				return under.CreateConnection(ctx, c)
			}
		})},
		{"names are unique over connectors", "names", breaking(func(under store.Store, b *broken) {
			b.createConnection = func(ctx ctxt, c domain.Connection) error {
				for _, connector := range []string{"jira", "confluence"} {
					if _, err := under.ConnectionNamed(ctx, c.Tenant, connector, c.Name); err == nil {
						return connectors.Errorf(connectors.Conflict, "in use")
					}
				}
				return under.CreateConnection(ctx, c)
			}
		})},
		{"a rename into a used name is dropped", "renames", breaking(func(under store.Store, b *broken) {
			b.updateConnection = func(ctx ctxt, c domain.Connection) (int64, error) {
				if used, err := under.ConnectionNamed(ctx, c.Tenant, c.ConnectorID, c.Name); err == nil && used.ID != c.ID {
					old, _ := under.Connection(ctx, c.Tenant, c.ID)
					c.Name = old.Name
				}
				return under.UpdateConnection(ctx, c)
			}
		})},
		{"touch makes a revision", "touch", breaking(func(under store.Store, b *broken) {
			b.touch = func(ctx ctxt, t tenant, id string, at time.Time) error {
				c, err := under.Connection(ctx, t, id)
				c.LastUsedAt = at
				if err == nil {
					_, err = under.UpdateConnection(ctx, c)
				}
				return err
			}
		})},
		{"touch of nothing fails", "touch", breaking(func(under store.Store, b *broken) {
			b.touch = func(ctx ctxt, t tenant, id string, at time.Time) error {
				if _, err := under.Connection(ctx, t, id); err != nil {
					return err
				}
				return under.TouchConnection(ctx, t, id, at)
			}
		})},
		{"update takes back a touch", "touch", breaking(func(under store.Store, b *broken) {
			b.updateConnection = func(ctx ctxt, c domain.Connection) (int64, error) {
				n, err := under.UpdateConnection(ctx, c)
				return n, errors.Join(err, under.TouchConnection(ctx, c.Tenant, c.ID, c.LastUsedAt))
			}
		})},
	}
}

// lastWriterWins is a store that does not look at revisions.
var lastWriterWins = breaking(func(under store.Store, b *broken) {
	b.updateToken = func(ctx ctxt, t domain.Token) (int64, error) {
		for {
			now, err := under.Token(ctx, t.Tenant, t.ID)
			if err != nil {
				return 0, err
			}
			t.Revision = now.Revision
			n, err := under.UpdateToken(ctx, t)
			if !isCode(err, connectors.Conflict) {
				return n, err
			}
		}
	}
})

func tenantBugs() []bug {
	const check = "other tenants"
	return []bug{
		{"reads another tenant's token", check, breaking(func(under store.Store, b *broken) {
			b.token = func(ctx ctxt, _ tenant, id string) (domain.Token, error) { return under.Token(ctx, "acme", id) }
		})},
		{"forbidden instead of not found", check, breaking(func(under store.Store, b *broken) {
			b.connection = func(ctx ctxt, t tenant, id string) (domain.Connection, error) {
				c, err := under.Connection(ctx, t, id)
				if err != nil {
					err = connectors.Errorf(connectors.Forbidden, "not yours")
				}
				return c, err
			}
		})},
		{"conflict tells of another tenant's record", check, breaking(func(under store.Store, b *broken) {
			b.updateConnection = func(ctx ctxt, c domain.Connection) (int64, error) {
				n, err := under.UpdateConnection(ctx, c)
				if isCode(err, connectors.NotFound) {
					err = connectors.Errorf(connectors.Conflict, "stale")
				}
				return n, err
			}
		})},
		{"deletes another tenant's states", check, breaking(func(under store.Store, b *broken) {
			b.deleteSyncStates = func(ctx ctxt, t tenant, connection, stream, container string) (int, error) {
				_, _ = under.DeleteSyncStates(ctx, "other-tenant", connection, stream, container)
				return under.DeleteSyncStates(ctx, t, connection, stream, container)
			}
		})},
		{"touches another tenant's connection", check, breaking(func(under store.Store, b *broken) {
			b.touch = func(ctx ctxt, _ tenant, id string, at time.Time) error {
				return under.TouchConnection(ctx, "acme", id, at)
			}
		})},
		{"lists another tenant's audit", check, breaking(func(under store.Store, b *broken) {
			b.listAudit = func(ctx ctxt, _ tenant, f store.AuditFilter, l store.List) ([]domain.AuditEntry, error) {
				return under.ListAudit(ctx, "acme", f, l)
			}
		})},
		{"lists another tenant's states", check, breaking(func(under store.Store, b *broken) {
			b.listSyncStates = func(ctx ctxt, _ tenant, id string) ([]domain.SyncState, error) {
				return under.ListSyncStates(ctx, "acme", id)
			}
		})},
		{"another tenant's setting", check, breaking(func(under store.Store, b *broken) {
			b.setting = func(ctx ctxt, _ tenant, id string) (domain.ConnectorSetting, error) {
				return under.ConnectorSetting(ctx, "acme", id)
			}
		})},
	}
}
