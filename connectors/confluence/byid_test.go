package confluence

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian/atlassiantest"
)

// driverOf returns a driver for a fake site.
func driverOf(t *testing.T, f *fake, method string) *Driver {
	t.Helper()
	srv := httptest.NewServer(both(f))
	t.Cleanup(srv.Close)
	client := srv.Client()
	client.Transport = signed{client.Transport}
	return driver(t, client, srv.URL, atlassiantest.Config(method, srv.URL))
}

// TestByIDs asks for entries by their ids at sites that hand them out in several pages, as they may.
func TestByIDs(t *testing.T) {
	query := func(ctx context.Context, d *Driver) ([]string, error) {
		page, err := d.ListItems(ctx, connectors.ItemQuery{Query: "id in (101, 102, 103, 104, 105)", Limit: 50})
		var out []string
		for _, it := range page.Items {
			out = append(out, it.ID+" "+it.ContainerID)
		}
		return out, err
	}
	absences := func(ctx context.Context, d *Driver) ([]string, error) {
		list, err := d.ResolveAbsences(ctx, "ENG", []string{"101", "102", "103", "104", "201", "202", "203", "999"})
		var out []string
		for _, a := range list {
			out = append(out, strings.TrimSpace(a.ID+" "+string(a.Reason)+" "+a.ContainerID))
		}
		return out, err
	}
	asks := map[string]struct {
		ask  func(context.Context, *Driver) ([]string, error)
		path string // of the listing by ids
		want string
	}{
		"what a query finds":     {query, "/pages", "101 ENG, 102 HR, 103 ENG, 104 HR, 105 ENG"},
		"the keys of spaces":     {query, "/spaces", "101 ENG, 102 HR, 103 ENG, 104 HR, 105 ENG"},
		"what became of entries": {absences, "/pages", "101 present, 102 moved HR, 103 present, 104 moved HR, 201 deleted, 202 archived, 203 deleted, 999 gone"},
	}
	sites := map[string]struct {
		change func(f *fake, path string)
		code   connectors.Code
	}{
		"all at once":               {func(*fake, string) {}, ""},
		"one at a time":             {func(f *fake, _ string) { f.most = 1 }, ""},
		"an empty page in between":  {func(f *fake, path string) { f.most, f.emptyPage = 1, path }, ""},
		"the same page for ever":    {func(f *fake, path string) { f.most, f.repeatToken = 1, path }, connectors.ProviderError},
		"another page and it again": {func(f *fake, path string) { f.most, f.swingPage = 1, path }, connectors.ProviderError},
	}
	for name, ask := range asks {
		for where, site := range sites {
			t.Run(name+", "+where, func(t *testing.T) {
				f := newFake()
				f.fewPath = ask.path
				site.change(f, ask.path)
				got, err := ask.ask(t.Context(), driverOf(t, f, connectors.MethodOAuth))
				if connectors.CodeOf(err) != site.code {
					t.Fatalf("got %v, %v, want code %q", got, err, site.code)
				}
				if err == nil && strings.Join(got, ", ") != ask.want {
					t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), ask.want)
				}
			})
		}
	}
}

// TestKeysOnce asks for each unknown space once, however many of its pages there are.
func TestKeysOnce(t *testing.T) {
	s := healthy()
	s.replies = map[string]reply{
		"/wiki/api/v2/pages":     {200, `{"results":[` + fakeItem{"101", "page", "65537", "current"}.json() + "," + fakeItem{"102", "page", "65537", "current"}.json() + `],"_links":{}}`, nil},
		"/wiki/api/v2/blogposts": {200, nothing, nil},
		spacesPath:               {200, oneSpaceAlone, nil},
	}
	url, client := s.start(t, bare)
	got, err := driver(t, client, "", keyConfig(url)).ResolveAbsences(t.Context(), "ENG", []string{"101", "102"})
	if err != nil || got[0].Reason != connectors.Present || got[1].Reason != connectors.Present {
		t.Fatalf("got %v, %v", got, err)
	}
	if !slices.Contains(s.seen, spacesPath+"?ids=65537&limit=250") {
		t.Errorf("asked %v", s.seen)
	}
}

const oneSpaceAlone = `{"results":[{"id":"65537","key":"ENG","name":"Engineering","type":"global","status":"current","homepageId":"65600"}],"_links":{}}`
