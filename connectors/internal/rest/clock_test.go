package rest

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// TestSystemTime has a server with a clock of its own, and a local one that goes on between its answer and the question.
func TestSystemTime(t *testing.T) {
	theirs := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	date := []string{theirs.Format(http.TimeFormat)}
	for name, tt := range map[string]struct {
		header http.Header
		status int
		passed time.Duration // by our clock since the answer
		want   time.Time     // zero for our own time less five minutes
		asked  bool          // the question makes a request, for the answer told nothing
	}{
		"just now":                  {http.Header{"Date": date}, 200, 0, theirs, false},
		"a while ago":               {http.Header{"Date": date}, 200, time.Hour, theirs.Add(time.Hour), false},
		"a refusal":                 {http.Header{"Date": date}, 403, time.Second, theirs.Add(time.Second), false},
		"a local clock set back":    {http.Header{"Date": date}, 200, -time.Hour, theirs, false},
		"fresh, as a cache says":    {http.Header{"Date": date, "Age": {"0"}}, 200, 0, theirs, false},
		"kept by a cache":           {http.Header{"Date": date, "Age": {"1"}}, 200, 0, time.Time{}, true},
		"kept for who knows how":    {http.Header{"Date": date, "Age": {"?"}}, 200, 0, time.Time{}, true},
		"no date":                   {http.Header{"Date": nil}, 200, 0, time.Time{}, true},
		"a date that cannot be one": {http.Header{"Date": {"yesterday"}}, 200, 0, time.Time{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
				for name, values := range tt.header {
					w.Header()[name] = values
				}
				w.Header().Set("Content-Type", jsonType)
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte("{}"))
			})
			ours := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
			c.Now = func() time.Time { return ours }
			ask := func(ctx context.Context) error {
				_, err := c.Get(ctx, "/x", nil, &struct{}{})
				return err
			}
			_ = ask(t.Context())
			ours = ours.Add(tt.passed)
			asked := false
			got, err := c.SystemTime(t.Context(), func(ctx context.Context) error { asked = true; return ask(ctx) })
			want := tt.want
			if want.IsZero() {
				want = ours.Add(-5 * time.Minute)
			}
			if err != nil || !got.Equal(want) || asked != tt.asked {
				t.Errorf("got %v, %v (asked: %v), want %v (asked: %v)", got, err, asked, want, tt.asked)
			}
		})
	}
}

// TestSystemTimeAsks asks a system that nothing is known of yet.
func TestSystemTimeAsks(t *testing.T) {
	theirs := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", theirs.Format(http.TimeFormat))
		w.Header().Set("Content-Type", jsonType)
		_, _ = w.Write([]byte("{}"))
	})
	before := time.Now()
	got, err := c.SystemTime(t.Context(), func(ctx context.Context) error {
		_, err := c.Get(ctx, "/x", nil, &struct{}{})
		return err
	})
	if err != nil || got.Before(theirs) || got.After(theirs.Add(time.Since(before))) {
		t.Errorf("got %v, %v, want %v", got, err, theirs)
	}
	refused := connectors.Errorf(connectors.RateLimited, "later")
	if _, err := (&Client{}).SystemTime(t.Context(), func(context.Context) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("got %v, want %v", err, refused)
	}
}

// TestSystemTimeByTheMonotonicClock expects time that passes to be measured by the clock that nobody sets.
func TestSystemTimeByTheMonotonicClock(t *testing.T) {
	c := &Client{}
	c.NoteTime(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
	if wall := c.clock.local.Round(0); c.clock.local == wall { //nolint:staticcheck // whether it has a monotonic reading is what is asked
		t.Errorf("%v is by the wall clock alone", wall)
	}
}
