package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const dataPath = "/salesforce/services/data/v67.0"

func TestSalesforceTokenAnswer(t *testing.T) {
	clock := newFakeClock()
	b := serveOAuth(t, Options{OAuthNow: clock.Now})
	got := b.connect(salesforceFlow)
	fields := got.fields(t)
	names := slices.Sorted(maps.Keys(fields))
	want := []string{"access_token", "id", "instance_url", "issued_at", "refresh_token", "scope", "signature", "token_type"}
	if !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	id, issued := got.text(t, "id"), got.text(t, "issued_at")
	mac := hmac.New(sha256.New, []byte(DefaultClientSecret))
	mac.Write([]byte(id + issued))
	if got.text(t, "signature") != base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
		t.Error("the signature is not that of id and issued_at")
	}
	if issued != strconv.FormatInt(clock.Now().UnixMilli(), 10) || fields["scope"] != "api refresh_token" || fields["token_type"] != "Bearer" {
		t.Errorf("got %s", got.body)
	}
	if got.text(t, "instance_url") != b.url+"/salesforce" || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %s, %q", got.body, got.header)
	}
	ids := regexp.MustCompile(`^` + regexp.QuoteMeta(b.url) + `/salesforce/id/(00D\w{15})/005\w{15}$`).FindStringSubmatch(id)
	if ids == nil || !strings.HasPrefix(got.text(t, "access_token"), ids[1]+"!") {
		t.Errorf("id %s", id)
	}
	for _, scope := range []string{"api", "api offline_access"} {
		_, has := b.connect(salesforceFlow, "scope", scope).fields(t)["refresh_token"]
		if has != (scope != "api") {
			t.Errorf("scope %q: a refresh token: %v", scope, has)
		}
	}
	again := b.refresh(salesforceFlow, got.text(t, "refresh_token")).fields(t)
	if names := slices.Sorted(maps.Keys(again)); !slices.Equal(names, want) || again["scope"] != "api refresh_token" {
		t.Errorf("refreshed: %q", names)
	}
}

// The address of the instance is the sandbox as the client wrote it.
func TestInstanceFollowsTheHost(t *testing.T) {
	b := serveOAuth(t, Options{})
	b.url = strings.Replace(b.url, "127.0.0.1", "localhost", 1)
	got := b.connect(salesforceFlow)
	if got.text(t, "instance_url") != b.url+"/salesforce" || !strings.HasPrefix(got.text(t, "id"), b.url) {
		t.Errorf("got %s", got.body)
	}
}

func TestSalesforceTokenRefuses(t *testing.T) {
	b := serveOAuth(t, Options{})
	good := b.connect(salesforceFlow).text(t, "refresh_token")
	cases := []struct{ name, field, value, want string }{
		{"wrong secret", "client_secret", "x", "invalid_client"},
		{"no secret", "client_secret", "", "invalid_client"},
		{"unknown client", "client_id", "x", "invalid_client_id"},
		{"unknown grant type", "grant_type", "password", "unsupported_grant_type"},
		{"no grant type", "grant_type", "", "unsupported_grant_type"},
		{"no refresh token", "refresh_token", "", "invalid_grant"},
		{"huge", "x", strings.Repeat("a", 2*maxTokenBody), "unsupported_grant_type"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			values := refreshValues(good)
			values[c.field] = c.value
			got := salesforceFlow.post(b, values)
			if got.status != http.StatusBadRequest || got.text(t, "error") != c.want || got.text(t, "error_description") == "" {
				t.Errorf("got %d %s, want %s", got.status, got.body, c.want)
			}
		})
	}
	if got := b.postJSON(salesforceTokenPath, refreshValues(good)); got.status != http.StatusBadRequest || got.text(t, "error") != "unsupported_grant_type" {
		t.Errorf("JSON: %d %s", got.status, got.body)
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(DefaultClientID+":"+DefaultClientSecret))
	got := b.send(http.MethodPost, salesforceTokenPath, map[string]string{"Content-Type": mediaForm, "Authorization": basic},
		"grant_type=refresh_token&refresh_token="+good)
	if got.status != http.StatusOK {
		t.Errorf("the app in the header: %d %s", got.status, got.body)
	}
}

