package app_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/oauth2"

	"github.com/unified-connector/ucf/internal/app"
	"github.com/unified-connector/ucf/internal/config"
	"github.com/unified-connector/ucf/internal/sandbox"
)

// witness keeps what a test must not find anywhere, and what it looks through.
type witness struct {
	mu      sync.Mutex
	secrets map[string]string // by value, what it is
	seen    map[string]*bytes.Buffer
}

func (w *witness) hide(what, value string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(value) >= 8 {
		w.secrets[value] = what
	}
}

// in returns the buffer of a place.
func (w *witness) in(place string) io.Writer {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen[place] == nil {
		w.seen[place] = &bytes.Buffer{}
	}
	return writer(func(p []byte) (int, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.seen[place].Write(p)
	})
}

type writer func([]byte) (int, error)

func (f writer) Write(p []byte) (int, error) { return f(p) }

// judge looks for every secret in every place, as it is and as a URL or JSON writes it.
func (w *witness) judge(t *testing.T) {
	t.Helper()
	for place, b := range w.seen {
		if b.Len() == 0 {
			t.Errorf("nothing was seen in %s", place)
		}
		for value, what := range w.secrets {
			quoted, _ := json.Marshal(value)
			for _, form := range []string{value, url.QueryEscape(value), strings.Trim(string(quoted), `"`)} {
				if bytes.Contains(b.Bytes(), []byte(form)) {
					t.Errorf("%s shows %s", place, what)
				}
			}
		}
	}
}

// tapped is the sandbox with an ear on its token endpoints: what they take and give is secret.
func tapped(w *witness, next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/token") || r.Method != http.MethodPost {
			next.ServeHTTP(rw, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		var in, out map[string]any
		if json.Unmarshal(body, &in) != nil {
			form, _ := url.ParseQuery(string(body))
			in = map[string]any{}
			for k := range form {
				in[k] = form.Get(k)
			}
		}
		_ = json.Unmarshal(rec.Body.Bytes(), &out)
		for _, m := range []map[string]any{in, out} {
			for _, k := range []string{"code", "code_verifier", "client_secret", "access_token", "refresh_token"} {
				if v, ok := m[k].(string); ok {
					w.hide(k+" at "+r.URL.Path, v)
				}
			}
		}
		for k, v := range rec.Header() {
			rw.Header()[k] = v
		}
		rw.WriteHeader(rec.Code)
		_, _ = rw.Write(rec.Body.Bytes())
	})
}

