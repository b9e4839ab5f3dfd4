package rest

import (
	"maps"
	"net/http"
	"net/url"
	"testing"
)

func TestLinks(t *testing.T) {
	for name, tt := range map[string]struct {
		headers []string
		want    map[string]string
	}{
		"none":                {nil, map[string]string{}},
		"next and base":       {[]string{`</wiki/api/v2/spaces?cursor=a,b;c>; rel="next", <https://x/wiki>; rel="base"`}, map[string]string{"next": "/wiki/api/v2/spaces?cursor=a,b;c", "base": "https://x/wiki"}},
		"another order":       {[]string{`<https://d>; rel="deprecation", <n>; title="a, b; rel=\"x"; rel=next`}, map[string]string{"deprecation": "https://d", "next": "n"}},
		"several headers":     {[]string{`<a>; rel=next`, `<b>; rel=base`}, map[string]string{"next": "a", "base": "b"}},
		"several relations":   {[]string{`<a>; rel="Next last"`}, map[string]string{"next": "a", "last": "a"}},
		"the first counts":    {[]string{`<a>; rel=next, <b>; rel=next`}, map[string]string{"next": "a"}},
		"without a relation":  {[]string{`<a>; title="rel"`, `garbage`, `<a`}, map[string]string{}},
		"a relation unquoted": {[]string{`<a>;rel=next;foo`}, map[string]string{"next": "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Links(http.Header{"Link": tt.headers}); !maps.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestEndpoint(t *testing.T) {
	for path, want := range map[string]string{
		"/wiki/api/v2/pages/123/inline-comments": "/wiki/api/v2/pages/*/inline-comments",
		"/rest/api/3/issue/PAY-7/comment":        "/rest/api/3/issue/*/comment",
		"/services/data/v67.0/query":             "/services/data/v67.0/query",
	} {
		if got := endpoint(&url.URL{Path: path}); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}