func TestIntrospect(t *testing.T) {
	clock := newFakeClock()
	b := serveOAuth(t, Options{OAuthNow: clock.Now, TokenTTL: time.Minute})
	got := b.connect(salesforceFlow)
	access, refresh := got.text(t, "access_token"), got.text(t, "refresh_token")
	ask := func(pairs ...string) reply {
		values := map[string]string{"client_id": DefaultClientID, "client_secret": DefaultClientSecret, "token_type_hint": "access_token"}
		for pair := range slices.Chunk(pairs, 2) {
			values[pair[0]] = pair[1]
		}
		return b.postForm(salesforceOAuth+"/introspect", values)
	}
	about := ask("token", access).fields(t)
	now := float64(clock.Now().Unix())
	want := map[string]any{
		"active": true, "scope": "api refresh_token", "client_id": DefaultClientID, "username": DefaultEmail + ".sandbox", "sub": got.text(t, "id"),
		"token_type": "access_token", "exp": now + 60, "iat": now, "nbf": now,
	}
	if !maps.Equal(about, want) {
		t.Errorf("got %v, want %v", about, want)
	}
	old := ask("token", refresh, "token_type_hint", "refresh_token").fields(t)
	if _, has := old["exp"]; old["active"] != true || old["token_type"] != "refresh_token" || has {
		t.Errorf("refresh token: %v", old)
	}
	cases := []struct {
		name  string
		pairs []string
		want  string
	}{
		{"unknown token", []string{"token", "x"}, `{"active":false}`},
		{"no token", nil, `"error":"invalid_request"`},
		{"wrong secret", []string{"token", access, "client_secret", "x"}, `"error":"invalid_client"`},
		{"unknown client", []string{"token", access, "client_id", "x"}, `"error":"invalid_client_id"`},
	}
	for _, c := range cases {
		if got := ask(c.pairs...); !strings.Contains(string(got.body), c.want) {
			t.Errorf("%s: got %d %s", c.name, got.status, got.body)
		}
	}
	b.mustRefresh(salesforceFlow, refresh)
	clock.add(time.Minute)
	for _, token := range []string{access, refresh} {
		if got := ask("token", token); string(got.body) != `{"active":false}` {
			t.Errorf("later: %s", got.body)
		}
	}
}

func TestRevoke(t *testing.T) {
	b := serveOAuth(t, Options{})
	revoke := func(values map[string]string) reply { return b.postForm(salesforceOAuth+"/revoke", values) }
	limits := func(token string) int { return b.get(dataPath+"/limits", token).status }

	one := b.connect(salesforceFlow)
	access, refresh := one.text(t, "access_token"), one.text(t, "refresh_token")
	if got := revoke(map[string]string{"token": access}); got.status != http.StatusOK || len(got.body) != 0 {
		t.Fatalf("access token: %d %s", got.status, got.body)
	}
	if status := limits(access); status != http.StatusUnauthorized {
		t.Errorf("a revoked access token: %d", status)
	}
	next := b.refresh(salesforceFlow, refresh)
	access, refresh = next.text(t, "access_token"), next.text(t, "refresh_token")
	if status := limits(access); status != http.StatusOK {
		t.Errorf("its refresh token is dead: %d", status)
	}
	if got := revoke(map[string]string{"token": refresh, "token_type_hint": "refresh_token"}); got.status != http.StatusOK {
		t.Fatalf("refresh token: %d %s", got.status, got.body)
	}
	salesforceFlow.mustBeDead(t, b.refresh(salesforceFlow, refresh))
	if status := limits(access); status != http.StatusUnauthorized {
		t.Errorf("an access token of a revoked refresh token: %d", status)
	}
	cases := []struct {
		name   string
		values map[string]string
		want   string
	}{
		{"revoked before", map[string]string{"token": refresh}, "invalid_token"},
		{"access token, revoked before", map[string]string{"token": access}, "invalid_token"},
		{"unknown", map[string]string{"token": refreshMark + "x"}, "invalid_token"},
		{"not a token", map[string]string{"token": "x"}, "unsupported_token_type"},
		{"none", nil, "unsupported_token_type"},
		{"unknown hint", map[string]string{"token": refresh, "token_type_hint": "saml"}, "unsupported_token_type"},
	}
	for _, c := range cases {
		if got := revoke(c.values); got.status != http.StatusBadRequest || got.text(t, "error") != c.want {
			t.Errorf("%s: got %d %s, want %s", c.name, got.status, got.body, c.want)
		}
	}
}

