package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/unified-connector/ucf/connectors"
)

// maxAnswer bounds the body of an answer in bytes.
const maxAnswer = 1 << 20

// Client speaks to the authorization server of one app. It repeats nothing and follows no redirect. HTTP is a client
// that guards where it goes and signs nothing. A Client may be used by many goroutines at once.
//
// Its errors are [connectors.ProviderError] ([connectors.RateLimited] where the provider says so, [connectors.Timeout] where
// it does not answer in time), or [connectors.Reauthorize] for what the provider refused for good; [FailureOf] tells more. They show no token, code or
// secret.
type Client struct {
	App  App
	HTTP *http.Client
	Now  func() time.Time
}

// Consent is what a user is asked for.
type Consent struct {
	State       string
	RedirectURI string
	Scopes      []string
	Challenge   string // of PKCE (S256); left out where the provider has none
}

// AuthorizeURL returns the page on which a user gives consent: RFC 6749 section 4.1.1, and RFC 7636 where the provider
// has it. The scope that brings a refresh token is always asked for.
func (c *Client) AuthorizeURL(r Consent) string {
	p := c.App.Provider
	scopes := slices.Clone(r.Scopes)
	if p.RefreshScope != "" && !slices.Contains(scopes, p.RefreshScope) {
		scopes = append(scopes, p.RefreshScope)
	}
	cfg := oauth2.Config{
		ClientID: c.App.ClientID, Endpoint: oauth2.Endpoint{AuthURL: c.App.AuthURL + p.AuthorizePath},
		RedirectURL: r.RedirectURI, Scopes: scopes,
	}
	var extra []oauth2.AuthCodeOption
	for name, v := range p.Params {
		extra = append(extra, oauth2.SetAuthURLParam(name, v))
	}
	if p.PKCE && r.Challenge != "" {
		extra = append(extra, oauth2.SetAuthURLParam("code_challenge", r.Challenge), oauth2.SetAuthURLParam("code_challenge_method", "S256"))
	}
	return cfg.AuthCodeURL(r.State, extra...)
}

// Exchange turns the code of a consent into tokens: RFC 6749 section 4.1.3. The verifier goes along where the provider
// has PKCE.
func (c *Client) Exchange(ctx context.Context, code, verifier, redirectURI string) (Answer, error) {
	params := map[string]string{"grant_type": "authorization_code", "code": code, "redirect_uri": redirectURI}
	if c.App.Provider.PKCE && verifier != "" {
		params["code_verifier"] = verifier
	}
	return c.token(ctx, params, "the code of this consent", connectors.OAuthErrors{"invalid_grant"}, code, verifier)
}

// Refresh spends a refresh token: RFC 6749 section 6.
func (c *Client) Refresh(ctx context.Context, refresh connectors.Secret) (Answer, error) {
	params := map[string]string{"grant_type": "refresh_token", "refresh_token": refresh.Reveal()}
	return c.token(ctx, params, "the refresh token", c.App.Provider.Dead, refresh.Reveal())
}

// token asks the token endpoint.
func (c *Client) token(ctx context.Context, params map[string]string, what string, dead connectors.OAuthErrors, secrets ...string) (Answer, error) {
	asked := c.now()
	r, err := c.post(ctx, c.App.Provider.TokenPath, params, c.App.Provider.JSON)
	if err != nil {
		return Answer{}, err
	}
	if r.status/100 == 2 {
		if a, ok := r.answer(c.App.Provider.APIField, asked); ok {
			return a, nil
		}
	}
	sent := []connectors.Secret{c.App.ClientSecret}
	for _, s := range secrets {
		sent = append(sent, connectors.NewSecret(s))
	}
	return Answer{}, c.answered(r, what, dead, sent)
}

// Revoke withdraws a token at the provider: RFC 7009. A token that the provider does not know any more is no error. It
// is [connectors.Unsupported] where the provider has no such call.
func (c *Client) Revoke(ctx context.Context, token connectors.Secret) error {
	p := c.App.Provider
	if p.RevokePath == "" {
		return connectors.Errorf(connectors.Unsupported, "%s has no call that withdraws a consent", p.Name)
	}
	r, err := c.post(ctx, p.RevokePath, map[string]string{"token": token.Reveal()}, false)
	if err != nil {
		return err
	}
	if code, _ := r.oauthError(); r.status/100 == 2 || r.status/100 == 4 && code == "invalid_token" {
		return nil
	}
	return c.answered(r, "the withdrawal", nil, []connectors.Secret{c.App.ClientSecret, token})
}

