package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/connectors"
)

func TestExitCodesCoverEveryCode(t *testing.T) {
	for _, code := range connectors.Codes() {
		if _, ok := exitCodes[code]; !ok {
			t.Errorf("%s has no exit code", code)
		}
	}
	if len(exitCodes) != len(connectors.Codes()) {
		t.Errorf("%d exit codes for %d codes", len(exitCodes), len(connectors.Codes()))
	}
}

// run runs a command with a terminal of the given width, 0 for none, and returns its code and outputs.
func run(t *testing.T, width int, in string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	home := t.TempDir()
	code = Main(args, IO{
		In: strings.NewReader(in), Out: &out, Err: &errs, OutTTY: width > 0, Width: width,
		Environ: []string{"HOME=" + home, "XDG_CONFIG_HOME=" + home + "/c", "XDG_DATA_HOME=" + home + "/d", "APPDATA=" + home, "TERM=xterm"},
	})
	return code, out.String(), errs.String()
}

func TestTablesFitTheTerminal(t *testing.T) {
	c := newCommandLine(IO{OutTTY: true, Environ: []string{"TERM=dumb"}})
	c.flags.output = formatTable
	v := view{head: []string{"KEY", "NAME", "STATUS"}, rows: [][]string{
		{"PAY-1", "決済が失敗する場合の再試行処理について調査する", "Open"},
		{"PAY-2", "plain \x1b[31mred\x1b[0m and\na line\tand a tab \u202eesrever", "Done"},
		{"PAY-3", strings.Repeat("very long ", 40), "In Progress"},
		{"PAY-4", "broken \xff\xfe utf-8", ""},
	}}
	for _, width := range []int{0, 30, 60, 100, 200} {
		c.io.Width = width
		got := string(c.table(v))
		for line := range strings.Lines(got) {
			line = strings.TrimRight(line, "\n")
			if w := runewidth.StringWidth(line); width > 0 && w > width {
				t.Errorf("width %d: a line takes %d cells: %q", width, w, line)
			}
			if strings.ContainsFunc(line, hostile) {
				t.Errorf("width %d: a control character reaches the terminal: %q", width, line)
			}
		}
		if n := strings.Count(got, "\n"); n != 5 {
			t.Errorf("width %d: %d lines, want 5", width, n)
		}
	}
}

func TestTSVHasOneLineARow(t *testing.T) {
	got := string(tsv([][]string{{"a\tb", "c\nd\\"}, {"\x1b[2J", "x"}}))
	want := "a\\tb\tc\\nd\\\\\n\ufffd[2J\tx\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestColoursAreSwitchedOff(t *testing.T) {
	for name, tc := range map[string]struct {
		io      IO
		noColor bool
		want    bool
	}{
		"a terminal":     {IO{OutTTY: true, Environ: []string{"TERM=xterm-256color"}}, false, true},
		"no terminal":    {IO{Environ: []string{"TERM=xterm-256color"}}, false, false},
		"NO_COLOR":       {IO{OutTTY: true, Environ: []string{"TERM=xterm", "NO_COLOR=1"}}, false, false},
		"a dumb one":     {IO{OutTTY: true, Environ: []string{"TERM=dumb"}}, false, false},
		"--no-color":     {IO{OutTTY: true, Environ: []string{"TERM=xterm"}}, true, false},
		"empty NO_COLOR": {IO{OutTTY: true, Environ: []string{"TERM=xterm", "NO_COLOR="}}, false, true},
	} {
		c := newCommandLine(tc.io)
		c.flags.noColor = tc.noColor
		if got := strings.Contains(c.painter().colour(goodColour, "ok"), "\x1b["); got != tc.want {
			t.Errorf("%s: coloured %v, want %v", name, got, tc.want)
		}
	}
}

