package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/unified-connector/ucf/connectors"
)

const origin = "https://acme.example:443"

func newSign(next http.RoundTripper, src TokenSource) *sign {
	return &sign{
		next: next, source: src, scheme: connectors.SchemeBearer, origin: origin, field: "base_url", agent: "ucf/test",
		clear:     func(u *url.URL) bool { return u.Hostname() == "127.0.0.1" },
		requestID: func(context.Context) string { return "req-1" },
	}
}

func TestSignWhereTheCredentialGoes(t *testing.T) {
	tests := []struct {
		name, url, origin, want string
		wantCode                connectors.Code
	}{
		{name: "origin", url: "https://acme.example/rest?x=1", want: "Bearer tok"},
		{name: "origin with its port", url: "https://acme.example:443/", want: "Bearer tok"},
		{name: "origin in capitals", url: "https://ACME.example/", want: "Bearer tok"},
		{name: "origin with the root dot", url: "https://acme.example./", want: "Bearer tok"},
		{name: "other host", url: "https://evil.example/"},
		{name: "sub-domain", url: "https://x.acme.example/"},
		{name: "host as prefix", url: "https://acme.example.evil.example/"},
		{name: "host as user", url: "https://acme.example@evil.example/"},
		{name: "other port", url: "https://acme.example:8443/"},
		{name: "other scheme", url: "http://acme.example/"},
		{name: "plain origin", url: "http://jira.example/", origin: "http://jira.example:80", wantCode: connectors.InvalidRequest},
		{name: "plain origin allowed", url: "http://127.0.0.1:8090/", origin: "http://127.0.0.1:8090", want: "Bearer tok"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var steps []step
			if tt.wantCode == "" {
				steps = append(steps, status(200))
			}
			inner, src := newScript(t, steps...), &source{token: "tok"}
			s := newSign(inner, src)
			if tt.origin != "" {
				s.origin = tt.origin
			}
			req := request(t, "GET", tt.url, "")
			resp, err := s.RoundTrip(req)
			if got := connectors.CodeOf(err); got != tt.wantCode {
				t.Fatalf("code %q, want %q", got, tt.wantCode)
			}
			if tt.wantCode != "" {
				if src.asked != 0 {
					t.Error("the credential was fetched for a request that is refused")
				}
				return
			}
			defer resp.Body.Close()
			sent := inner.got[0].Header
			if got := sent.Get("Authorization"); got != tt.want {
				t.Errorf("Authorization %q, want %q", got, tt.want)
			}
			if sent.Get("User-Agent") != "ucf/test" || sent.Get("X-Request-Id") != "req-1" {
				t.Errorf("headers %v lack who asks", sent)
			}
			if len(req.Header) != 0 {
				t.Errorf("the caller's request was changed: %v", req.Header)
			}
			if tt.want != "" && resp.Request != req {
				t.Error("the answer leads to the signed request")
			}
		})
	}
}

func TestSignSchemes(t *testing.T) {
	inner := newScript(t, status(200), status(200))
	s := newSign(inner, Static(connectors.NewSecret("pässword")))
	s.scheme, s.user = connectors.SchemeBasic, "you@example.com"
	if _, err := s.RoundTrip(request(t, "GET", "https://acme.example/", "")); err != nil {
		t.Fatal(err)
	}
	if user, pass, _ := inner.got[0].BasicAuth(); user != "you@example.com" || pass != "pässword" {
		t.Errorf("signed as %q with %q", user, pass)
	}
	s.source = nil
	if _, err := s.RoundTrip(request(t, "GET", "https://acme.example/", "")); err != nil {
		t.Fatal(err)
	}
	if got := inner.got[1].Header.Get("Authorization"); got != "" {
		t.Errorf("signed without a source: %q", got)
	}
}

func TestSignAfterARefusal(t *testing.T) {
	tests := []struct {
		name       string
		newer      []string
		err        error
		steps      []step
		wantTokens []string
		dead       bool
		wantStatus int
		wantCode   connectors.Code
	}{
		{name: "newer token", newer: []string{"b"}, steps: []step{status(401), status(200)}, wantTokens: []string{"a", "b"}, wantStatus: 200},
		{name: "newer token refused too", newer: []string{"b"}, steps: []step{status(401), status(401)}, wantTokens: []string{"a", "b"}, wantStatus: 401},
		{name: "tokens that end on the way", newer: []string{"b", "c"}, steps: []step{status(401), status(401), status(200)}, wantTokens: []string{"a", "b", "c"}, wantStatus: 200},
		{
			name: "no end of tokens", newer: []string{"b", "c", "d", "e", "f"},
			steps:      []step{status(401), status(401), status(401), status(401), status(401)},
			wantTokens: []string{"a", "b", "c", "d", "e"}, wantStatus: 401,
		},
		{name: "no newer", steps: []step{status(401)}, wantTokens: []string{"a"}, wantStatus: 401},
		{name: "403 is no refusal", newer: []string{"b"}, steps: []step{status(403)}, wantTokens: []string{"a"}, wantStatus: 403},
		{name: "403 of a dead token", dead: true, newer: []string{"b"}, steps: []step{status(403), status(200)}, wantTokens: []string{"a", "b"}, wantStatus: 200},
		{name: "404 of a dead token", dead: true, newer: []string{"b"}, steps: []step{status(404), status(404)}, wantTokens: []string{"a", "b"}, wantStatus: 404},
		{
			name: "grant is dead", err: connectors.Errorf(connectors.Reauthorize, "connect again"),
			steps: []step{status(401)}, wantTokens: []string{"a"}, wantCode: connectors.Reauthorize,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inner := newScript(t, tt.steps...)
			src := &failing{source: source{token: "a", newer: tt.newer, dead: tt.dead}, newerErr: tt.err}
			resp, err := newSign(inner, src).RoundTrip(request(t, "POST", "https://acme.example/", "payload"))
			if got := connectors.CodeOf(err); got != tt.wantCode {
				t.Fatalf("code %q, want %q", got, tt.wantCode)
			}
			for i, want := range tt.wantTokens {
				if got := inner.got[i].Header.Get("Authorization"); got != "Bearer "+want || inner.sent[i] != "payload" {
					t.Errorf("request %d: %q with body %q, want token %q", i+1, got, inner.sent[i], want)
				}
			}
			if tt.wantCode == "" {
				if resp.StatusCode != tt.wantStatus {
					t.Errorf("status %d, want %d", resp.StatusCode, tt.wantStatus)
				}
				resp.Body.Close()
			}
			if inner.open != 0 {
				t.Errorf("%d bodies left open", inner.open)
			}
		})
	}
}

