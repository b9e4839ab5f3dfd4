package service

import (
	"context"
	"time"

	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// GrantStats counts the consents by OAuth of all tenants.
type GrantStats struct {
	Live    int
	Refused int
	// DiesInDays is the least of the live ones' days until their provider drops them unused; nil where none does.
	DiesInDays *int
}

// statsAge is how long the counts are good: they are read from every token record.
const statsAge = 30 * time.Second

// GrantStats counts the stored consents. The counts may be half a minute old.
func (s *Service) GrantStats(ctx context.Context) (GrantStats, error) {
	s.stats.Lock()
	defer s.stats.Unlock()
	if now := s.Now(); s.stats.at.IsZero() || now.Sub(s.stats.at) > statsAge {
		counted, err := s.countGrants(ctx)
		if err != nil {
			return GrantStats{}, err
		}
		s.stats.GrantStats, s.stats.at = counted, now
	}
	return s.stats.GrantStats, nil
}

func (s *Service) countGrants(ctx context.Context) (GrantStats, error) {
	var out GrantStats
	st, err := s.Store(ctx)
	if err != nil {
		return out, err
	}
	// No key has the empty id: these are all tokens.
	toks, err := collect(func(after string) ([]domain.Token, error) {
		return st.TokensNotSealedBy(ctx, "", store.List{After: after, Limit: 500})
	}, func(t domain.Token) string { return t.ID })
	for _, tok := range toks {
		switch {
		case tok.Grant == nil:
		case tok.Grant.Refused != "":
			out.Refused++
		default:
			out.Live++
			if days := s.diesInDays(tok); days != nil && (out.DiesInDays == nil || *days < *out.DiesInDays) {
				out.DiesInDays = days
			}
		}
	}
	return out, err
}
