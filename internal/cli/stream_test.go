package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/sandbox"
)

// output is a buffer that may be looked into while it is written.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// jiraEnv points ucf at a Jira, in an empty home.
func jiraEnv(t *testing.T, url string) []string {
	t.Helper()
	home := t.TempDir()
	return []string{
		"HOME=" + home, "XDG_CONFIG_HOME=" + home + "/c", "XDG_DATA_HOME=" + home + "/d", "APPDATA=" + home, "LOCALAPPDATA=" + home, "TERM=xterm",
		"UCF_JIRA_BASE_URL=" + url + "/acme", "UCF_JIRA_API_EMAIL=you@example.com", "UCF_JIRA_API_TOKEN=sandbox",
	}
}

// atSearch serves a sandbox that calls f before the n-th page of issues.
func atSearch(t *testing.T, n int, f func(*http.Request)) string {
	t.Helper()
	box, err := sandbox.New(sandbox.Options{Issues: 300})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/search/jql") {
			mu.Lock()
			seen++
			hit := seen == n
			mu.Unlock()
			if hit {
				f(r)
			}
		}
		box.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestPagesArePrintedAsTheyCome(t *testing.T) {
	for _, format := range []string{"", "table", "json", "ndjson", "yaml"} {
		var out output
		before := ""
		// While one page is printed the next one is asked for: the third is asked for when the first is out.
		url := atSearch(t, 3, func(*http.Request) { before = out.String() })
		args := []string{"items", "jira", "--all", "--page-size", "50"}
		if format != "" {
			args = append(args, "-o", format)
		}
		if code := Main(args, IO{Out: &out, Err: io.Discard, Environ: jiraEnv(t, url)}); code != 0 {
			t.Fatalf("%q: code %d", format, code)
		}
		if n := strings.Count(before, "PAY-1"); n == 0 || len(before) > len(out.String())/2 {
			t.Errorf("%q: %d of %d bytes were out when the third page was asked for", format, len(before), len(out.String()))
		}
	}
}

func TestJSONListingIsOneDocument(t *testing.T) {
	var out output
	url := atSearch(t, 0, nil)
	if code := Main([]string{"items", "jira", "--all", "--page-size", "50", "-o", "json"}, IO{Out: &out, Err: io.Discard, Environ: jiraEnv(t, url)}); code != 0 {
		t.Fatalf("code %d", code)
	}
	var page struct {
		Items []connectors.Item
		Next  *string
	}
	if err := json.Unmarshal([]byte(out.String()), &page); err != nil || len(page.Items) != 300 || page.Next != nil {
		t.Errorf("%d items, next %v, %v", len(page.Items), page.Next, err)
	}
}

func TestInterruptedListingSaysWhereToGoOn(t *testing.T) {
	if os.PathSeparator != '/' {
		t.Skip("a process cannot interrupt itself here")
	}
	var out, errs output
	url := atSearch(t, 3, func(r *http.Request) {
		io.Copy(io.Discard, r.Body) // only then does the server see that the client hangs up
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			t.Error(err)
		}
		if err := self.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		<-r.Context().Done()
	})
	env := jiraEnv(t, url)
	code := Main([]string{"items", "jira", "--all", "--page-size", "50", "-o", "ndjson"}, IO{Out: &out, Err: &errs, Environ: env})
	if code != interrupted || strings.Count(out.String(), "\n") < 50 || !strings.Contains(errs.String(), "interrupted") {
		t.Fatalf("code %d, %d lines, %q", code, strings.Count(out.String(), "\n"), errs.String())
	}
	_, cursor, ok := strings.Cut(errs.String(), "go on with --cursor ")
	if !ok {
		t.Fatalf("no cursor to go on from: %q", errs.String())
	}
	cursor, _, _ = strings.Cut(cursor, "\n")
	var rest output
	code = Main([]string{"items", "jira", "--all", "--cursor", cursor, "-o", "ndjson"}, IO{Out: &rest, Err: io.Discard, Environ: env})
	ids := map[string]bool{}
	for line := range strings.Lines(out.String() + rest.String()) {
		ids[line] = true
	}
	if code != 0 || len(ids) != 300 {
		t.Errorf("going on: code %d, %d issues in all, want 300", code, len(ids))
	}
}

// hungUp is a writer whose reader has gone.
type hungUp struct{}

func (hungUp) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}
}

func TestReaderThatHangsUpIsNoError(t *testing.T) {
	var errs output
	url := atSearch(t, 0, nil)
	code := Main([]string{"items", "jira", "--all", "-o", "ndjson", "--quiet"}, IO{Out: hungUp{}, Err: &errs, Environ: jiraEnv(t, url)})
	if code != readerGone || errs.String() != "" {
		t.Errorf("code %d, %q", code, errs.String())
	}
}

