package connectortest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/unified-connector/ucf/connectors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// toySuite describes the toy connector with its bugs.
func toySuite(b bugs) Suite {
	return Suite{
		Definition: toyDefinition(b),
		Config: func(method, address string) map[string]any {
			raw := map[string]any{"auth_method": method, "base_url": address, "api_token": toySecret}
			switch method {
			case "api_key":
				raw["api_email"] = toyUser
			case "oauth2":
				return map[string]any{"auth_method": method, "base_url": "https://toy.example.com", "access_token": toySecret}
			}
			return raw
		},
		Handler:    toySystem{}.handler(),
		Containers: toyBoxes, Items: toyThings, Comments: toyNotes, Commented: toyTalk,
		MissingContainer: "black", MissingItem: "x9", HostileIDs: []string{"*"},
		EmptyPage: map[string]http.Handler{
			"containers": toySystem{emptyPage: "containers"}.handler(),
			"items":      toySystem{emptyPage: "items"}.handler(),
			"comments":   toySystem{emptyPage: "comments"}.handler(),
			"commented":  toySystem{emptyPage: "commented"}.handler(),
		},
		RepeatToken: map[string]http.Handler{
			"containers": toySystem{repeatToken: "containers"}.handler(),
			"items":      toySystem{repeatToken: "items"}.handler(),
			"comments":   toySystem{repeatToken: "comments"}.handler(),
			"commented":  toySystem{repeatToken: "commented"}.handler(),
		},
		Gaps:  map[string]http.Handler{"commented": toySystem{gap: true}.handler()},
		Sites: []string{"s1", "s2"},
		Query: "box = red", QueryItems: toyThings["red"],
		Raw: map[string]string{"r1": `{"id":"r1","title":"Thing r1","box":"red","number":1.50,"notes":4,"at":"2026-04-28T15:33:15.5+02:00"}`},
	}
}

func TestCorrectToy(t *testing.T) { Run(t, toySuite(nil)) }

// recorder is a test that keeps what it is told.
type recorder struct {
	t  *testing.T
	mu sync.Mutex

	faults   []string
	cleanups []func()
}

func (r *recorder) Helper()             {}
func (r *recorder) Logf(string, ...any) {}
func (r *recorder) TempDir() string     { return r.t.TempDir() }

func (r *recorder) Context() context.Context { return r.t.Context() }

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// record runs a row and returns what it finds.
func record(t *testing.T, s *Suite, check func(TB, *Suite)) []string {
	r := &recorder{t: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, f := range slices.Backward(r.cleanups) {
				f()
			}
		}()
		check(r, s)
	}()
	<-done
	return r.faults
}

// slow are the rows that are run only for the bugs that they find.
var slow = regexp.MustCompile(`/hang|/endless_body|secrets/(errors|logs)|discover/secrets`)

// failing returns the rows that fail, with what they find. Slow rows, and
// with the race detector all rows, are left out but for those that are wanted.
func failing(t *testing.T, s Suite, want []string) map[string][]string {
	t.Helper()
	if faults := s.faults(); faults != nil {
		t.Fatalf("the suite is not complete: %v", faults)
	}
	s.patience, s.hangTime = 300*time.Millisecond, 10*time.Millisecond
	out := map[string][]string{}
	for _, r := range s.rows() {
		if (raceEnabled || slow.MatchString(r.name)) && !slices.Contains(want, r.name) {
			continue
		}
		if faults := record(t, &s, r.check); len(faults) > 0 {
			out[r.name] = faults
		}
	}
	return out
}

// spoiled is a toy connector with bugs and the rows that find them; without rows, each bug is found by the row that
// has its name.
type spoiled struct {
	bugs   bugs
	rows   []string
	sealer connectors.Sealer
}

