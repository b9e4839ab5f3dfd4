package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/config"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
)

// dyingDays is how many days before its end a consent is warned of.
const dyingDays = 14

// examineApps tells of each provider whether there is an OAuth app for it, and what is registered there.
func examineApps(s *service.Service, cfg *config.Config) []finding {
	var found []finding
	var seen []string
	for _, def := range s.Definitions {
		m, ok := methodOf(def, true)
		if !ok || slices.Contains(seen, m.OAuth.Provider.ID) {
			continue
		}
		seen = append(seen, m.OAuth.Provider.ID)
		found = append(found, examineApp(s, cfg, m.OAuth.Provider))
	}
	return found
}

func examineApp(s *service.Service, cfg *config.Config, p *connectors.OAuthProvider) finding {
	check, id := "OAuth app "+p.ID, strings.ToUpper(p.ID)
	app := s.OAuth.Apps[p.ID]
	redirects := callbackAddress(cfg.OAuthPort)
	if cfg.PublicURL != "" {
		redirects += " and " + s.OAuth.CallbackURL
	}
	switch {
	case app.ClientID == "" && app.ClientSecret.IsZero():
		return ok(check, fmt.Sprintf("none; %s_CLIENT_ID and %s_CLIENT_SECRET name one, with the redirect address %s", id, id, redirects))
	case app.ClientID == "":
		return failed(check, usage("%s_CLIENT_SECRET is set and %s_CLIENT_ID is not: set both", id, id))
	case app.ClientSecret.IsZero():
		return failed(check, usage("%s_CLIENT_ID is set and %s_CLIENT_SECRET is not: set both", id, id))
	}
	return ok(check, fmt.Sprintf("client id %s; register the redirect address %s", app.ClientID, redirects))
}

// examineTokens looks for credentials that an interrupted change left behind, for consents that the provider refused,
// and for those that it will soon drop.
func examineTokens(ctx context.Context, s *service.Service, t domain.Tenant, fix bool) []finding {
	swept, serr := 0, error(nil)
	if fix {
		swept, serr = s.Sweep(ctx, t)
	}
	left, found := 0, []finding{}
	for in := (service.TokensIn{Limit: connectors.MaxLimit}); ; {
		page, err := s.Tokens(ctx, t, in)
		if err != nil {
			return append(found, failed(leftOver, err))
		}
		for _, tok := range page.Items {
			if len(tok.Connections) == 0 {
				left++
				continue
			}
			if f, worth := examineGrant(tok); worth {
				found = append(found, f)
			}
		}
		if in.Cursor = string(page.Next); in.Cursor == "" {
			break
		}
	}
	switch {
	case serr != nil:
		return append(found, failed(leftOver, serr))
	case fix:
		return append(found, ok(leftOver, fmt.Sprintf("%d removed", swept)))
	case left > 0:
		return append(found, warn(leftOver, fmt.Sprintf("%d, harmless; --fix removes those older than an hour", left)))
	}
	return append(found, ok(leftOver, "none"))
}

const leftOver = "left-over credentials"

// examineGrant tells of a consent what its owner should know.
func examineGrant(tok service.TokenOut) (f finding, worth bool) {
	if tok.Account == nil {
		return f, false
	}
	check := "consent of " + tok.Account.Name
	used := refsOf(tok.Connections)
	switch {
	case tok.Refused != "":
		return warn(check, fmt.Sprintf("refused for good: %s; connect again (used by %s)", tok.Refused, used)), true
	case tok.DiesInDays != nil && *tok.DiesInDays > dyingDays:
		return ok(check, fmt.Sprintf("alive; unused it would end in %s (used by %s)", days(tok.DiesInDays), used)), true
	case tok.DiesInDays != nil:
		return warn(check, fmt.Sprintf("the provider drops it in %s unless it is used; `ucf serve` keeps it alive, or `ucf tokens refresh` (used by %s)", days(tok.DiesInDays), used)), true
	}
	return f, false
}
