package cli

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/connectors"
)

func TestNarrowTablesLeaveColumnsOut(t *testing.T) {
	v := view{head: []string{"ID", "CONNECTOR", "NAME", "STATUS", "ACCOUNT", "LAST USED"}, flex: 2, keep: 4, rows: [][]string{
		{"con_06h0dn64sjg7my64tmt98fs2g8", "jira", "a long name of a connection", "reauthorize", "You (sandbox)", "2026-11-23 05:16"},
	}}
	for _, tc := range []struct {
		width int
		want  string
	}{
		{0, "con_06h0dn64sjg7my64tmt98fs2g8  jira       a long name of a connection  reauthorize  You (sandbox)  2026-11-23 05:16"},
		{110, "con_06h0dn64sjg7my64tmt98fs2g8  jira       a long name of a con…  reauthorize  You (sandbox)  2026-11-23 05:16"},
		{90, "con_06h0dn64sjg7my64tmt98fs2g8  jira       a long name of a c…  reauthorize  You (sandbox)"},
		{64, "con_06h0dn64sjg7my64tmt98fs2g8  jira       a long …  reauthorize"},
		{20, "con_06h0dn64sjg7my64tmt98fs2g8  jira    a lon…  reaut…"},
	} {
		got := string(newLayout(v, tc.width).render(v, newCommandLine(IO{}).painter()))
		if _, row, _ := strings.Cut(got, "\n"); strings.TrimRight(row, "\n") != tc.want {
			t.Errorf("width %d: %q, want %q", tc.width, row, tc.want)
		}
	}
}

func TestWrappedTextKeepsLongWords(t *testing.T) {
	cursor := strings.Repeat("gAAAA", 20)
	for _, tc := range []struct {
		text string
		want []string
	}{
		{"", []string{""}},
		{"one two three", []string{"one two", "three"}},
		{"see " + cursor + " there", []string{"see", cursor, "there"}},
		{"決済が 失敗する", []string{"決済が", "失敗する"}},
	} {
		if got := wrapped(tc.text, 8); !slices.Equal(got, tc.want) {
			t.Errorf("%q: %q, want %q", tc.text, got, tc.want)
		}
	}
}

func TestEmojiNeverOverflow(t *testing.T) {
	for _, s := range []string{"👩🏽‍💻👨‍👩‍👧‍👦🏳️‍🌈 emoji only", "❤️❤️❤️❤️", "🇩🇪🇫🇷🇯🇵", "👍🏽 ok"} {
		for width := 1; width < 12; width++ {
			if got := cutTo(s, width); cells(got) > width {
				t.Errorf("%q cut to %d takes %d cells: %q", s, width, cells(got), got)
			}
		}
	}
}

func TestOutputFormatIsFoundInFaultyArguments(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"items", "--nope", "-o", "json"}, "json"},
		{[]string{"--output=yaml", "x"}, "yaml"},
		{[]string{"-ojson"}, "json"},
		{[]string{"-o=ndjson"}, "ndjson"},
		{[]string{"--output", "json"}, "json"},
		{[]string{"--output"}, ""},
		{[]string{"-o", "xml"}, ""},
		{[]string{"--only", "json"}, ""},
		{[]string{"connections", "show", "json"}, ""},
		{nil, ""},
	} {
		if got := outputArg(tc.args); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.args, got, tc.want)
		}
	}
}

func TestGroundOfTerminals(t *testing.T) {
	for in, want := range map[string]ground{
		"": unknownGround, "15": unknownGround, "15;default": unknownGround, "15;0": darkGround, "7;8": darkGround,
		"0;15": lightGround, "0;7": lightGround, "0;default;15": lightGround, "12;8": darkGround, "0;9": lightGround,
	} {
		if got := groundOf(in); got != want {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
}

// panics is a command tree with a fault of our own.
type panics struct{}

func (panics) ExecuteContext(context.Context) error { panic("secret-in-a-panic") }

func TestPanicIsToldWithoutAStack(t *testing.T) {
	var errs bytes.Buffer
	c := newCommandLine(IO{Out: io.Discard, Err: &errs})
	code := c.fail(t.Context(), c.run(t.Context(), panics{}))
	if code != 1 || strings.Contains(errs.String(), "goroutine") || strings.Contains(errs.String(), "secret-in") || !strings.Contains(errs.String(), "request id") {
		t.Errorf("code %d, %q", code, errs.String())
	}
}

func TestUncodedErrorOfACommandIsOurOwnFault(t *testing.T) {
	var errs bytes.Buffer
	c := newCommandLine(IO{Out: io.Discard, Err: &errs})
	root := group("x", "X", "y")
	root.RunE = func(*cobra.Command, []string) error { return io.ErrUnexpectedEOF }
	root.SetArgs(nil)
	root.SilenceErrors, root.SilenceUsage = true, true
	codeErrors(root)
	if code := c.fail(t.Context(), c.run(t.Context(), root)); code != 1 || strings.Contains(errs.String(), "EOF") {
		t.Errorf("code %d, %q", code, errs.String())
	}
}

func TestErrorsOfSeveralLinesTakeOne(t *testing.T) {
	var errs bytes.Buffer
	c := newCommandLine(IO{Out: io.Discard, Err: &errs})
	c.fail(t.Context(), connectors.Errorf(connectors.ProviderError, "first\nsecond\x1b[2J"))
	if got := errs.String(); got != "error: first second\ufffd[2J\n" {
		t.Errorf("%q", got)
	}
}
