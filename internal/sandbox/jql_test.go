package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Each query must give the issues for which a plain Go condition over the answered JSON holds.
func TestJQLFinds(t *testing.T) {
	w := testWorld(Options{Issues: 900, Projects: 3})
	middle := w.updated(issueRef{0, w.rowAt(150)})
	born := w.created(w.at(450))
	berlin := time.UnixMilli(middle).In(w.zone)
	minute := berlin.Truncate(time.Minute)
	quoted := minute.Format("2006-01-02 15:04")
	slashed := minute.Format("2006/01/02 15:04")
	weekAgo := epoch(w.seed).Add(-7 * 24 * time.Hour).UnixMilli()
	me := w.accounts[0].id

	type view struct {
		ref              issueRef
		updated, created int64
		fields           struct {
			Summary          string
			Status, Priority struct{ Name, ID string }
			IssueType        struct{ Name string }
			Assignee         *struct{ AccountID string }
			Reporter         struct{ AccountID string }
			Labels           []string
		}
	}
	var views []view
	set := w.fields.choose([]string{"*all"}, "")
	for _, ref := range everything(w) {
		v := view{ref: ref, updated: w.updated(ref), created: w.created(ref)}
		var issue struct{ Fields json.RawMessage }
		if err := json.Unmarshal((&pen{world: w}).issue(nil, ref, set), &issue); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(issue.Fields, &v.fields); err != nil {
			t.Fatal(err)
		}
		views = append(views, v)
	}
	summary := func(v view) string { return strings.ToLower(v.fields.Summary) }

	cases := []struct {
		jql  string
		want func(view) bool
	}{
		{`project = PAY`, func(v view) bool { return v.ref.project == 0 }},
		{`project = pay`, func(v view) bool { return v.ref.project == 0 }},
		{`project = "Payments"`, func(v view) bool { return v.ref.project == 0 }},
		{`project = 10001`, func(v view) bool { return v.ref.project == 1 }},
		{`project in (PAY, "OPS")`, func(v view) bool { return v.ref.project <= 1 }},
		{`project not in (PAY)`, func(v view) bool { return v.ref.project != 0 }},
		{`project = PAY AND project = OPS`, func(view) bool { return false }},
		{`project = PAY OR project = OPS`, func(v view) bool { return v.ref.project <= 1 }},
		{`NOT project = PAY`, func(v view) bool { return v.ref.project != 0 }},
		{`! (project = PAY | project = OPS)`, func(v view) bool { return v.ref.project == 2 }},
		{`key = PAY-5`, func(v view) bool { return v.ref == issueRef{0, 4} }},
		{`issuekey in (PAY-5, ops-2) AND project = OPS`, func(v view) bool { return v.ref == issueRef{1, 1} }},
		{`id = 10007`, func(v view) bool { return v.ref == issueRef{1, 2} }},
		{`id in (10007, 10007, 10000) ORDER BY id`, func(v view) bool { return v.ref == issueRef{1, 2} || v.ref == issueRef{} }},
		{`id in (10000, 10007, 10001)`, func(v view) bool { return v.ref == issueRef{1, 2} || v.ref.row == 0 && v.ref.project < 2 }},
		{`key > PAY-290 AND key <= PAY-295`, func(v view) bool { return v.ref.project == 0 && v.ref.row >= 290 && v.ref.row < 295 }},
		{`project = PAY AND key != PAY-1`, func(v view) bool { return v.ref.project == 0 && v.ref.row != 0 }},
		{fmt.Sprintf(`updated >= %d ORDER BY updated`, middle), func(v view) bool { return v.updated >= middle }},
		{fmt.Sprintf(`updated > %d ORDER BY updated DESC`, middle), func(v view) bool { return v.updated > middle }},
		{fmt.Sprintf(`updated < %d ORDER BY key`, middle), func(v view) bool { return v.updated < middle }},
		{fmt.Sprintf(`updated <= "%d"`, middle), func(v view) bool { return v.updated <= middle }},
		{fmt.Sprintf(`updated = %d ORDER BY updated`, middle), func(v view) bool { return v.updated == middle }},
		{fmt.Sprintf(`updated != %d ORDER BY updated`, middle), func(v view) bool { return v.updated != middle }},
		{fmt.Sprintf(`updated >= "%s" ORDER BY updated`, quoted), func(v view) bool { return v.updated >= minute.UnixMilli() }},
		{fmt.Sprintf(`updatedDate < '%s'`, slashed), func(v view) bool { return v.updated < minute.UnixMilli() }},
		{`updated >= -7d`, func(v view) bool { return v.updated >= weekAgo }},
		{`updated < "-1w" ORDER BY updated`, func(v view) bool { return v.updated < weekAgo }},
		{`updated <= now()`, func(view) bool { return true }},
		{`updated is EMPTY`, func(view) bool { return false }},
		{`updated is not null ORDER BY updated`, func(view) bool { return true }},
		{fmt.Sprintf(`created >= %d ORDER BY created`, born), func(v view) bool { return v.created >= born }},
		{fmt.Sprintf(`created < %d ORDER BY updated`, born), func(v view) bool { return v.created < born }},
		{
			fmt.Sprintf(`project = OPS AND updated >= %d AND updated < %d ORDER BY updated, id`, middle-1e9, middle+1e9),
			func(v view) bool { return v.ref.project == 1 && v.updated >= middle-1e9 && v.updated < middle+1e9 },
		},
		{
			fmt.Sprintf(`(project = OPS OR updated >= %d) AND NOT created < %d`, middle, born),
			func(v view) bool { return (v.ref.project == 1 || v.updated >= middle) && v.created >= born },
		},
		{`summary ~ "checkout"`, func(v view) bool { return strings.Contains(summary(v), "checkout") }},
		{`text ~ "CHECKOUT* fix"`, func(v view) bool {
			return strings.Contains(summary(v), "checkout") && strings.Contains(summary(v), "fix")
		}},
		{`summary !~ fix`, func(v view) bool { return !strings.Contains(summary(v), "fix") }},
		{`summary ~ "失敗"`, func(v view) bool { return strings.Contains(summary(v), "失敗") }},
		{`summary ~ "\u5931\u6557"`, func(v view) bool { return strings.Contains(summary(v), "失敗") }},
		{`status = Done`, func(v view) bool { return v.fields.Status.Name == "Done" }},
		{`status in ("In Progress", 10001)`, func(v view) bool { return v.fields.Status.Name == "Done" || v.fields.Status.Name == "In Progress" }},
		{`status not in ("to do", Prüfung)`, func(v view) bool { return v.fields.Status.Name == "Done" || v.fields.Status.Name == "In Progress" }},
		{`priority != Medium`, func(v view) bool { return v.fields.Priority.Name != "Medium" }},
		{`type = Bug`, func(v view) bool { return v.fields.IssueType.Name == "Bug" }},
		{`assignee is EMPTY`, func(v view) bool { return v.fields.Assignee == nil }},
		{`assignee is not EMPTY`, func(v view) bool { return v.fields.Assignee != nil }},
		{`assignee = currentUser()`, func(v view) bool { return v.fields.Assignee != nil && v.fields.Assignee.AccountID == me }},
		{`assignee in (EMPTY, currentUser())`, func(v view) bool { return v.fields.Assignee == nil || v.fields.Assignee.AccountID == me }},
		{fmt.Sprintf(`reporter = "%s"`, me), func(v view) bool { return v.fields.Reporter.AccountID == me }},
		{`labels = backend`, func(v view) bool { return slices.Contains(v.fields.Labels, "backend") }},
		{`labels is EMPTY`, func(v view) bool { return len(v.fields.Labels) == 0 }},
		{`resolution = Unresolved AND type = Bug`, func(v view) bool { return v.fields.IssueType.Name == "Bug" }},
		{`resolution is not EMPTY`, func(view) bool { return false }},
		{"project\n=\tPAY AND 'project'=PAY", func(v view) bool { return v.ref.project == 0 }},
	}
	for _, c := range cases {
		t.Run(c.jql, func(t *testing.T) {
			pl := planOf(t, w, c.jql)
			got := runPlan(t, pl)
			var want []issueRef
			for _, v := range views {
				if c.want(v) {
					want = append(want, v.ref)
				}
			}
			slices.SortFunc(want, func(a, b issueRef) int { return pl.order.compare(w, a, b) })
			if !slices.Equal(got, want) {
				t.Errorf("got %d issues, want %d", len(got), len(want))
			}
		})
	}
}