func TestSalesforceAPI(t *testing.T) {
	clock := newFakeClock()
	b := serveOAuth(t, Options{OAuthNow: clock.Now, TokenTTL: time.Minute})
	full := b.connect(salesforceFlow).text(t, "access_token")
	narrow := b.connect(salesforceFlow, "scope", "chatter_api").text(t, "access_token")
	query := dataPath + "/query?q="
	const refused = `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`
	cases := []struct {
		name, token, path string
		status            int
		body              string
	}{
		{"versions need no token", "", "/salesforce/services/data/", 200, `{"label":"Summer '26","url":"/services/data/v67.0","version":"67.0"}`},
		{"versions without a slash", "", "/salesforce/services/data", 200, `{"label":"Winter '25","url":"/services/data/v62.0","version":"62.0"}`},
		{"resources", full, dataPath + "/", 200, `"limits":"/services/data/v67.0/limits"`},
		{"limits", full, dataPath + "/limits", 200, `"DailyApiRequests":{"Max":100000,"Remaining":9999`},
		{"organization", full, query + "SELECT+Id,+Name,+OrganizationType,+IsSandbox+FROM+Organization+LIMIT+1", 200, `"Name":"Acme (sandbox)","OrganizationType":"Developer Edition","IsSandbox":false`},
		{"another object", full, query + "SELECT+Id+FROM+Nothing__c", 400, "INVALID_TYPE"},
		{"another field", full, query + "SELECT+Secret+FROM+Organization", 400, "INVALID_FIELD"},
		{"no SOQL", full, query + "DELETE", 400, "MALFORMED_QUERY"},
		{"no token", "", dataPath + "/limits", 401, refused},
		{"unknown token", "x", dataPath + "/", 401, refused},
		{"no scope", narrow, dataPath + "/limits", 401, "INVALID_SESSION_ID"},
		{"unknown version", full, "/salesforce/services/data/v12.0/limits", 404, "NOT_FOUND"},
		{"unknown resource", full, dataPath + "/nothing", 404, `[{"message":`},
		{"user", full, "/salesforce/services/oauth2/userinfo", 200, `"preferred_username":"you@example.com.sandbox"`},
		{"user, no token", "", "/salesforce/services/oauth2/userinfo", 403, "Missing_OAuth_Token"},
		{"user, unknown token", "x", "/salesforce/services/oauth2/userinfo", 403, "Bad_OAuth_Token"},
		{"user, no scope", narrow, "/salesforce/services/oauth2/userinfo", 403, "Bad_OAuth_Token"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := b.get(c.path, c.token)
			if got.status != c.status || !strings.Contains(string(got.body), c.body) {
				t.Errorf("got %d %s, want %d %s", got.status, got.body, c.status, c.body)
			}
			counted := strings.HasPrefix(c.path, dataPath) && c.status != 401 || c.name == "no scope" || c.name == "unknown version"
			if has := got.header.Get("Sforce-Limit-Info") != ""; has != counted {
				t.Errorf("Sforce-Limit-Info %q", got.header.Get("Sforce-Limit-Info"))
			}
		})
	}
	if got := b.send(http.MethodGet, dataPath+"/limits", map[string]string{"Authorization": "OAuth " + full}, ""); got.status != http.StatusOK {
		t.Errorf("the old scheme: %d", got.status)
	}
	if got := b.send(http.MethodPost, dataPath+"/limits", nil, ""); got.status != http.StatusMethodNotAllowed || !strings.Contains(string(got.body), "METHOD_NOT_ALLOWED") {
		t.Errorf("POST: %d %s", got.status, got.body)
	}
	clock.add(time.Minute)
	if got := b.get(dataPath+"/limits", full); got.status != http.StatusUnauthorized || string(got.body) != refused {
		t.Errorf("expired: %d %s", got.status, got.body)
	}
}

func TestIdentity(t *testing.T) {
	b := serveOAuth(t, Options{})
	got := b.connect(salesforceFlow, "account", "2")
	token, id := got.text(t, "access_token"), strings.TrimPrefix(got.text(t, "id"), b.url)
	who, info := b.get(id, token).fields(t), b.get("/salesforce/services/oauth2/userinfo", token).fields(t)
	if who["user_id"] != info["user_id"] || who["organization_id"] != info["organization_id"] || who["display_name"] != "Mia Krystof" ||
		info["name"] != "Mia Krystof" || info["sub"] != b.url+id || who["asserted_user"] != true {
		t.Errorf("got %v\n%v", who, info)
	}
	if got := b.get(id, ""); got.status != http.StatusForbidden || string(got.body) != "Missing_OAuth_Token" {
		t.Errorf("no token: %d %s", got.status, got.body)
	}
	if got := b.get("/salesforce/id/00Dxx/005xx", token); got.status != http.StatusForbidden || string(got.body) != "Wrong_Org" {
		t.Errorf("another org: %d %s", got.status, got.body)
	}
	var versions []struct{ Version, URL, Label string }
	if err := json.Unmarshal(b.get("/salesforce/services/data/", "").body, &versions); err != nil || len(versions) != 6 {
		t.Errorf("%v, %d versions", err, len(versions))
	}
}

// The last three characters of an id tell the letter case of the others.
func TestSalesforceIDs(t *testing.T) {
	for i := range int64(100) {
		id := recordID("005aB0", i*i*i*i)
		n, ok := numberOf("005aB0", id)
		if len(id) != longID || !strings.HasPrefix(id, "005aB0") || !ok || n != i*i*i*i {
			t.Fatalf("id %q is that of %d", id, n)
		}
		if full, ok := fullID(id[:shortID]); !ok || full != id {
			t.Fatalf("%s: got %s from the short form", id, full)
		}
		for _, wrong := range []string{id[:17] + "$", id[:15] + "zzz", id[:14], id + "A"} {
			if _, ok := fullID(wrong); ok {
				t.Fatalf("%s is taken for an id", wrong)
			}
		}
		for part := range 3 {
			bits := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", id[15+part])
			for bit := range 5 {
				c := id[part*5+bit]
				if (bits>>bit&1 == 1) != (c >= 'A' && c <= 'Z') {
					t.Fatalf("%s: the mark of part %d is wrong", id, part)
				}
			}
		}
	}
}
