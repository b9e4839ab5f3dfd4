package storetest_test

import (
	"context"
	"slices"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

func listBugs() []bug {
	return []bug{
		{"unsorted", "order of lists", breaking(func(under store.Store, b *broken) {
			b.listConnections = func(ctx ctxt, t tenant, connector string, l store.List) ([]domain.Connection, error) {
				list, err := under.ListConnections(ctx, t, connector, l)
				slices.Reverse(list)
				return list, err
			}
		})},
		{"no limit", "order of lists", breaking(func(under store.Store, b *broken) {
			b.listTokens = func(ctx ctxt, t tenant, l store.List) ([]domain.Token, error) {
				l.Limit = 1000
				return under.ListTokens(ctx, t, l)
			}
		})},
		{"repeats the first page", "order of lists", breaking(func(under store.Store, b *broken) {
			b.listTokens = func(ctx ctxt, t tenant, l store.List) ([]domain.Token, error) {
				l.After = ""
				return under.ListTokens(ctx, t, l)
			}
		})},
		{"a page ends short", "order of lists", breaking(func(under store.Store, b *broken) {
			b.listTokens = func(ctx ctxt, t tenant, l store.List) ([]domain.Token, error) {
				list, err := under.ListTokens(ctx, t, l)
				return list[:max(0, len(list)-1)], err
			}
		})},
		{"pages by offset", "paging while records come and go", breaking(func(under store.Store, b *broken) {
			seen := map[string]int{"": 0}
			b.listConnections = func(ctx ctxt, t tenant, connector string, l store.List) ([]domain.Connection, error) {
				list, err := under.ListConnections(ctx, t, connector, store.List{Limit: 1000})
				from := min(seen[l.After], len(list))
				page := list[from:min(from+l.Limit, len(list))]
				if len(page) > 0 {
					seen[page[len(page)-1].ID] = from + len(page)
				}
				return page, err
			}
		})},
		{"looks for the last one seen", "paging while records come and go", breaking(func(under store.Store, b *broken) {
			b.listTokens = func(ctx ctxt, t tenant, l store.List) ([]domain.Token, error) {
				if l.After != "" {
					if _, err := under.Token(ctx, t, l.After); err != nil {
						return nil, err
					}
				}
				return under.ListTokens(ctx, t, l)
			}
		})},
		{"ignores the connector", "connections of one connector", breaking(func(under store.Store, b *broken) {
			b.listConnections = func(ctx ctxt, t tenant, _ string, l store.List) ([]domain.Connection, error) {
				return under.ListConnections(ctx, t, "", l)
			}
		})},
		{"filters after the limit", "connections of one connector", breaking(func(under store.Store, b *broken) {
			b.listConnections = func(ctx ctxt, t tenant, connector string, l store.List) ([]domain.Connection, error) {
				list, err := under.ListConnections(ctx, t, "", l)
				return slices.DeleteFunc(list, func(c domain.Connection) bool { return connector != "" && c.ConnectorID != connector }), err
			}
		})},
	}
}

func syncStateBugs() []bug {
	return []bug{
		{"put always updates", "sync states by key", breaking(func(under store.Store, b *broken) {
			b.putSyncState = func(ctx ctxt, st domain.SyncState) (int64, error) {
				if old, err := under.SyncState(ctx, st.Tenant, st.ConnectionID, st.Stream, st.ContainerID); err == nil {
					st.Revision = old.Revision
				}
				return under.PutSyncState(ctx, st)
			}
		})},
		{"one state per stream", "sync states by key", breaking(func(under store.Store, b *broken) {
			b.syncState = func(ctx ctxt, t tenant, connection, stream, _ string) (domain.SyncState, error) {
				return under.SyncState(ctx, t, connection, stream, "")
			}
		})},
		{"states unsorted", "sync states by key", breaking(func(under store.Store, b *broken) {
			b.listSyncStates = func(ctx ctxt, t tenant, connection string) ([]domain.SyncState, error) {
				list, err := under.ListSyncStates(ctx, t, connection)
				slices.Reverse(list)
				return list, err
			}
		})},
		{"deletes the whole stream", "scopes of deleting sync states", breaking(func(under store.Store, b *broken) {
			b.deleteSyncStates = func(ctx ctxt, t tenant, connection, stream, _ string) (int, error) {
				return under.DeleteSyncStates(ctx, t, connection, stream, "")
			}
		})},
		{"counts nothing", "scopes of deleting sync states", breaking(func(under store.Store, b *broken) {
			b.deleteSyncStates = func(ctx ctxt, t tenant, connection, stream, container string) (int, error) {
				_, err := under.DeleteSyncStates(ctx, t, connection, stream, container)
				return 0, err
			}
		})},
		{"key ids of one tenant", "key ids of tokens", breaking(func(under store.Store, b *broken) {
			b.tokenKeyIDs = func(ctx ctxt) ([]string, error) {
				var keys []string
				list, err := under.ListTokens(ctx, "acme", store.List{Limit: 1000})
				for _, t := range list {
					if !slices.Contains(keys, t.KeyID) {
						keys = append(keys, t.KeyID)
					}
				}
				return keys, err
			}
		})},
		{"key ids repeat", "key ids of tokens", breaking(func(under store.Store, b *broken) {
			b.tokenKeyIDs = func(ctx ctxt) ([]string, error) {
				keys, err := under.TokenKeyIDs(ctx)
				return append(keys, keys...), err
			}
		})},
	}
}

func auditBugs() []bug {
	return []bug{
		{"oldest first", "audit newest first", breaking(func(under store.Store, b *broken) {
			b.listAudit = func(ctx ctxt, t tenant, f store.AuditFilter, l store.List) ([]domain.AuditEntry, error) {
				list, err := under.ListAudit(ctx, t, f, store.List{Limit: 1000})
				slices.Reverse(list)
				i := 1 + slices.IndexFunc(list, func(e domain.AuditEntry) bool { return e.ID == l.After })
				return list[i:min(i+l.Limit, len(list))], err
			}
		})},
		{"ignores the action", "audit filters", breaking(func(under store.Store, b *broken) {
			b.listAudit = func(ctx ctxt, t tenant, f store.AuditFilter, l store.List) ([]domain.AuditEntry, error) {
				return under.ListAudit(ctx, t, store.AuditFilter{TargetID: f.TargetID}, l)
			}
		})},
		{"ignores the target", "audit filters", breaking(func(under store.Store, b *broken) {
			b.listAudit = func(ctx ctxt, t tenant, f store.AuditFilter, l store.List) ([]domain.AuditEntry, error) {
				return under.ListAudit(ctx, t, store.AuditFilter{Action: f.Action}, l)
			}
		})},
	}
}

func lifeBugs() []bug {
	return []bug{
		{"kept in memory", "durability", func() func(store.Store) store.Store {
			forgets := false
			return breaking(func(under store.Store, b *broken) {
				if forgets {
					b.listTokens = func(ctxt, tenant, store.List) ([]domain.Token, error) { return nil, nil }
				}
				forgets = true
			})
		}()},
		{"a cache", "two stores on the same data", breaking(func(under store.Store, b *broken) {
			cache := map[string]domain.Connection{}
			b.connection = func(ctx ctxt, t tenant, id string) (domain.Connection, error) {
				if c, ok := cache[id]; ok {
					return c, nil
				}
				c, err := under.Connection(ctx, t, id)
				cache[id] = c
				return c, err
			}
		})},
		{"ignores the context when writing", "ended contexts", breaking(func(under store.Store, b *broken) {
			b.touch = func(ctx ctxt, t tenant, id string, at time.Time) error {
				_ = under.TouchConnection(context.WithoutCancel(ctx), t, id, at)
				return ctx.Err()
			}
		})},
		{"an uncoded context error", "ended contexts", breaking(func(under store.Store, b *broken) {
			b.ping = func(ctx ctxt) error { return ctx.Err() }
		})},
		{"ignores the context when reading", "ended contexts", breaking(func(under store.Store, b *broken) {
			b.tokenKeyIDs = func(ctx ctxt) ([]string, error) { return under.TokenKeyIDs(context.WithoutCancel(ctx)) }
		})},
		{"does not close", "use after close", breaking(func(_ store.Store, b *broken) {
			b.close = func() error { return nil }
		})},
		{"closed is internal", "use after close", breaking(func(under store.Store, b *broken) {
			b.ping = func(ctx ctxt) error {
				if err := under.Ping(ctx); err != nil {
					return connectors.Errorf(connectors.Internal, "closed")
				}
				return nil
			}
		})},
		{"no name", "identity", breaking(func(_ store.Store, b *broken) { b.name = func() string { return "" } })},
	}
}

func racingBugs() []bug {
	return []bug{
		{"lost updates", "concurrent changes of one record", lastWriterWins},
		{"look, then create", "concurrent creation of one record", breaking(func(under store.Store, b *broken) {
			b.createConnection = func(ctx ctxt, c domain.Connection) error {
				if err := under.CreateConnection(ctx, c); !isCode(err, connectors.Conflict) {
					return err
				}
				return nil
			}
		})},
		{"every deleter wins", "concurrent creation of one record", breaking(func(under store.Store, b *broken) {
			b.deleteConnection = func(ctx ctxt, t tenant, id string, revision int64) error {
				if err := under.DeleteConnection(ctx, t, id, revision); !isCode(err, connectors.NotFound) {
					return err
				}
				return nil
			}
		})},
	}
}
