package rest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestSystemTime holds the time of a system against what its answers carry: the latest of them, unless a cache kept it.
func TestSystemTime(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	date, age := "", ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil
		if date != "" {
			w.Header().Set("Date", date)
		}
		if age != "" {
			w.Header().Set("Age", age)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{}"))
	}))
	defer srv.Close()
	c := &Client{HTTP: srv.Client(), Base: srv.URL, System: "Test", Now: func() time.Time { return now }}
	asked := 0
	ask := func(ctx context.Context) error {
		asked++
		_, err := c.Get(ctx, "/", nil, &struct{}{})
		return err
	}
	want := func(what string, ahead time.Duration, requests int) {
		t.Helper()
		got, err := c.SystemTime(t.Context(), ask)
		if err != nil || got.Sub(now) != ahead || asked != requests {
			t.Errorf("%s: %s ahead after %d requests, %v; want %s after %d", what, got.Sub(now), asked, err, ahead, requests)
		}
	}
	want("a system that tells no time", -unsure, 1)
	date = now.Add(-time.Hour).Format(http.TimeFormat)
	want("one that is an hour behind", -time.Hour, 2)
	now = now.Add(10 * time.Minute)
	want("the same later, without asking", -time.Hour, 2)
	date, age = now.Add(-2*time.Hour).Format(http.TimeFormat), "3600"
	if _, err := c.Get(t.Context(), "/", nil, &struct{}{}); err != nil {
		t.Fatal(err)
	}
	want("an answer that a cache kept", -time.Hour, 2)
	fresh := &Client{HTTP: srv.Client(), Base: srv.URL, System: "Test"}
	if _, err := fresh.SystemTime(t.Context(), func(context.Context) error { return errors.New("away") }); err == nil {
		t.Error("a system that does not answer told the time")
	}
}
