package salesforce

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// signed adds the token to every request.
type signed struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (s signed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	return s.next.RoundTrip(r)
}

// fakeNow is the time in a fake org that has a clock of its own.
var fakeNow = time.Date(2024, 6, 1, 12, 0, 30, 0, time.UTC)

// open starts a server and returns a driver for it, whose clock tells fakeNow. change may change the configuration.
func open(t testing.TB, h http.Handler, change func(map[string]any)) *Driver {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	raw := map[string]any{"instance_url": "https://acme.my.salesforce.com", "access_token": token}
	if change != nil {
		change(raw)
	}
	config, err := Definition.ParseConfig(raw)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: signed{server.Client().Transport}}
	d, err := Definition.New(connectors.Env{
		Config: config, HTTP: client, API: server.URL, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return fakeNow },
	})
	if err != nil {
		t.Fatal(err)
	}
	return d.(*Driver)
}

// walkItems follows every page and returns the items in their order; between is called behind every page.
func walkItems(t *testing.T, d *Driver, q connectors.ItemQuery, between func(page int)) []connectors.Item {
	t.Helper()
	var out []connectors.Item
	for page := 1; page < 1000; page++ {
		p, err := d.ListItems(t.Context(), q)
		if err != nil {
			t.Fatalf("page %d: %v", page, err)
		}
		out = append(out, p.Items...)
		if q.Cursor = p.Next; p.Next == "" {
			return out
		}
		if between != nil {
			between(page)
		}
	}
	t.Fatal("the listing does not end")
	return nil
}

func itemIDs(items []connectors.Item) []string {
	out := make([]string, len(items))
	for i, it := range items {
		out[i] = it.ID
	}
	return out
}

func wantIDs(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %d ids %.300s, want %d %.300s", len(got), fmt.Sprint(got), len(want), fmt.Sprint(want))
	}
}

// stamp returns a time some seconds after fakeStamp.
func stamp(seconds int) string {
	t, _ := parseTime(fakeStamp)
	return t.Add(time.Duration(seconds) * time.Second).Format(timeLayout)
}