// failing is a source whose Newer alone fails.
type failing struct {
	source
	newerErr error
}

func (f *failing) Newer(ctx context.Context, refused connectors.Secret, status int) (connectors.Secret, bool, error) {
	if f.newerErr != nil {
		return connectors.Secret{}, false, f.newerErr
	}
	return f.source.Newer(ctx, refused, status)
}

func TestSignDoesNotRepeatABodyThatIsSpent(t *testing.T) {
	inner, src := newScript(t, status(401)), &source{token: "a", newer: []string{"b"}}
	req := request(t, "POST", "https://acme.example/", "")
	req.Body = io.NopCloser(strings.NewReader("once"))
	resp, err := newSign(inner, src).RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || len(src.denied) != 0 {
		t.Errorf("got %v, %v, asked for newer than %v; want the refusal", resp, err, src.denied)
	}
}

func TestSignSourceFailures(t *testing.T) {
	network := connectors.Wrap(connectors.ProviderError, &transient{errors.New("reset")}, "refresh broke off")
	away := errors.New("away")
	tests := []struct {
		name  string
		err   error
		want  connectors.Code
		cause error
	}{
		{"dead", connectors.Errorf(connectors.Reauthorize, "connect again"), connectors.Reauthorize, nil},
		{"uncoded", errors.New("tok-secret"), connectors.Internal, nil},
		{"network", network, connectors.ProviderError, nil},
		{"a store that is away", connectors.Wrap(connectors.Unavailable, fmt.Errorf("%w: no primary", away), "away"), connectors.Unavailable, away},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := &source{err: tt.err}
			r := newRetry(newSign(newScript(t), src))
			_, err := r.RoundTrip(request(t, "GET", "https://acme.example/", ""))
			if got := connectors.CodeOf(err); got != tt.want || src.asked != 1 {
				t.Errorf("code %q after %d calls, want %q after 1", got, src.asked, tt.want)
			}
			if strings.Contains(err.Error(), "tok-secret") {
				t.Errorf("the message tells the cause: %v", err)
			}
			if tt.cause != nil && !errors.Is(err, tt.cause) {
				t.Errorf("%v does not tell its cause", err)
			}
		})
	}
}

func TestSignCancelledSource(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	src := &source{err: fmt.Errorf("refresh: %w", ctx.Err())}
	_, err := newSign(newScript(t), src).RoundTrip(request(t, "GET", "https://acme.example/", "").WithContext(ctx))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestSignRefusesWhatNoHeaderCarries(t *testing.T) {
	for name, token := range map[string]string{"empty": "", "line end": "a\r\nX: y", "control": "a\x01", "not ASCII": "tök"} {
		t.Run(name, func(t *testing.T) {
			_, err := newSign(newScript(t), &source{token: token}).RoundTrip(request(t, "GET", "https://acme.example/", ""))
			if connectors.CodeOf(err) != connectors.Reauthorize {
				t.Fatalf("got %v, want reauthorize", err)
			}
			if token != "" && strings.Contains(err.Error(), token) {
				t.Errorf("the message tells the credential: %v", err)
			}
		})
	}
}

func TestSignLeavesOutAnInsaneRequestID(t *testing.T) {
	for name, id := range map[string]string{"empty": "", "line end": "a\r\nb", "long": strings.Repeat("x", 129)} {
		t.Run(name, func(t *testing.T) {
			inner := newScript(t, status(200))
			s := newSign(inner, nil)
			s.source = nil
			s.requestID = func(context.Context) string { return id }
			if _, err := s.RoundTrip(request(t, "GET", "https://acme.example/", "")); err != nil {
				t.Fatal(err)
			}
			if got, ok := inner.got[0].Header["X-Request-Id"]; ok {
				t.Errorf("sent %q", got)
			}
		})
	}
}
