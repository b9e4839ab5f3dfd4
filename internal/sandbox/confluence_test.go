package sandbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// spacePage is what a client reads of a page of spaces.
type spacePage struct {
	Results []struct{ ID, Key, Type, Status, CreatedAt string }
	Links   struct{ Next, Base string } `json:"_links"`
}

// spaces reads a page at the site.
func readSpaces(t *testing.T, site, query string) (spacePage, *http.Response) {
	t.Helper()
	response, body := get(t, site+"/wiki/api/v2/spaces"+query)
	var page spacePage
	if err := json.Unmarshal(body, &page); err != nil || response.StatusCode != http.StatusOK || page.Results == nil {
		t.Fatalf("%s: %d %v %s", query, response.StatusCode, err, body)
	}
	return page, response
}

func TestSpaces(t *testing.T) {
	site := serve(t, Options{})
	var keys []string
	query := "?limit=2"
	for range 3 {
		page, response := readSpaces(t, site, query)
		for _, s := range page.Results {
			keys = append(keys, s.Key)
		}
		if page.Links.Base != site+"/wiki" {
			t.Errorf("base %q", page.Links.Base)
		}
		link := response.Header.Get("Link")
		if page.Links.Next == "" {
			if strings.Contains(link, `rel="next"`) || len(page.Results) != 1 {
				t.Errorf("last page: %q, %d spaces", link, len(page.Results))
			}
			break
		}
		// The address of the next page belongs to the site's host, so a client takes its cursor alone.
		next := regexp.MustCompile(`<(/wiki/api/v2/spaces\?[^>]*)>; rel="next", <` + regexp.QuoteMeta(site) + `/wiki>; rel="base"`).FindStringSubmatch(link)
		if next == nil || next[1] != page.Links.Next {
			t.Fatalf("Link %q, _links.next %q", link, page.Links.Next)
		}
		to, err := url.Parse(page.Links.Next)
		if err != nil {
			t.Fatal(err)
		}
		query = "?limit=2&cursor=" + url.QueryEscape(to.Query().Get("cursor"))
	}
	if len(keys) != 5 {
		t.Errorf("paged through %q", keys)
	}
	cases := []struct{ query, want string }{
		{"?keys=ENG,HR", "ENG HR"},
		{"?keys=NOPE", ""},
		{"?status=archived", "OLD"},
		{"?type=knowledge_base", "KB"},
		{"?keys=ENG,HR&sort=-key", "HR ENG"},
		{"?keys=ENG,KB&sort=name", "ENG KB"},
	}
	for _, c := range cases {
		page, _ := readSpaces(t, site, c.query)
		var got []string
		for _, s := range page.Results {
			got = append(got, s.Key)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, want %q", c.query, got, c.want)
		}
	}
	other, _ := readSpaces(t, site, "?limit=2&sort=-id")
	cursor, _ := url.Parse(other.Links.Next)
	if page, _ := readSpaces(t, site, strings.TrimPrefix(other.Links.Next, "/wiki/api/v2/spaces")); len(page.Results) != 2 || page.Results[0].Key == other.Results[0].Key {
		t.Errorf("the next page in another order: %+v", page.Results)
	}
	for _, bad := range []string{"?limit=0", "?limit=251", "?limit=x", "?sort=size", "?cursor=x", "?sort=-key&cursor=" + url.QueryEscape(cursor.Query().Get("cursor"))} {
		response, body := get(t, site+"/wiki/api/v2/spaces"+bad)
		if response.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), `"errors":[{`) {
			t.Errorf("%s: got %d %s", bad, response.StatusCode, body)
		}
	}
}

func TestConfluenceBodiesMatchTheDocuments(t *testing.T) {
	openapi3.DefineStringFormatValidator("date-time", openapi3.NewRegexpFormatValidator(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d{4})$`))
	b := serveOAuth(t, Options{})
	token := b.connect(atlassianFlow).text(t, "access_token")
	gate := b.url + "/api/ex/confluence/" + b.resources(token)[0].ID
	cases := []struct {
		name, path, below, query string
		spec                     *openapi3.T
	}{
		{"current user", "/wiki/rest/api/user/current", "", "", confluenceSpec(t, 1)},
		{"spaces", "/spaces", "/wiki/api/v2", "?limit=3", confluenceSpec(t, 2)},
		{"one space", "/spaces", "/wiki/api/v2", "?limit=1", confluenceSpec(t, 2)},
		{"no space", "/spaces", "/wiki/api/v2", "?keys=NOPE", confluenceSpec(t, 2)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			response, direct := get(t, b.url+"/acme"+c.below+c.path+c.query)
			through := b.get(strings.TrimPrefix(gate, b.url)+c.below+c.path+c.query, token)
			for _, body := range [][]byte{direct, through.body} {
				var value any
				if err := json.Unmarshal(body, &value); err != nil || response.StatusCode != http.StatusOK || through.status != http.StatusOK {
					t.Fatalf("%d, %d, %v: %s", response.StatusCode, through.status, err, body)
				}
				schema := c.spec.Paths.Value(c.path).Get.Responses.Status(http.StatusOK).Value.Content.Get("application/json").Schema.Value
				if err := schema.VisitJSON(value, openapi3.MultiErrors(), openapi3.VisitAsResponse()); err != nil {
					t.Error(err)
				}
			}
			want := strings.ReplaceAll(string(direct), b.url+"/acme/wiki/rest/", gate+"/wiki/rest/")
			if string(through.body) != want {
				t.Errorf("through the gateway:\n%s\nwant\n%s", through.body, want)
			}
		})
	}
}

func TestConfluenceCredentials(t *testing.T) {
	site := serve(t, Options{})
	for _, path := range []string{"/wiki/rest/api/user/current", "/wiki/api/v2/spaces"} {
		response, err := http.Get(site + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without credentials: %d", path, response.StatusCode)
		}
	}
	blind := serveFaults(t, "anonymous")
	if _, body := get(t, blind+"/wiki/rest/api/user/current"); !strings.Contains(string(body), `"type":"anonymous"`) {
		t.Errorf("got %s", body)
	}
	if page, _ := readSpaces(t, blind, ""); len(page.Results) != 0 {
		t.Errorf("a stranger sees %d spaces", len(page.Results))
	}
}