// Introspect returns when an access token expires (RFC 7662), zero where the provider does not say.
func (c *Client) Introspect(ctx context.Context, token connectors.Secret) (time.Time, error) {
	p := c.App.Provider
	if p.IntrospectPath == "" {
		return time.Time{}, connectors.Errorf(connectors.Unsupported, "%s does not tell when a token expires", p.Name)
	}
	r, err := c.post(ctx, p.IntrospectPath, map[string]string{"token": token.Reveal(), "token_type_hint": "access_token"}, false)
	if err != nil {
		return time.Time{}, err
	}
	f := r.fields()
	if r.status/100 != 2 || f == nil {
		return time.Time{}, c.answered(r, "the question", nil, []connectors.Secret{c.App.ClientSecret, token})
	}
	if active, ok := f["active"].(bool); !ok || !active {
		return time.Time{}, connectors.Errorf(connectors.ProviderError, "%s says that a token which it gave is not active", p.Name)
	}
	if exp, ok := seconds(f["exp"]); ok && exp > 0 {
		return time.Unix(exp, 0).UTC(), nil
	}
	return time.Time{}, nil
}

// reply is an answer as it came. cut says that its body was not read to the end.
type reply struct {
	status int
	header http.Header
	body   []byte
	cut    bool
}

// post sends the parameters and the app's credentials. Its errors mean that no answer came.
func (c *Client) post(ctx context.Context, path string, params map[string]string, asJSON bool) (reply, error) {
	params["client_id"] = c.App.ClientID
	if !c.App.ClientSecret.IsZero() {
		params["client_secret"] = c.App.ClientSecret.Reveal()
	}
	body, kind, err := encode(params, asJSON)
	if err != nil {
		return reply{}, fail(Misconfigured, nil, "the request to "+c.App.Provider.Name+" does not encode")
	}
	var connected atomic.Bool
	req, err := http.NewRequestWithContext(trace(ctx, &connected), http.MethodPost, c.App.AuthURL+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, fail(Misconfigured, nil, fmt.Sprintf("the address of %s is not a URL: check %s", c.App.Provider.Name, c.App.Provider.Setting))
	}
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Accept", "application/json")
	resp, err := c.client().Do(req)
	if err != nil {
		return reply{}, c.unanswered(ctx, err, connected.Load())
	}
	defer resp.Body.Close()
	r := reply{status: resp.StatusCode, header: resp.Header}
	r.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	r.cut = err != nil || len(r.body) > maxAnswer
	return r, nil
}

// client returns the client that it was given, without its redirects.
func (c *Client) client() *http.Client {
	hc := *c.HTTP
	hc.Jar = nil
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &hc
}

// trace notes in connected whether the request may have left: from when it has a connection on, since whoever gives up
// in the midst of writing cannot tell how far it came. A request that is sent anew over another connection, as
// net/http does when nothing of it reached the first, begins from the start.
func trace(ctx context.Context, connected *atomic.Bool) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { connected.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
}

// unanswered returns the error for a request that brought no answer.
func (c *Client) unanswered(ctx context.Context, err error, sent bool) error {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err // its text names the address alone
	}
	kind, name := Outage, c.App.Provider.Name
	text := name + " could not be asked: the connection failed; try again"
	if sent {
		kind, text = Ambiguous, name+" did not answer: the connection broke; try again"
	}
	var coded *connectors.Error
	switch {
	case errors.As(err, &coded) && ctx.Err() == nil:
		text = name + " could not be asked: " + coded.Message
		if sent {
			text = name + " did not answer: " + coded.Message
		}
	case errors.Is(err, context.DeadlineExceeded):
		text = name + " did not answer in time; try again"
	case errors.Is(err, context.Canceled):
		text = name + " was not waited for: the work was cancelled"
	}
	e := fail(kind, err, text)
	if coded != nil && coded.Code == connectors.RateLimited {
		e.Code, e.RetryAfter = coded.Code, coded.RetryAfter
	}
	return e
}

func encode(params map[string]string, asJSON bool) (body []byte, kind string, err error) {
	if asJSON {
		body, err = json.Marshal(params)
		return body, "application/json", err
	}
	form := url.Values{}
	for name, v := range params {
		form.Set(name, v)
	}
	return []byte(form.Encode()), "application/x-www-form-urlencoded", nil
}

func (c *Client) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}
