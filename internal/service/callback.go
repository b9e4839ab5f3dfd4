package service

import (
	"context"
	"net/url"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// ReturnIn is what a browser brings back from a vendor.
type ReturnIn struct {
	State string
	Code  string
	Error string // the vendor's error code, as in access_denied
}

// ReturnOut says where the browser goes on.
type ReturnOut struct {
	// Location is the caller's page with what the vendor said; empty where the flow named none, and ucf's own page is
	// shown.
	Location string
	// Denied says that the user did not consent.
	Denied bool
}

// Return sends a browser that comes back from a vendor on to the page that its flow was begun for. It checks the state
// and completes nothing: that is for the caller who began the flow.
func (s *Service) Return(ctx context.Context, in ReturnIn) (ReturnOut, error) {
	out := ReturnOut{Denied: in.Error != ""}
	f, err := s.returning(ctx, in)
	if err != nil || f.Redirect == "" {
		return out, err
	}
	u, err := url.Parse(f.Redirect)
	if err != nil {
		return out, connectors.Wrap(connectors.Internal, err, "a checked page does not parse")
	}
	q := u.Query()
	q.Set("state", in.State)
	if in.Error != "" {
		q.Set("error", vendorError(in.Error))
	} else {
		q.Set("code", in.Code)
	}
	u.RawQuery = q.Encode()
	out.Location = u.String()
	return out, nil
}

// returning finds the flow that a browser comes back to.
func (s *Service) returning(ctx context.Context, in ReturnIn) (flow, error) {
	notGood := connectors.Errorf(connectors.InvalidRequest, "this consent belongs to no flow that is under way: it was used, took longer than 10 minutes, or was never begun; begin again")
	if in.State == "" || (in.Code == "") == (in.Error == "") {
		return flow{}, notGood
	}
	st, err := s.Store(ctx)
	if err != nil {
		return flow{}, err
	}
	rec, err := st.OAuthState(ctx, stateID(in.State))
	if connectors.CodeOf(err) == connectors.NotFound {
		return flow{}, notGood
	}
	if err != nil {
		return flow{}, err
	}
	f, err := s.openFlow(rec)
	if err != nil {
		return flow{}, err
	}
	if s.Now().Before(rec.ExpiresAt) && f.VendorRedirect == s.OAuth.CallbackURL && f.Pending == nil {
		return f, nil
	}
	meta := map[string]any{"connectorId": f.ConnectorID, "reason": "a browser came back out of turn"}
	if err := s.audit(ctx, rec.Tenant, "connect.refused", target{"connector", f.ConnectorID}, string(notGood.Code), meta); err != nil {
		return flow{}, err
	}
	return flow{}, notGood
}

// vendorError returns an error code of RFC 6749 as the vendor gave it, and a general one for everything else: it ends
// in somebody's page.
func vendorError(code string) string {
	const letters = "abcdefghijklmnopqrstuvwxyz_"
	if len(code) > 64 || strings.Trim(code, letters) != "" {
		return "server_error"
	}
	return code
}
