package confluence

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
)

// walkCommented follows every page and returns the ids, each once.
func walkCommented(t *testing.T, d *Driver, q connectors.ChangedIDQuery) (ids []string, pages int) {
	t.Helper()
	for pages = 1; pages < 50; pages++ {
		p, err := d.ListCommented(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, p.Items...)
		if q.Cursor = p.Next; p.Next == "" {
			slices.Sort(ids)
			return slices.Compact(ids), pages
		}
	}
	t.Fatal("the listing does not end")
	return nil, 0
}

// TestCommented asks accounts all over the world, whose time zone the search reads dates in.
func TestCommented(t *testing.T) {
	at := parseTime(changedAt)
	for _, method := range []string{connectors.MethodOAuth, atlassian.MethodPAT} {
		for name, tt := range map[string]struct {
			space string
			after time.Time
			want  []string
		}{
			"ever":               {"ENG", time.Time{}, []string{"101"}},
			"of another space":   {"HR", time.Time{}, []string{"104"}},
			"long ago":           {"ENG", at.Add(-1000 * time.Hour), []string{"101"}},
			"at the very time":   {"ENG", *at, []string{"101"}},
			"a moment later":     {"ENG", at.Add(time.Millisecond), nil},
			"much later":         {"ENG", at.Add(1000 * time.Hour), nil},
			"a space of nothing": {"OPS", time.Time{}, nil},
		} {
			for _, zone := range []int{-12, 0, 14} {
				t.Run(fmt.Sprintf("%s %s UTC%+d", method, name, zone), func(t *testing.T) {
					f := newFake()
					f.zone = time.FixedZone("", zone*3600)
					got, pages := walkCommented(t, driverOf(t, f, method), connectors.ChangedIDQuery{ContainerID: tt.space, After: tt.after})
					if !slices.Equal(got, tt.want) {
						t.Errorf("got %v, want %v", got, tt.want)
					}
					if tt.space == "ENG" && tt.want != nil && pages < 2 {
						t.Errorf("six comments came in %d page", pages)
					}
				})
			}
		}
	}
}

func TestCommentedRefusals(t *testing.T) {
	for _, method := range []string{connectors.MethodOAuth, atlassian.MethodPAT} {
		for name, tt := range map[string]struct {
			q    connectors.ChangedIDQuery
			code connectors.Code
		}{
			"no such space":    {connectors.ChangedIDQuery{ContainerID: "NOPE"}, connectors.NotFound},
			"no key":           {connectors.ChangedIDQuery{ContainerID: `ENG" OR space = "HR`}, connectors.NotFound},
			"a foreign cursor": {connectors.ChangedIDQuery{ContainerID: "ENG", Cursor: "x"}, connectors.InvalidRequest},
			"no space":         {connectors.ChangedIDQuery{}, connectors.NotFound},
		} {
			t.Run(method+" "+name, func(t *testing.T) {
				page, err := driverOf(t, newFake(), method).ListCommented(t.Context(), tt.q)
				if connectors.CodeOf(err) != tt.code {
					t.Errorf("got %v, %v, want %q", page, err, tt.code)
				}
			})
		}
	}
}

// TestRemarks has what a search may say of comments.
func TestRemarks(t *testing.T) {
	on := func(kind, id string) string {
		return `"container":{"id":"` + id + `","type":"` + kind + `"},"version":{"when":"` + changedAt + `"}`
	}
	for name, tt := range map[string]struct {
		comment string // what follows the id
		want    []string
		odd     bool
	}{
		"on a page":                    {`,"type":"comment",` + on("page", "101"), []string{"101"}, false},
		"on a blog post":               {`,"type":"comment",` + on("blogpost", "104"), []string{"104"}, false},
		"on an attachment":             {`,"type":"comment",` + on("attachment", "9"), nil, false},
		"without a time":               {`,"type":"comment","container":{"id":"101","type":"page"}`, []string{"101"}, false},
		"on nothing":                   {`,"type":"comment","version":{"when":"` + changedAt + `"}`, nil, true},
		"on a page without an id":      {`,"type":"comment",` + on("page", ""), nil, true},
		"on a page with an odd id":     {`,"type":"comment",` + on("page", "1/2"), nil, true},
		"a page among the comments":    {`,"type":"page",` + on("page", "101"), nil, true},
		"a comment of another version": {`,"type":"comment","container":7`, nil, true},
	} {
		for _, method := range []string{connectors.MethodOAuth, atlassian.MethodPAT} {
			t.Run(method+" "+name, func(t *testing.T) {
				f := newFake()
				f.remark = `{"id":"501"` + tt.comment + `}`
				got, err := driverOf(t, f, method).ListCommented(t.Context(), connectors.ChangedIDQuery{ContainerID: "ENG", After: *parseTime(changedAt)})
				if tt.odd {
					wantError(t, err, connectors.ProviderError, "")
				} else if err != nil || !slices.Equal(got.Items, tt.want) {
					t.Errorf("got %v, %v, want %v", got.Items, err, tt.want)
				}
			})
		}
	}
}
