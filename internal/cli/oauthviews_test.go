package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/sandbox"
	"github.com/unified-connector/ucf/internal/service"
)

func TestDoctorTellsOfDyingConsents(t *testing.T) {
	left := func(n int) *int { return &n }
	used := []service.ConnectionRef{{ConnectorID: "jira", Name: "b"}, {ConnectorID: "confluence", Name: "a"}}
	who := &connectors.Account{ID: "1", Name: "Priya"}
	for name, tc := range map[string]struct {
		tok  service.TokenOut
		want string
	}{
		"a key":         {service.TokenOut{Connections: used}, ""},
		"no limit":      {service.TokenOut{Connections: used, Account: who}, ""},
		"far away":      {service.TokenOut{Connections: used, Account: who, DiesInDays: left(15)}, "alive; unused it would end in 15 days"},
		"soon":          {service.TokenOut{Connections: used, Account: who, DiesInDays: left(14)}, "drops it in 14 days"},
		"tomorrow":      {service.TokenOut{Connections: used, Account: who, DiesInDays: left(1)}, "in 1 day unless it is used"},
		"today":         {service.TokenOut{Connections: used, Account: who, DiesInDays: left(0)}, "in 0 days"},
		"refused":       {service.TokenOut{Connections: used, Account: who, Refused: "expired"}, "refused for good: expired"},
		"refused, late": {service.TokenOut{Connections: used, Account: who, Refused: "expired", DiesInDays: left(3)}, "connect again"},
	} {
		f, worth := examineGrant(tc.tok)
		if worth != (tc.want != "") || !strings.Contains(f.Detail, tc.want) || worth && (f.Status != "warn" && name != "far away" || f.Check != "consent of Priya" || !strings.Contains(f.Detail, "confluence/a, jira/b")) {
			t.Errorf("%s: %+v, want %q", name, f, tc.want)
		}
	}
}

func TestProgress(t *testing.T) {
	for name, tc := range map[string]struct {
		io   IO
		want string
	}{
		"a terminal":        {IO{ErrTTY: true, Width: 60, Environ: []string{"NO_COLOR=1"}}, "█"},
		"a narrow terminal": {IO{ErrTTY: true, Width: 30, Environ: []string{"NO_COLOR=1"}}, "250 of 250 things"},
		"no terminal":       {IO{}, "100 of 250 things\n200 of 250 things\n250 of 250 things\n"},
		"a dumb terminal":   {IO{ErrTTY: true, Environ: []string{"TERM=dumb"}}, "100 of 250 things\n200 of 250 things\n250 of 250 things\n"},
	} {
		var b bytes.Buffer
		tc.io.Err = &b
		bar := progressBar{c: newCommandLine(tc.io), what: "things"}
		for i := range 250 {
			bar.show(i+1, 250)
		}
		bar.end()
		if got := b.String(); !strings.Contains(got, tc.want) || strings.HasPrefix(tc.want, "100") && got != tc.want {
			t.Errorf("%s: %q, want %q", name, got[max(0, len(got)-200):], tc.want)
		}
		for _, frame := range strings.Split(b.String(), "\r\033[K") {
			if w := cells(frame); tc.io.Width > 0 && w > tc.io.Width {
				t.Errorf("%s: a line takes %d cells: %q", name, w, frame)
			}
		}
	}
}

func TestSandboxOptions(t *testing.T) {
	good := sandboxOptions{sites: 3, tokenTTL: 5 * time.Second, reuseInterval: time.Minute, idle: time.Hour, autoApprove: true, noRotation: true}
	o, err := good.options()
	if err != nil || o.Sites != 3 || o.TokenTTL != 5*time.Second || o.ReuseInterval != time.Minute || o.RefreshIdle != time.Hour || !o.AutoApprove || !o.NoRotation || o.Issues != sandbox.None {
		t.Errorf("options are %+v, %v", o, err)
	}
	good.reuseInterval = 0
	if o, err := good.options(); err != nil || o.ReuseInterval >= 0 {
		t.Errorf("no reuse: %v, %v", o.ReuseInterval, err)
	}
	good.records, good.dailyRequests, good.fresh = 7, 8, true
	if o, err := good.options(); err != nil || o.Records != 7 || o.DailyRequests != 8 || time.Since(o.Until) > time.Minute {
		t.Errorf("of Salesforce: %+v, %v", o, err)
	}
	for _, bad := range [][]string{
		{"--records", "-2"},
		{"--records", "10000001"},
		{"--daily-requests", "-1"},
		{"--token-ttl", "0s"},
		{"--token-ttl", "-1s"},
		{"--reuse-interval", "-1s"},
		{"--refresh-idle", "-1s"},
		{"--sites", "6"},
		{"--sites", "-1"},
		{"--spaces", "1001"},
		{"--pages", "-2"},
	} {
		if code, _, errs := run(t, 0, "", append([]string{"sandbox", "--listen", "127.0.0.1:0"}, bad...)...); code != 2 {
			t.Errorf("%v: code %d, %s", bad, code, errs)
		}
	}
	_, out, _ := run(t, 0, "", "sandbox", "env")
	for _, want := range []string{"export ATLASSIAN_CLIENT_SECRET='", "export SALESFORCE_LOGIN_URL='http://127.0.0.1:8090/salesforce'", "export UCF_JIRA_API_TOKEN='sandbox'"} {
		if !strings.Contains(out, want) {
			t.Errorf("`ucf sandbox env` does not print %s: %s", want, out)
		}
	}
	_, out, _ = run(t, 0, "", "sandbox", "env", "--data-center", "--listen", "127.0.0.1:9")
	for _, want := range []string{"export UCF_JIRA_BASE_URL='http://127.0.0.1:9/datacenter/jira'", "export UCF_CONFLUENCE_PERSONAL_TOKEN='sandbox-pat'"} {
		if !strings.Contains(out, want) {
			t.Errorf("`ucf sandbox env --data-center` does not print %s: %s", want, out)
		}
	}
}

func TestBackgroundWorkIsWaitedFor(t *testing.T) {
	started, ended := make(chan struct{}), false
	end := inBackground(t.Context(), func(ctx context.Context) {
		close(started)
		<-ctx.Done()
		ended = true
	})
	<-started
	if end(); !ended {
		t.Error("the work was left behind")
	}
}
