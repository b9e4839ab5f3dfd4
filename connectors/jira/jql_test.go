package jira

import (
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
)

func TestJQL(t *testing.T) {
	at := time.UnixMilli(1_732_877_091_000)
	tests := []struct {
		name  string
		query connectors.ItemQuery
		want  string
	}{
		{"everything", connectors.ItemQuery{}, `project is not EMPTY ORDER BY created ASC, key ASC`},
		{"project", connectors.ItemQuery{ContainerID: "PAY"}, `project = "PAY" ORDER BY created ASC, key ASC`},
		{"project that needs escapes", connectors.ItemQuery{ContainerID: `a"b\` + "\n"}, `project = "a\"b\\\n" ORDER BY created ASC, key ASC`},
		{"changes", connectors.ItemQuery{UpdatedAfter: at}, `updated >= 1732876971000 ORDER BY updated ASC, key ASC`},
		{"changes since before time", connectors.ItemQuery{UpdatedAfter: time.Unix(-1, 0)}, `project is not EMPTY ORDER BY updated ASC, key ASC`},
		{"query", connectors.ItemQuery{Query: " status = Done OR x ~ 'a' "}, `(status = Done OR x ~ 'a') ORDER BY created ASC, key ASC`},
		{"query with an order", connectors.ItemQuery{Query: "status = Done order\n by rank DESC"}, `(status = Done) ORDER BY rank DESC`},
		{"order alone", connectors.ItemQuery{Query: "ORDER BY key"}, `project is not EMPTY ORDER BY key`},
		{"order within a text", connectors.ItemQuery{Query: `summary ~ "order by ) (" ORDER BY key`}, `(summary ~ "order by ) (") ORDER BY key`},
		{"order within a word", connectors.ItemQuery{Query: `reorder by_x = 1 AND "a" = border`}, `(reorder by_x = 1 AND "a" = border) ORDER BY created ASC, key ASC`},
		{"order at the end of a word", connectors.ItemQuery{Query: `a = reorder by`}, `(a = reorder by) ORDER BY created ASC, key ASC`},
		{"order behind a bracket", connectors.ItemQuery{Query: `(a = 1)order by key`}, `((a = 1)) ORDER BY key`},
		{"escapes outside of texts", connectors.ItemQuery{Query: `x ~ a\" AND y = \) order by key`}, `(x ~ a\" AND y = \)) ORDER BY key`},
		{"all together", connectors.ItemQuery{Query: "a = 1 OR b = 2", ContainerID: "PAY", UpdatedAfter: at}, `(a = 1 OR b = 2) AND project = "PAY" AND updated >= 1732876971000 ORDER BY updated ASC, key ASC`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := jqlFor(tt.query); got != tt.want || err != nil {
				t.Errorf("got %s, %v\nwant %s", got, err, tt.want)
			}
		})
	}
}

func TestJQLFaults(t *testing.T) {
	for query, want := range map[string]string{
		`a = 1) OR (b = 2`:               "closed that was not opened",
		`(a = 1`:                         "bracket is not closed",
		`a = "x`:                         "quotation mark is not closed",
		`a = 'x\'`:                       "quotation mark is not closed",
		`a = 1 ORDER BY `:                "names no field",
		`a = 1 \`:                        "escapes nothing",
		`a = \ `:                         "escapes nothing",
		`x ~ a\" ) OR (summary ~ "b\"c"`: "closed that was not opened",
	} {
		_, err := jqlFor(connectors.ItemQuery{Query: query})
		wantError(t, err, connectors.InvalidRequest, want)
	}
}

// FuzzSplitOrder checks that no query leaves the brackets it is put in.
func FuzzSplitOrder(f *testing.F) {
	for _, s := range []string{`a = "b" ORDER BY c`, `(x) order by y`, `'\'' = 1`, `a) OR (b`, "order\tby key", `é"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		where, order, fault := atlassian.SplitOrder(query)
		if fault != "" {
			return
		}
		if again, rest, fault := atlassian.SplitOrder(where); fault != "" || again != where || rest != "" {
			t.Errorf("%q: the restriction %q splits again into %q and %q (%s)", query, where, again, rest, fault)
		}
		if !strings.Contains(query, where) || !strings.Contains(query, order) {
			t.Errorf("%q: %q and %q are not of it", query, where, order)
		}
	})
}
