package cli

import (
	"bufio"
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// browserMain is the browser of the scenarios, as UCF_BROWSER starts it: `browser approve|deny ADDRESS` opens the
// address, presses that button of the form it finds, follows the redirects, and leaves the page it ends at in
// $BROWSER_PAGE. `browser close ADDRESS` does nothing.
func browserMain() {
	if err := surf(os.Args[1], os.Args[len(os.Args)-1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func surf(answer, address string) error {
	if answer == "close" {
		return nil
	}
	page, _, err := consentAt(&http.Client{Timeout: 20 * time.Second}, answer, address)
	if err != nil {
		return err
	}
	return os.WriteFile(os.Getenv("BROWSER_PAGE"), []byte(page), 0o600)
}

// overSSHMain is `ucf connect CONNECTOR --no-browser …` with a person at it whose browser is on another machine: it
// cannot open the address that it ends at, which is copied to the terminal.
func overSSHMain() {
	cmd := exec.Command("ucf", append([]string{"connect", "--no-browser", "--deadline", "30s"}, os.Args[1:]...)...)
	cmd.Stdout = os.Stdout
	in, err := cmd.StdinPipe()
	if err != nil {
		panic(err)
	}
	errs, err := cmd.StderrPipe()
	if err != nil {
		panic(err)
	}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	for lines := bufio.NewScanner(errs); lines.Scan(); {
		fmt.Fprintln(os.Stderr, lines.Text())
		if !strings.Contains(lines.Text(), "/authorize?") {
			continue
		}
		stay := func(r *http.Request, _ []*http.Request) error {
			if r.URL.Path == callbackPath {
				return http.ErrUseLastResponse
			}
			return nil
		}
		_, at, err := consentAt(&http.Client{Timeout: 20 * time.Second, CheckRedirect: stay}, "approve", strings.TrimSpace(lines.Text()))
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(in, at)
	}
	if cmd.Wait() != nil {
		os.Exit(cmd.ProcessState.ExitCode())
	}
}

// consentAt opens an address, presses the button of the form there, and returns the page and the address it ends at.
func consentAt(client *http.Client, answer, address string) (page string, at *url.URL, err error) {
	client.Jar, _ = cookiejar.New(nil)
	page, at, err = visit(client, http.MethodGet, address, nil)
	if err != nil {
		return "", nil, err
	}
	if f, ok := formOf(page, answer); ok {
		action, err := at.Parse(f.action)
		if err != nil {
			return "", nil, err
		}
		if f.method == http.MethodGet {
			action.RawQuery = f.values.Encode()
			f.values = nil
		}
		return visit(client, f.method, action.String(), f.values)
	}
	return page, at, nil
}

// visit loads a page and returns it with the address that the redirects led to.
func visit(client *http.Client, method, address string, form url.Values) (page string, at *url.URL, err error) {
	req, err := http.NewRequestWithContext(context.Background(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", nil, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	at = resp.Request.URL
	if to, err := resp.Location(); err == nil {
		at = to
	}
	b, err := io.ReadAll(resp.Body)
	return string(b), at, err
}

// form is a form of a page, filled in as a person does who presses one of its buttons.
type form struct {
	method, action string
	values         url.Values
}

var (
	forms    = regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	inputs   = regexp.MustCompile(`(?is)<input\b([^>]*)>`)
	buttons  = regexp.MustCompile(`(?is)<button\b([^>]*)>(.*?)</button>`)
	attrs    = regexp.MustCompile(`(?is)([a-z-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+)))?`)
	meanings = map[string]*regexp.Regexp{"approve": regexp.MustCompile(`(?i)approve|allow|accept`), "deny": regexp.MustCompile(`(?i)deny|cancel|decline`)}
)

func attributes(s string) map[string]string {
	out := map[string]string{}
	for _, m := range attrs.FindAllStringSubmatch(s, -1) {
		out[strings.ToLower(m[1])] = html.UnescapeString(m[2] + m[3] + m[4])
	}
	return out
}

// formOf finds the form with the button that means an answer.
func formOf(page, answer string) (form, bool) {
	for _, m := range forms.FindAllStringSubmatch(page, -1) {
		f := form{method: http.MethodGet, values: url.Values{}}
		a := attributes(m[1])
		f.action = a["action"]
		if strings.EqualFold(a["method"], "post") {
			f.method = http.MethodPost
		}
		for _, in := range inputs.FindAllStringSubmatch(m[2], -1) {
			a := attributes(in[1])
			_, checked := a["checked"]
			if t := a["type"]; t != "submit" && (checked || t != "checkbox" && t != "radio") {
				f.values.Add(a["name"], a["value"])
			}
		}
		for _, b := range buttons.FindAllStringSubmatch(m[2], -1) {
			a := attributes(b[1])
			if meanings[answer].MatchString(a["value"] + " " + b[2]) {
				f.values.Add(a["name"], a["value"])
				return f, true
			}
		}
	}
	return form{}, false
}

func TestBrowserCommand(t *testing.T) {
	if os.PathSeparator != '/' {
		t.Skip("needs a shell")
	}
	dir := t.TempDir()
	script := filepath.Join(dir, "open")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho noise; echo noise >&2; printf '%s|' \"$@\" >"+dir+"/opened\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	address := "https://example.com/authorize?a=1&b=%20%22;touch+" + dir + "/hacked;$(touch " + dir + "/hacked)"
	for name, tc := range map[string]struct {
		environ []string
		want    string
	}{
		"BROWSER":            {[]string{"BROWSER=" + script}, address + "|"},
		"UCF_BROWSER first":  {[]string{"BROWSER=/nonexistent", "UCF_BROWSER=" + script + " --new"}, "--new|" + address + "|"},
		"the place is named": {[]string{"BROWSER=" + script + " --url=%s -x"}, "--url=" + address + "|-x|"},
	} {
		if err := browserOf(IO{Environ: tc.environ})(t.Context(), address); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "opened")); err != nil || string(got) != tc.want {
			t.Errorf("%s: opened with %q, %v, want %q", name, got, err, tc.want)
		}
	}
	for _, broken := range []string{"/nonexistent/browser", " "} {
		if err := browserOf(IO{Environ: []string{"BROWSER=" + broken}})(t.Context(), address); err == nil {
			t.Errorf("%q is said to have opened it", broken)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "hacked")); err == nil {
		t.Error("a shell has read the address")
	}
}