func TestFullDiskKeepsWhatWasPrinted(t *testing.T) {
	var errs output
	url := atSearch(t, 0, nil)
	out := &disk{left: 60 << 10}
	code := Main([]string{"items", "jira", "--all", "--page-size", "50", "-o", "json"}, IO{Out: out, Err: &errs, Environ: jiraEnv(t, url)})
	if code != 9 || !strings.Contains(errs.String(), `"next":"gAAAA`) || !strings.Contains(errs.String(), "disk") {
		t.Errorf("code %d, %q", code, errs.String())
	}
}

// disk is a writer with little room.
type disk struct{ left int }

func (d *disk) Write(p []byte) (int, error) {
	if d.left -= len(p); d.left < 0 {
		return 0, syscall.ENOSPC
	}
	return len(p), nil
}

func TestProgressIsForTerminals(t *testing.T) {
	url := atSearch(t, 0, nil)
	for name, tc := range map[string]struct {
		io    IO
		quiet bool
		want  bool
	}{
		"output to a file":        {IO{ErrTTY: true}, false, true},
		"output to a terminal":    {IO{ErrTTY: true, OutTTY: true}, false, false},
		"no terminal":             {IO{}, false, false},
		"output to a file, quiet": {IO{ErrTTY: true}, true, false},
	} {
		var errs output
		tc.io.Out, tc.io.Err, tc.io.Environ = io.Discard, &errs, jiraEnv(t, url)
		args := []string{"items", "jira", "--all", "-o", "ndjson"}
		if tc.quiet {
			args = append(args, "--quiet")
		}
		code := Main(args, tc.io)
		if got := strings.Contains(errs.String(), "300 listed"); code != 0 || got != tc.want {
			t.Errorf("%s: code %d, progress %v, want %v: %q", name, code, got, tc.want, errs.String())
		}
	}
}

// hostileJira serves one project whose name attacks the terminal.
func hostileJira(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/project/search"):
			io.WriteString(w, `{"self": "x", "startAt": 0, "maxResults": 50, "total": 1, "isLast": true, "values":
				[{"id": "1", "key": "EVIL", "name": "\u001b]0;owned\u0007\u001b[2J\nsecond\tline\u202e \u009b31m\u007f", "projectTypeKey": "software"}]}`)
		case strings.HasSuffix(r.URL.Path, "/myself"):
			io.WriteString(w, `{"accountId": "a", "displayName": "A", "active": true, "timeZone": "UTC"}`)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestForeignTextDoesNotControlTheTerminal(t *testing.T) {
	env := jiraEnv(t, hostileJira(t))
	for _, format := range []string{"", "table", "json", "ndjson", "yaml"} {
		for _, tty := range []bool{true, false} {
			if !tty && format != "" {
				continue // to a program, JSON and YAML are data
			}
			var out, errs output
			args := []string{"containers", "jira", "--no-color"}
			if format != "" {
				args = append(args, "-o", format)
			}
			code := Main(args, IO{Out: &out, Err: &errs, OutTTY: tty, ErrTTY: tty, Width: 80, Environ: env})
			shown := strings.NewReplacer("\n", "", "\t", "").Replace(out.String())
			if code != 0 || !strings.Contains(shown, "EVIL") || strings.ContainsFunc(shown, func(r rune) bool { return hostile(r) && r < 0x2000 }) {
				t.Errorf("%q, terminal %v: code %d, %q, %q", format, tty, code, out.String(), errs.String())
			}
			if rows := strings.Count(out.String(), "\n"); format == "" && !tty && rows != 1 {
				t.Errorf("TSV: %d lines for one row: %q", rows, out.String())
			}
		}
	}
	var out output
	Main([]string{"__complete", "items", "jira", "--container", "E"}, IO{Out: &out, Err: io.Discard, Environ: env})
	if lines := strings.Split(out.String(), "\n"); len(lines) != 3 || !strings.HasPrefix(lines[0], "EVIL\t") || strings.ContainsRune(out.String(), '\x1b') {
		t.Errorf("completion: %q", out.String())
	}
}

func TestGivenConfigurationLeavesNothingBehind(t *testing.T) {
	env := jiraEnv(t, atSearch(t, 0, nil))
	home := strings.TrimPrefix(env[0], "HOME=")
	for _, args := range [][]string{
		{"connectors", "probe", "jira"},
		{"connectors", "validate", "jira"},
		{"version"},
		{"keygen"},
		{"doctor"},
		{"completion", "bash"},
		{"openapi"},
		{"__complete", "connections", "show", ""},
		{"__complete", "items", ""},
		{"sandbox", "env"},
	} {
		if code := Main(args, IO{Out: io.Discard, Err: io.Discard, Environ: env}); code != 0 {
			t.Errorf("%v: code %d", args, code)
		}
		if left, err := filepath.Glob(home + "/*"); err != nil || len(left) != 0 {
			t.Fatalf("%v left %v, %v", args, left, err)
		}
	}
}