func TestJQLRefuses(t *testing.T) {
	w := testWorld(Options{Issues: 9, Projects: 3})
	cases := []struct{ name, jql, want string }{
		{"nothing", "", messageUnbounded},
		{"blank", " \n ", messageUnbounded},
		{"only an order", "ORDER BY updated", messageUnbounded},
		{"unknown project", "project = NOPE", "The value 'NOPE' does not exist for the field 'project'."},
		{"unknown field", "flavour = PAY", "Field 'flavour' does not exist or you do not have permission to view it."},
		{"unknown field in an OR", "project = PAY OR flavour = 1", "Field 'flavour' does not exist"},
		{"unknown issue", "key = PAY-99", "An issue with key 'PAY-99' does not exist for field 'key'."},
		{"unknown id in a list", "id in (10000, 99999)", "A value with ID '99999' does not exist for the field 'id'."},
		{"unknown status", "status = Lost", "The value 'Lost' does not exist for the field 'status'."},
		{"unknown sort", "project = PAY ORDER BY flavour", "Not able to sort using field 'flavour'."},
		{"eight sorts", "project = PAY ORDER BY id,id,id,id,id,id,id,id", "at most 7 fields"},
		{"seconds", `updated >= "2026-01-01 10:00:00"`, "Date value '2026-01-01 10:00:00' for field 'updated' is invalid."},
		{"RFC 3339", `updated >= "2026-01-01T10:00:00Z"`, "is invalid. Valid formats include"},
		{"negative number", "updated >= -60", "is invalid."},
		{"huge number", "updated >= 99999999999999999999", "is invalid."},
		{"huge period", "updated >= -9999999999w", "is invalid."},
		{"unknown function", "updated >= later()", "Unable to find JQL function 'later()'."},
		{"operator of another field", "project ~ PAY", "The operator '~' is not supported by the 'project' field."},
		{"time in a list", "updated in (1, 2)", "The operator 'in' is not supported by the 'updated' field."},
		{"is a value", "status is Done", "takes only EMPTY or NULL"},
		{"no operator", "project PAY", "Expecting operator but got 'PAY'"},
		{"no value", "project =", "Expecting either a value, list or function before the end of the query."},
		{"reserved word", "project = AND", "Expecting either a value, list or function but got 'AND'. (line 1, character 11)"},
		{"no field", "= PAY", "Expecting a field name but got '='. (line 1, character 1)"},
		{"two clauses", "project = PAY key = PAY-1", "Expecting either 'OR' or 'AND' but got 'key'. (line 1, character 15)"},
		{"line and character", "project = PAY\nAND é = 1 x", "got 'x'. (line 2, character 11)"},
		{"open parenthesis", "(project = PAY", "Expecting ')' before the end of the query."},
		{"open list", "project in (PAY", "Expecting ',' or ')' before the end of the query."},
		{"empty list", "project in ()", "Expecting either a value, list or function but got ')'"},
		{"list without parentheses", "project in PAY", "Expecting a list in parentheses"},
		{"not without in", "project not PAY", "Expecting 'IN'"},
		{"open string", `summary ~ "abc`, "The quoted string 'abc' has not been completed."},
		{"bad escape", `summary ~ "\x"`, `'\x' is an illegal JQL escape sequence.`},
		{"short escape", `summary ~ "\u12"`, "illegal JQL escape sequence"},
		{"reserved character", "summary ~ a#b", "The character '#' is a reserved JQL character."},
		{"too deep", strings.Repeat("(", 200) + "project = PAY" + strings.Repeat(")", 200), "nested more than 100 levels"},
		{"too many nots", strings.Repeat("NOT ", 200) + "project = PAY", "nested more than 100 levels"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			query, err := parseJQL(c.jql)
			if err == nil {
				_, err = (&jqlCompiler{world: w, now: epoch(1)}).planQuery(query)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got %v, want %q", c.jql, err, c.want)
			}
		})
	}
}