// TestNoSecretAnywhere drives the API through connecting, failing, refreshing and revoking with canaries in every
// field, and looks for them in logs, answers, metrics, the audit log and the files of the store.
func TestNoSecretAnywhere(t *testing.T) {
	w := &witness{secrets: map[string]string{}, seen: map[string]*bytes.Buffer{}}
	box, err := sandbox.New(sandbox.Options{AutoApprove: true, ClientSecret: "canary-client-secret", Token: "canary-api-token"})
	if err != nil {
		t.Fatal(err)
	}
	provider := httptest.NewServer(tapped(w, box))
	t.Cleanup(provider.Close)
	const key = "Y2FuYXJ5LWVuY3J5cHRpb24ta2V5LTMyLWJ5dGVzLi4="
	for what, v := range map[string]string{"the client secret": "canary-client-secret", "the API token": "canary-api-token", "the encryption key": key} {
		w.hide(what, v)
	}
	home := t.TempDir()
	cfg, err := config.Load(config.Source{Environ: append(box.Env(provider.URL),
		"HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home, "APPDATA="+home, "LOCALAPPDATA="+home,
		"ENCRYPTION_KEY="+key, "UCF_ALLOW_HOSTS="+strings.TrimPrefix(provider.URL, "http://"))})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(w.in("the log"), &slog.HandlerOptions{Level: slog.LevelDebug}))
	a := app.Build(cfg, app.Options{Version: "test", Log: log})
	api := httptest.NewServer(a.Handler())
	t.Cleanup(api.Close)

	call := func(place, method, path string, body any) map[string]any {
		t.Helper()
		b, _ := json.Marshal(body)
		req, _ := http.NewRequestWithContext(t.Context(), method, api.URL+path, bytes.NewReader(b))
		req.Header.Set("X-Tenant-Id", "acme")
		if body != nil {
			req.Header.Set("Content-Type", "application/json")
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, _ := io.ReadAll(resp.Body)
		_, _ = w.in(place).Write(answer)
		var out struct{ Data map[string]any }
		_ = json.Unmarshal(answer, &out)
		return out.Data
	}
	connect := func(connector string) string {
		const verifier, csrf = "canary-of-the-callers-own-verifier-000000000", "canary-csrf-token-of-the-session"
		w.hide("the caller's verifier", verifier)
		w.hide("the csrf token", csrf)
		// What this call answers with, the state, the contract gives to the caller; nobody else is to see it.
		begun := call("(given)", "POST", "/api/connectors/"+connector+"/connect", map[string]any{
			"method": "oauth2", "redirectUri": "http://127.0.0.1:1/x", "csrfToken": csrf, "codeChallenge": oauth2.S256ChallengeFromVerifier(verifier),
		})
		state, _ := begun["state"].(string)
		w.hide("the state", state)
		address, _ := begun["authUrl"].(string)
		back := approve(t, address)
		wrong := map[string]any{"state": state, "code": back.Get("code"), "csrfToken": "canary-csrf-token-that-is-wrong", "codeVerifier": verifier}
		if connector == "salesforce" {
			call("answers", "POST", "/api/connectors/"+connector+"/connect/callback", wrong)
			return ""
		}
		done := call("answers", "POST", "/api/connectors/"+connector+"/connect/callback", map[string]any{
			"state": state, "code": back.Get("code"), "csrfToken": csrf, "codeVerifier": verifier,
		})
		id, _ := done["connectionId"].(string)
		if id == "" {
			t.Fatalf("%s was not connected: %v", connector, done)
		}
		return id
	}

	id := connect("jira")
	connect("confluence")
	connect("salesforce")
	call("answers", "POST", "/api/connections", map[string]any{"connectorId": "jira", "name": "by key", "config": map[string]any{
		"base_url": provider.URL + "/acme", "api_email": "you@example.com", "api_token": "canary-api-token",
	}})
	call("answers", "POST", "/api/connectors/jira/connect/callback", map[string]any{"apiKey": "canary-api-token-that-is-wrong", "config": map[string]any{
		"base_url": provider.URL + "/acme", "api_email": "you@example.com",
	}, "label": "wrong"})
	w.hide("a wrong API token", "canary-api-token-that-is-wrong")
	w.hide("a wrong csrf token", "canary-csrf-token-that-is-wrong")
	call("answers", "POST", "/api/connections/"+id+"/refresh", nil)
	if got := call("(given)", "GET", "/api/connections/"+id+"/token", nil); got["token"] == nil {
		t.Errorf("the token route gives %v", got)
	}
	for _, path := range []string{"/api/connections", "/api/connections/" + id, "/api/connectors", "/api/connectors/jira", "/api/connectors/jira/items?connectionId=" + id} {
		call("answers", "GET", path, nil)
	}
	call("answers", "POST", "/api/connectors/jira/probe", map[string]any{"connectionId": id})
	call("answers", "GET", "/oauth/callback?code=canary-code-of-nobody&state=canary-state-of-nobody", nil)
	w.hide("a code of nobody", "canary-code-of-nobody")
	w.hide("a state of nobody", "canary-state-of-nobody")
	box.RevokeGrants("atlassian", "")
	call("answers", "POST", "/api/connections/"+id+"/refresh", nil)
	call("answers", "POST", "/api/connectors/jira/probe", map[string]any{"connectionId": id})
	call("the metrics", "GET", "/metrics", nil)
	call("answers", "POST", "/api/connections/revoke", map[string]any{"connectionId": id, "reason": "over"})
	call("the audit log", "GET", "/api/audit?limit=200", nil)
	addFiles(t, w, cfg.DataDir)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	addFiles(t, w, cfg.DataDir)
	delete(w.seen, "(given)")
	if len(w.secrets) < 20 {
		t.Errorf("only %d secrets were met", len(w.secrets))
	}
	w.judge(t)
}

// addFiles adds every byte of the files of the store.
func addFiles(t *testing.T, w *witness, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.in("the store").Write(b)
	}
}
