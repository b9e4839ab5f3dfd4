package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
)

// tokenRequest is what an app sends to the endpoints of an authorization server.
type tokenRequest struct {
	GrantType    string `json:"grant_type"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	Code         string `json:"code"`
	RedirectURI  string `json:"redirect_uri"`
	CodeVerifier string `json:"code_verifier"`
	RefreshToken string `json:"refresh_token"`
	Token        string `json:"token"`
	TokenHint    string `json:"token_type_hint"`
}

// Media types of a token request.
const (
	mediaJSON = "application/json"
	mediaForm = "application/x-www-form-urlencoded"
)

func mediaType(header http.Header) string {
	media, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	return media
}

// readTokenRequest reads the body as its media type says; false stands for a body that is neither.
func readTokenRequest(header http.Header, body []byte) (tokenRequest, bool) {
	var in tokenRequest
	if len(body) > maxTokenBody {
		return in, false
	}
	switch mediaType(header) {
	case mediaJSON:
		decoder := json.NewDecoder(bytes.NewReader(body))
		if decoder.Decode(&in) != nil {
			return tokenRequest{}, false
		}
		_, err := decoder.Token()
		return in, err == io.EOF
	case mediaForm:
		form, err := url.ParseQuery(string(body))
		return formRequest(form), err == nil
	}
	return in, false
}

func formRequest(form url.Values) tokenRequest {
	return tokenRequest{
		GrantType: form.Get("grant_type"), ClientID: form.Get("client_id"), ClientSecret: form.Get("client_secret"),
		Code: form.Get("code"), RedirectURI: form.Get("redirect_uri"), CodeVerifier: form.Get("code_verifier"),
		RefreshToken: form.Get("refresh_token"), Token: form.Get("token"), TokenHint: form.Get("token_type_hint"),
	}
}

// readBody returns at most one byte more than an authorization server takes.
func readBody(r *http.Request) []byte {
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxTokenBody+1))
	return body
}

// apps are the clients that a provider knows.
type apps struct {
	id, secret string
}

func (a apps) knows(id, secret string) bool {
	return same(id, a.id) && same(secret, a.secret)
}

// writeValue answers with v as JSON.
func writeValue(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "the answer cannot be made", http.StatusInternalServerError)
		return
	}
	writeJSON(w, status, body)
}

// writeAuthError answers after RFC 6749, section 5.2.
func writeAuthError(w http.ResponseWriter, status int, code, description string) {
	w.Header().Set("Cache-Control", "no-store")
	writeValue(w, status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{code, description})
}
