package oauth

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// Answer is what a token endpoint gave. What it was silent about is zero or empty: a refresh token that is missing
// means that the old one stays.
type Answer struct {
	Access    connectors.Secret
	Refresh   connectors.Secret
	ExpiresAt time.Time // of the access token
	Scopes    []string
	API       string // the address of the API, where the provider names it here; without a slash at its end
}

// answer reads a token answer, and false where it is none. What comes with the access token may be faulty in any way:
// an answer that is thrown away is a refresh token lost. Lifetimes count from when the question was asked.
func (r reply) answer(apiField string, asked time.Time) (Answer, bool) {
	f := r.fields()
	access := text(f["access_token"])
	if access == "" {
		return Answer{}, false
	}
	a := Answer{Access: connectors.NewSecret(access), Scopes: scopes(f["scope"])}
	if refresh := text(f["refresh_token"]); refresh != "" {
		a.Refresh = connectors.NewSecret(refresh)
	}
	if n, ok := seconds(f["expires_in"]); ok && n > 0 {
		const century = 100 * 365 * 24 * 60 * 60
		a.ExpiresAt = asked.Add(time.Duration(min(n, century)) * time.Second).UTC()
	}
	if apiField != "" {
		a.API = address(text(f[apiField]))
	}
	return a, true
}

// oauthError returns the error code and description of RFC 6749 section 5.2, empty where there are none.
func (r reply) oauthError() (code, description string) {
	f := r.fields()
	return text(f["error"]), text(f["error_description"])
}

// fields returns the fields of an answer: of a JSON object, or of a form as some providers send it. It is nil where the
// answer is neither, or was cut off.
func (r reply) fields() map[string]any {
	if r.cut {
		return nil
	}
	if kind, _, err := mime.ParseMediaType(r.header.Get("Content-Type")); err == nil && kind == "application/x-www-form-urlencoded" {
		return formFields(string(r.body))
	}
	var f map[string]any
	d := json.NewDecoder(bytes.NewReader(r.body))
	d.UseNumber()
	if d.Decode(&f) != nil || d.More() {
		return nil
	}
	return f
}

func formFields(body string) map[string]any {
	form, err := url.ParseQuery(body)
	if err != nil {
		return nil
	}
	f := map[string]any{}
	for name := range form {
		f[name] = form.Get(name)
	}
	return f
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// seconds reads a number of seconds, which some send as text and some with a fraction.
func seconds(v any) (int64, bool) {
	s := text(v)
	if n, ok := v.(json.Number); ok {
		s = n.String()
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != f || f < -1e15 || f > 1e15 {
		return 0, false
	}
	return int64(f), true
}

// scopes reads scopes, which are words of one text and with some a list.
func scopes(v any) []string {
	if list, ok := v.([]any); ok {
		var out []string
		for _, s := range list {
			out = append(out, strings.Fields(text(s))...)
		}
		return out
	}
	if words := strings.Fields(text(v)); len(words) > 0 {
		return words
	}
	return nil
}

// address returns an API's address in its usual form, "" for what is none.
func address(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return ""
	}
	return strings.TrimRight(u.String(), "/")
}
