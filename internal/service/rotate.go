package service

import (
	"context"
	"strings"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// RotatedOut says what sealing all credentials with the first key did.
type RotatedOut struct {
	KeyID    string   `json:"keyId" doc:"The key that seals everything now"`
	Resealed int      `json:"resealed" doc:"Credentials that were sealed with another key before"`
	OldKeys  []string `json:"oldKeys" doc:"Keys that are no longer needed"`
}

// RotateKeys seals the credentials of all tenants that are sealed with another key than the first one anew, while
// everything goes on working. It can be interrupted and begun again at any time; it ends when a scan finds nothing
// left. progress, which may be nil, is told how many are done, and of how many that were found at the start.
func (s *Service) RotateKeys(ctx context.Context, progress func(done, total int)) (RotatedOut, error) {
	if err := s.CheckKeys(ctx); err != nil {
		return RotatedOut{}, err
	}
	st, err := s.Store(ctx)
	if err != nil {
		return RotatedOut{}, err
	}
	keys, err := s.Keeper.KeyIDs()
	if err != nil {
		return RotatedOut{}, err
	}
	out := RotatedOut{KeyID: keys[0], OldKeys: keys[1:]}
	total, err := countOthers(ctx, st, keys[0])
	if err != nil {
		return out, err
	}
	for {
		n, bad, err := s.resealAll(ctx, st, keys[0], func() {
			if out.Resealed++; progress != nil {
				progress(out.Resealed, max(total, out.Resealed))
			}
		})
		switch {
		case err != nil:
			return out, err
		case len(bad) > 0:
			return out, connectors.Errorf(connectors.Internal,
				"%d credentials do not open with the keys at hand and were left as they are: %s; keep the old keys", len(bad), strings.Join(bad[:min(len(bad), 10)], ", "))
		case n == 0:
			return out, nil
		}
	}
}

// countOthers returns how many credentials another key sealed.
func countOthers(ctx context.Context, st store.Store, keyID string) (n int, err error) {
	after := ""
	for {
		toks, err := st.TokensNotSealedBy(ctx, keyID, store.List{After: after, Limit: 200})
		if err != nil || len(toks) == 0 {
			return n, err
		}
		n, after = n+len(toks), toks[len(toks)-1].ID
	}
}

// resealAll goes once through the credentials that another key sealed. It returns how many it found, and those that
// do not open.
func (s *Service) resealAll(ctx context.Context, st store.Store, keyID string, done func()) (n int, bad []string, err error) {
	after := ""
	for {
		toks, err := st.TokensNotSealedBy(ctx, keyID, store.List{After: after, Limit: 100})
		if err != nil || len(toks) == 0 {
			return n, bad, err
		}
		for _, tok := range toks {
			n++
			after = tok.ID
			ok, err := s.reseal(ctx, st, tok, keyID)
			switch {
			case err != nil:
				return n, bad, err
			case ok:
				done()
			default:
				bad = append(bad, tok.ID)
			}
		}
	}
}

// reseal seals one credential anew, whoever else changes its record meanwhile. It returns false where it does not
// open.
func (s *Service) reseal(ctx context.Context, st store.Store, tok domain.Token, keyID string) (bool, error) {
	opens := true
	err := s.audited(ctx, tok.Tenant, "token.reseal", target{"token", tok.ID}, map[string]any{"from": tok.KeyID, "to": keyID}, func() error {
		for range maxConflicts {
			fields, err := s.openToken(tok)
			if err != nil {
				opens = false
				return err
			}
			if err := s.seal(&tok, fields); err != nil {
				return err
			}
			if _, err = st.UpdateToken(ctx, tok); connectors.CodeOf(err) != connectors.Conflict {
				return gone(err)
			}
			if tok, err = st.Token(ctx, tok.Tenant, tok.ID); err != nil || tok.KeyID == keyID {
				return gone(err)
			}
		}
		return errBusy
	})
	if !opens {
		return false, nil
	}
	return true, err
}

// gone is err, but nil where the record was removed meanwhile: there is nothing left to do.
func gone(err error) error {
	if connectors.CodeOf(err) == connectors.NotFound {
		return nil
	}
	return err
}
