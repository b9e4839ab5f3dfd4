package transport

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// TokenSource gives the credential that requests are signed with. Its methods are called by many goroutines at once,
// honour their context and return *[connectors.Error] values, [connectors.Reauthorize] when the credential is dead.
type TokenSource interface {
	// Token returns the credential to sign the next request with.
	Token(ctx context.Context) (connectors.Secret, error)
	// Newer returns a credential newer than the one that the provider refused with the status (401, 403 or 404), and
	// false where there is none to be had. A provider can say 403 and 404 of what a dead credential may not see: for these
	// a source renews only a credential that it has reason to think dead. It is asked at most maxRenewals times a try, so
	// that credentials which end while a request is on its way do not end the request.
	Newer(ctx context.Context, refused connectors.Secret, status int) (connectors.Secret, bool, error)
}

// Static returns a source of one credential that has no newer one.
func Static(secret connectors.Secret) TokenSource { return static{secret} }

type static struct{ secret connectors.Secret }

func (s static) Token(context.Context) (connectors.Secret, error) { return s.secret, nil }

func (s static) Newer(context.Context, connectors.Secret, int) (connectors.Secret, bool, error) {
	return connectors.Secret{}, false, nil
}

// sign says who is asking: it adds the credential to requests that go to its origin, and the user agent and request
// id to all. A refused credential is replaced by a newer one once, if there is one. The caller's request is left as
// it is, and the answer does not lead back to the signed one.
type sign struct {
	next      http.RoundTripper
	source    TokenSource
	scheme    connectors.Scheme
	user      string
	origin    string
	field     string
	clear     func(*url.URL) bool // whether a credential may go there without TLS
	agent     string
	requestID func(context.Context) string
}

// RoundTrip implements [http.RoundTripper].
func (s *sign) RoundTrip(req *http.Request) (*http.Response, error) {
	named := s.name(req)
	if s.source == nil || originOf(req.URL) != s.origin {
		return s.next.RoundTrip(named)
	}
	resp, err := s.roundTrip(named)
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}

func (s *sign) roundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !s.clear(req.URL) {
		closeBody(req)
		return nil, connectors.InvalidFields(connectors.Fault{
			Field: s.field, Message: "a credential is not sent over plain http; use https",
		})
	}
	token, err := s.source.Token(req.Context())
	if err != nil {
		closeBody(req)
		return nil, sourceFailure(req.Context(), err)
	}
	resp, err := s.send(req, token)
	for range maxRenewals {
		if err != nil || !mayBeDead(resp.StatusCode) {
			return resp, err
		}
		refused := resp
		if resp, token, err = s.again(req, refused, token); resp == refused {
			return resp, err
		}
	}
	return resp, err
}

// maxRenewals is how often a request is made again with a newer credential.
const maxRenewals = 4

// mayBeDead reports whether a status can mean that the credential is not good.
func mayBeDead(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusNotFound
}

// again makes a request that was refused once more with a newer credential, which it returns; without one it returns
// the refusal.
func (s *sign) again(req *http.Request, refused *http.Response, token connectors.Secret) (*http.Response, connectors.Secret, error) {
	if req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return refused, token, nil
	}
	newer, ok, err := s.source.Newer(req.Context(), token, refused.StatusCode)
	if err != nil {
		discard(refused)
		return nil, token, sourceFailure(req.Context(), err)
	}
	if !ok {
		return refused, token, nil
	}
	discard(refused)
	req, err = rewind(req)
	if err != nil {
		return nil, token, err
	}
	resp, err := s.send(req, newer)
	return resp, newer, err
}

// sourceFailure returns a source's error whose cause can be told, and not be taken apart: a refresh that broke off is for
// the source to repeat, never for retry, which would see a failure of the network in it.
func sourceFailure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return connectors.AsError(ctx.Err())
	}
	e := *connectors.AsError(err)
	if e.Err != nil {
		e.Err = sourceCause{e.Err}
	}
	return &e
}

// sourceCause hides the types of an error's chain, not what it is.
type sourceCause struct{ cause error }

func (c sourceCause) Error() string { return c.cause.Error() }

// Is reports whether the cause is the target.
func (c sourceCause) Is(target error) bool { return errors.Is(c.cause, target) }

func (s *sign) send(req *http.Request, token connectors.Secret) (*http.Response, error) {
	value := "Bearer " + token.Reveal()
	if s.scheme == connectors.SchemeBasic {
		value = "Basic " + base64.StdEncoding.EncodeToString([]byte(s.user+":"+token.Reveal()))
	}
	if token.IsZero() || !headerText(value) {
		closeBody(req)
		return nil, connectors.Errorf(connectors.Reauthorize,
			"the stored credential is empty or holds characters that cannot be sent: set it again")
	}
	out := req.Clone(req.Context())
	out.Header.Set("Authorization", value)
	return s.next.RoundTrip(out)
}

// name returns a copy of the request that tells our name and the request's id.
func (s *sign) name(req *http.Request) *http.Request {
	out := req.Clone(req.Context())
	if out.Header == nil {
		out.Header = http.Header{}
	}
	if s.agent != "" {
		out.Header.Set("User-Agent", s.agent)
	}
	if id := s.requestID(req.Context()); id != "" && len(id) <= 128 && headerText(id) {
		out.Header.Set("X-Request-Id", id)
	}
	return out
}

// headerText reports whether s is visible ASCII and spaces.
func headerText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