// spoiledToys returns one connector for each bug, and for the faults, where a bug touches one operation only, one
// for each fault, with another fault swallowed in each operation.
func spoiledToys() []spoiled {
	var all []spoiled
	for _, name := range []string{
		"spec/identity", "spec/fields", "spec/auth", "spec/capabilities", "spec/driver_type",
		"config/complete", "config/required", "config/unknown_field", "config/hostile_values", "config/url", "config/context_path",
		"new/no_request", "new/no_goroutine", "env/only_way_out", "probe/healthy", "items/filters",
		"time/undated", "time/set_back", "time/backwards", "count/right", "count/known", "count/no_request", "count/odd_raw",
		"commented/updated_after", "commented/gaps", "commented/empty_page", "commented/repeated_token", "commented/unknown_token",
		"oauth/fields", "discover/healthy", "discover/secrets", "all/hostile_ids", "secrets/printed", "secrets/errors", "secrets/logs", "close/twice", "close/no_goroutine",
	} {
		all = append(all, spoiled{bugs: bugs{name}})
	}
	ops := []string{"containers", "items", "comments"}
	for i := range ops {
		for _, name := range []string{"repeated_token", "unknown_token", "limits", "raw", "shape"} {
			all = append(all, spoiled{bugs: bugs{ops[i] + "/" + name}})
		}
		all = append(all,
			spoiled{bugs: bugs{ops[i] + "/every_entry_once"}, rows: []string{ops[i] + "/every_entry_once", ops[i] + "/empty_page", "all/concurrent"}},
			spoiled{bugs: bugs{ops[i] + "/empty_page"}})
	}
	names := []string{"cancel"}
	for _, f := range faults() {
		names = append(names, f.name)
	}
	for i := range names {
		b := bugs{}
		for j, op := range append([]string{"probe", "discover", "time", "commented"}, ops...) {
			b = append(b, op+"/"+names[(i+5*j)%len(names)])
		}
		all = append(all, spoiled{bugs: b})
	}
	for name := range providerSpoilers {
		all = append(all, spoiled{bugs: bugs{name}, rows: []string{"oauth/provider"}})
	}
	var foreign, damaged []string
	for _, op := range append(ops, "commented") {
		foreign, damaged = append(foreign, op+"/foreign_cursor"), append(damaged, op+"/damaged_cursor")
	}
	return append(all,
		spoiled{bugs: bugs{"oauth/bind"}, rows: []string{"oauth/bind", "discover/healthy"}},
		spoiled{bugs: bugs{"asks the site"}, rows: []string{"probe/healthy", "secrets/printed", "secrets/errors", "secrets/logs"}},
		spoiled{bugs: bugs{"new/no_request by HTTP"}, rows: []string{"new/no_request"}},
		spoiled{bugs: bugs{"items/unknown"}, rows: []string{"items/unknown_container", "all/hostile_ids"}},
		spoiled{bugs: bugs{"comments/unknown"}, rows: []string{"comments/unknown_item", "all/hostile_ids"}},
		spoiled{bugs: bugs{"commented/unknown"}, rows: []string{"commented/unknown_container", "all/hostile_ids"}},
		spoiled{bugs: bugs{"commented/every_item"}, rows: []string{"commented/every_item", "commented/updated_after", "commented/empty_page", "all/concurrent"}},
		spoiled{bugs: bugs{"commented/own_items"}, rows: []string{"commented/own_items", "commented/updated_after", "commented/empty_page", "all/concurrent"}},
		spoiled{bugs: bugs{"commented/a gap where there is none"}, rows: []string{"commented/every_item"}},
		spoiled{bugs: bugs{"commented/gaps of no container"}, rows: []string{"commented/gaps"}},
		spoiled{bugs: bugs{"commented/gaps without a reason"}, rows: []string{"commented/gaps"}},
		spoiled{bugs: bugs{"time/ours"}, rows: []string{"time/own_clock", "time/set_back"}},
		spoiled{bugs: bugs{"time/long ago"}, rows: []string{"time/own_clock", "time/undated", "time/set_back", "time/backwards"}},
		spoiled{bugs: bugs{"count/odd_raw by a panic"}, rows: []string{"count/odd_raw"}},
		spoiled{bugs: bugs{"all/concurrent"}},
		spoiled{bugs: bugs{"all/unsupported"}, rows: []string{"spec/driver_type", "spec/capabilities", "all/unsupported"}},
		spoiled{bugs: bugs{"secrets/errors by message"}, rows: []string{"secrets/errors", "secrets/logs"}},
		spoiled{bugs: bugs{"items/ignores its context"}, rows: []string{"items/hang", "items/cancel", "close/no_goroutine"}},
		spoiled{bugs: bugs{"a sealer that forgets the purpose"}, rows: foreign, sealer: carelessSealer{newSealer()}},
		spoiled{bugs: bugs{"a sealer that only encodes"}, rows: damaged, sealer: openSealer{}},
	)
}

// checkRows compares the rows that fail with those that should.
func checkRows(t *testing.T, got map[string][]string, want []string) {
	t.Helper()
	want = slices.Sorted(slices.Values(want))
	if rows := slices.Sorted(maps.Keys(got)); !slices.Equal(rows, want) {
		t.Errorf("failing rows: got %v, want %v; %v", rows, want, got)
	}
}

func TestEveryBugIsFound(t *testing.T) {
	found := map[string]bool{}
	defer close(leaked)
	for _, toy := range spoiledToys() {
		t.Run(strings.Join(toy.bugs, "+"), func(t *testing.T) {
			want := slices.Sorted(slices.Values(toy.rows))
			if want == nil {
				want = slices.Sorted(slices.Values(toy.bugs))
			}
			s := toySuite(toy.bugs)
			s.sealer = toy.sealer
			checkRows(t, failing(t, s, want), want)
			for _, row := range want {
				found[row] = true
			}
		})
	}
	s := toySuite(nil)
	for _, r := range s.rows() {
		if !found[r.name] {
			t.Errorf("no bug makes the row %s fail", r.name)
		}
	}
}