func TestJQLDatesAreReadInTheAccountsZone(t *testing.T) {
	for _, zone := range []string{"America/New_York", "Asia/Kolkata", "UTC"} {
		w := testWorld(Options{AccountTimeZone: zone})
		compiler := &jqlCompiler{world: w, now: epoch(1)}
		got, err := compiler.parseJQLDate(&clauseNode{written: "updated"}, jqlValue{text: "2026-03-08 12:30"})
		want := time.Date(2026, 3, 8, 12, 30, 0, 0, w.zone).UnixMilli()
		if err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", zone, got, err, want)
		}
	}
}

func FuzzParseJQL(f *testing.F) {
	for _, seed := range []string{
		"", "project = PAY ORDER BY updated ASC, id", `summary ~ "a\u00e9\"" AND NOT (key in (A-1, B-2) OR updated >= -4w)`,
		"updated >= '2026-01-01 10:00'", "!a=b||c!~d&&e is not empty", "((((((", "project = \xff", "id = 10000 order by id desc,",
	} {
		f.Add(seed)
	}
	w := testWorld(Options{Issues: 30, Projects: 3})
	f.Fuzz(func(t *testing.T, jql string) {
		query, err := parseJQL(jql)
		if err != nil {
			return
		}
		pl, err := (&jqlCompiler{world: w, now: epoch(1)}).planQuery(query)
		if err != nil {
			return
		}
		whole, err := (&jqlCompiler{world: w, now: epoch(1)}).compile(query.where)
		if err != nil {
			t.Fatalf("%q was planned but does not compile: %v", jql, err)
		}
		p := &pen{world: w}
		var want []issueRef
		for _, ref := range everything(w) {
			if whole(p, ref) {
				want = append(want, ref)
			}
		}
		slices.SortFunc(want, func(a, b issueRef) int { return pl.order.compare(w, a, b) })
		if got := runPlan(t, pl); !slices.Equal(got, want) {
			t.Fatalf("%q: the plan gives %v, the condition %v", jql, got, want)
		}
	})
}
