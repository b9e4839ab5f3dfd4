package salesforce

import (
	"testing"

	"github.com/unified-connector/ucf/connectors"
)

func TestDiscover(t *testing.T) {
	denied := reply{403, `[{"errorCode":"API_DISABLED_FOR_ORG","message":"no"}]`, ""}
	tests := []struct {
		name   string
		change func(map[string]reply)
		site   string // "" for the host
	}{
		{"with a name", func(map[string]reply) {}, "Acme"},
		{"no right to the API", func(r map[string]reply) { r[queryPath] = denied }, ""},
		{"older", func(r map[string]reply) { r[queryPath] = reply{404, `[]`, ""} }, ""},
		{"busy", func(r map[string]reply) { r[queryPath] = reply{503, ``, ""} }, ""},
		{"organization only from the query", func(r map[string]reply) {
			r[userPath] = reply{200, `{"user_id":"005x00000012Q9PAAU","preferred_username":"Ann Lee"}`, ""}
		}, "Acme"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := healthy()
			delete(s.replies, versionsPath)
			delete(s.replies, objectsPath)
			tt.change(s.replies)
			url, client := s.start(t)
			got, err := discover(t.Context(), connectors.Grant{HTTP: client, API: url})
			if err != nil {
				t.Fatal(err)
			}
			if want := (connectors.Account{ID: "005x00000012Q9PAAU", Name: "Ann Lee"}); got.Account != want {
				t.Errorf("got %+v, want %+v", got.Account, want)
			}
			if tt.site == "" {
				tt.site = url[len("https://"):]
			}
			want := connectors.Site{ID: "00Dx0000000BV7zEAH", URL: url, Name: tt.site}
			if len(got.Sites) != 1 || got.Sites[0] != want {
				t.Errorf("got %+v, want %+v", got.Sites, want)
			}
			bound := Definition.Auth[0].OAuth.Bind(url, want)
			if len(bound) != 1 || bound["instance_url"] != url {
				t.Errorf("bound to %v, want instance_url %s", bound, url)
			}
		})
	}
}

func TestDiscoverWithoutOrganization(t *testing.T) {
	s := &orgServer{replies: map[string]reply{userPath: {200, `{"user_id":"005"}`, ""}, queryPath: {403, ``, ""}}}
	url, client := s.start(t)
	_, err := discover(t.Context(), connectors.Grant{HTTP: client, API: url})
	wantError(t, err, connectors.ProviderError, "a user without an organization")
}