func TestYAMLKeepsOrderAndDigits(t *testing.T) {
	m := connectors.Meta{
		{Name: "z", Value: json.Number("12345678901234567890.10")},
		{Name: "a", Value: "1"},
		{Name: "big", Value: json.Number("9223372036854775807")},
		{Name: "yes", Value: "yes"},
		{Name: "none", Value: nil},
		{Name: "list", Value: []any{}},
		{Name: "text", Value: "two\nlines"},
	}
	got, err := toYAML(m)
	want := "z: 12345678901234567890.10\na: \"1\"\nbig: 9223372036854775807\n\"yes\": \"yes\"\nnone: null\nlist: []\ntext: |-\n  two\n  lines\n"
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestConfigFiles(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want string
		code connectors.Code
	}{
		"YAML":      {"port: 5432\nhost: h\nssl: true\n", "map[host:h port:5432 ssl:true]", ""},
		"JSON":      {`{"port": 5432, "list": ["a", "b"]}`, "map[list:[a b] port:5432]", ""},
		"twice":     {"a: 1\na: 2\n", "", connectors.InvalidRequest},
		"a list":    {"- a\n", "", connectors.InvalidRequest},
		"prose":     {"hello", "", connectors.InvalidRequest},
		"nothing":   {"", "", connectors.InvalidRequest},
		"broken":    {"a: [", "", connectors.InvalidRequest},
		"a bomb":    {"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n", "", connectors.InvalidRequest},
		"NUL bytes": {"a: \x00", "", connectors.InvalidRequest},
	} {
		got, err := parseFields("the file", []byte(tc.text))
		if connectors.CodeOf(err) != tc.code || err == nil && fmt.Sprint(got) != tc.want {
			t.Errorf("%s: %v, %v, want %s %s", name, got, err, tc.want, tc.code)
		}
	}
}

func TestSince(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]string{
		"2026-01-31T08:00:00+02:00": "2026-01-31T06:00:00Z", "2026-01-31": "2026-01-31T00:00:00Z", "24h": "2026-03-30T12:00:00Z", "7d": "2026-03-24T12:00:00Z",
		"": "0001-01-01T00:00:00Z", "yesterday": "", "-24h": "", "0h": "", "1000000d": "", "2026-13-01": "",
	} {
		got, err := parseSince(in, now)
		if (err != nil) != (want == "") || err == nil && got.Format(time.RFC3339) != want {
			t.Errorf("parseSince(%q) = %v, %v, want %q", in, got, err, want)
		}
	}
}

// full is a writer of a full disk.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestFullDiskIsTold(t *testing.T) {
	var errs bytes.Buffer
	code := Main([]string{"version"}, IO{In: strings.NewReader(""), Out: full{}, Err: &errs})
	if code != ExitCode(connectors.Unavailable) || !strings.Contains(errs.String(), "disk") {
		t.Errorf("code %d, %q", code, errs.String())
	}
}

func TestErrorIsAnObjectForPrograms(t *testing.T) {
	code, out, errs := run(t, 0, "", "connectors", "validate", "jira", "-o", "json")
	var e struct {
		Code    string
		Message string
		Details struct{ Fields []connectors.Fault }
	}
	if err := json.Unmarshal([]byte(errs), &e); err != nil || code != 2 || out != "" || e.Code != "invalid_request" || len(e.Details.Fields) != 3 {
		t.Errorf("code %d, stdout %q, stderr %q, %v", code, out, errs, err)
	}
}

func TestNothingIsPromptedWithoutATerminal(t *testing.T) {
	code, _, errs := run(t, 0, "https://a.example.com\nme\nsecret\n", "connect", "jira", "--api-key")
	if code != 2 || !strings.Contains(errs, "base_url: is required") {
		t.Errorf("code %d, %q", code, errs)
	}
}

func TestInterruptedPromptEnds(t *testing.T) {
	pr, pw := io.Pipe()
	defer pw.Close()
	c := newCommandLine(IO{In: pr, Out: io.Discard, Err: io.Discard, InTTY: true, ErrTTY: true})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.prompt(ctx, connectors.Field{Label: "Key", Kind: connectors.KindSecret})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the prompt ended with %v", err)
	}
}

func TestEveryCommandIsDescribed(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Hidden {
			return
		}
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: the short help is %q", cmd.CommandPath(), cmd.Short)
		}
		if !cmd.HasSubCommands() && cmd.Example == "" {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(Root())
}

func TestServeListensOnLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:80"} {
		var errs bytes.Buffer
		code := Main([]string{"serve"}, IO{In: strings.NewReader(""), Out: io.Discard, Err: &errs, Environ: []string{"UCF_LISTEN=" + addr, "UCF_DATA_DIR=" + t.TempDir()}})
		if code != 2 || !strings.Contains(errs.String(), "loopback") {
			t.Errorf("%s: code %d, %q", addr, code, errs.String())
		}
	}
	code, _, errs := run(t, 0, "", "sandbox", "--listen", "0.0.0.0:0")
	if code != 2 || !strings.Contains(errs, "loopback") {
		t.Errorf("sandbox: code %d, %q", code, errs)
	}
}
