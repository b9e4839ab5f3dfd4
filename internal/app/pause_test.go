package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/sandbox"
	"github.com/unified-connector/ucf/internal/service"
)

// A tenant's quota that one process met stops the other one too, and is shown.
func TestPauseIsShared(t *testing.T) {
	url, home := newSandbox(t, sandbox.Options{Issues: 3}, "429,path=/rest/api/3/project/search,after=1,count=1,retry-after=3000,reason=jira-quota-tenant-based"), t.TempDir()
	first, second := build(t, home, true), build(t, home, true)
	in := service.ConnectedIn{ConnectorIn: service.ConnectorIn{ID: "jira"}}
	in.Body.APIKey, in.Body.Config = "sandbox", map[string]any{"base_url": url + "/acme/", "api_email": "you@example.com"}
	if _, err := first.Service.Connected(t.Context(), "acme", in); err != nil {
		t.Fatal(err)
	}
	list := service.ContainersIn{ListIn: service.ListIn{ConnectorID: "jira", Limit: 5}}
	for _, a := range []*service.Service{first.Service, second.Service} {
		_, err := a.Containers(t.Context(), "acme", list)
		e := connectors.AsError(err)
		if e.Code != connectors.RateLimited || e.RetryAfter < 2900*time.Second {
			t.Fatalf("got %v, retry after %s; want to wait 3000 s", err, e.RetryAfter)
		}
	}
	budgets, err := second.Service.Budgets(t.Context())
	if err != nil || len(budgets) != 1 || !strings.HasPrefix(budgets[0].Key, "jira/") || budgets[0].PausedUntil == nil {
		t.Errorf("the limits that are shown: %+v, %v", budgets, err)
	}
}
