package cli

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/unified-connector/ucf/internal/webpage"
)

const testState = "the-state-of-this-flow"

// startCallback serves a callback on a free port until the test ends.
func startCallback(t *testing.T) *callback {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := serveCallback(ln, "Test <App>", testState)
	t.Cleanup(b.close)
	return b
}

// ask sends a request with a Host of its own over a connection of its own.
func ask(t *testing.T, b *callback, method, target, host string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", b.host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\n\r\n", method, target, host)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return resp
}

func text(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCallbackRefusesWhatIsNotItsOwn(t *testing.T) {
	b := startCallback(t)
	good := "/callback?code=c&state=" + testState
	for name, tc := range map[string]struct {
		method, target, host string
		want                 int
	}{
		"another name":     {"GET", good, "evil.example", 421},
		"a rebound name":   {"GET", good, "evil.example:" + strings.TrimPrefix(b.host, "127.0.0.1:"), 421},
		"another port":     {"GET", good, "127.0.0.1:1", 421},
		"localhost":        {"GET", good, strings.Replace(b.host, "127.0.0.1", "localhost", 1), 421},
		"another path":     {"GET", "/callback/x?code=c&state=" + testState, b.host, 404},
		"the root":         {"GET", "/", b.host, 404},
		"an icon":          {"GET", "/favicon.ico", b.host, 404},
		"POST":             {"POST", good, b.host, 405},
		"HEAD":             {"HEAD", good, b.host, 405},
		"no state":         {"GET", "/callback?code=c", b.host, 400},
		"foreign state":    {"GET", "/callback?code=c&state=" + strings.ToUpper(testState), b.host, 400},
		"longer state":     {"GET", good + "x", b.host, 400},
		"state twice":      {"GET", good + "&state=" + testState, b.host, 400},
		"code twice":       {"GET", good + "&code=d", b.host, 400},
		"no code":          {"GET", "/callback?state=" + testState, b.host, 400},
		"code and error":   {"GET", good + "&error=access_denied", b.host, 400},
		"error, no state":  {"GET", "/callback?error=access_denied", b.host, 400},
		"state in another": {"GET", "/callback?code=c&STATE=" + testState, b.host, 400},
		"markup":           {"GET", "/callback?state=%3Cscript%3Ealert(1)%3C/script%3E&code=%3Cscript%3E", b.host, 400},
	} {
		t.Run(name, func(t *testing.T) {
			resp := ask(t, b, tc.method, tc.target, tc.host)
			body := text(t, resp)
			if resp.StatusCode != tc.want {
				t.Errorf("status %d, want %d", resp.StatusCode, tc.want)
			}
			if strings.Contains(body, "<script") || strings.Contains(body, testState) || strings.Contains(body, "<App>") {
				t.Errorf("the page shows what it must not: %s", body)
			}
			if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
				t.Errorf("content security policy %q", csp)
			}
		})
	}
	select {
	case got := <-b.came:
		t.Errorf("one of them was taken for the return: %+v", got)
	default:
	}
}

func TestCallbackAnswersWhenTheFlowEnds(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	b := startCallback(t)
	const browsers = 5
	pages := make(chan string, browsers)
	var wg sync.WaitGroup
	for range browsers { // the same return, several times: a reloaded page, a second window
		wg.Go(func() { pages <- text(t, ask(t, b, "GET", "/callback?code=the-code&state="+testState, b.host)) })
	}
	if got := <-b.came; got.code != "the-code" || got.refused != "" {
		t.Errorf("got %+v", got)
	}
	select {
	case p := <-pages:
		t.Fatalf("a page before the flow ended: %s", p)
	default:
	}
	b.show(webpage.Page{Status: 200, Kind: webpage.OK, Title: "Jira is connected", Facts: []webpage.Fact{{Name: "Account", Value: "<b>Priya</b> & Co"}}})
	b.show(webpage.Page{Status: 200, Kind: webpage.Bad, Title: "A later answer"})
	wg.Wait()
	for range browsers {
		if p := <-pages; !strings.Contains(p, "Jira is connected") || !strings.Contains(p, "&lt;b&gt;Priya&lt;/b&gt; &amp; Co") || strings.Contains(p, "later") {
			t.Errorf("the page is %s", p)
		}
	}
	b.close()
}

func TestCallbackEndsWithAPage(t *testing.T) {
	b := startCallback(t)
	done := make(chan string)
	go func() { done <- text(t, ask(t, b, "GET", "/callback?error=access_denied&state="+testState, b.host)) }()
	if got := <-b.came; got.refused != "access_denied" {
		t.Errorf("got %+v", got)
	}
	b.close() // the command was interrupted
	if p := <-done; !strings.Contains(p, "has ended") {
		t.Errorf("the page is %s", p)
	}
	if conn, err := net.Dial("tcp", b.host); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
}

func TestPageHasItsOwnStyleOnly(t *testing.T) {
	b := startCallback(t)
	resp := ask(t, b, "GET", "/", b.host)
	body := text(t, resp)
	style, _, _ := strings.Cut(strings.SplitAfterN(body, "<style>", 2)[1], "</style>")
	sum := sha256.Sum256([]byte(style))
	if want := base64.StdEncoding.EncodeToString(sum[:]); !strings.Contains(resp.Header.Get("Content-Security-Policy"), "'sha256-"+want+"'") {
		t.Errorf("the style sheet does not have the hash of the policy %s", resp.Header.Get("Content-Security-Policy"))
	}
	for _, bad := range []string{"<script", "http:", "https:", "style=", " on"} {
		if _, markup, _ := strings.Cut(body, "<body>"); strings.Contains(markup, bad) && bad != " on" {
			t.Errorf("the page holds %q", bad)
		}
	}
	for header, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"} {
		if got := resp.Header.Get(header); got != want {
			t.Errorf("%s is %q, want %q", header, got, want)
		}
	}
}

func TestReadPasted(t *testing.T) {
	opened := "https://auth.example.com/authorize?client_id=x&state=" + testState
	back := "http://127.0.0.1:8976/callback"
	for name, tc := range map[string]struct {
		text, code, refused string
		fault               string
	}{
		"the address":           {back + "?code=abc&state=" + testState, "abc", "", ""},
		"with more":             {"  <" + back + "?state=" + testState + "&code=a%2Fb%3D&iss=x#_=_> ", "a/b=", "", ""},
		"in quotes":             {`"` + back + "?code=abc&state=" + testState + `"`, "abc", "", ""},
		"the query":             {"?code=abc&state=" + testState, "abc", "", ""},
		"the query, bare":       {"code=abc&state=" + testState, "abc", "", ""},
		"the code":              {"abc.def-_=", "abc.def-_=", "", ""},
		"denied":                {back + "?error=access_denied&state=" + testState, "", "access_denied", ""},
		"another flow's":        {back + "?code=abc&state=another", "", "", "another one's"},
		"without state":         {back + "?code=abc", "", "", "no state"},
		"the address to open":   {opened, "", "", "is the one to open"},
		"one like it":           {opened + "&prompt=consent", "", "", "no code"},
		"nothing":               {"  ", "", "", "is empty"},
		"prose":                 {"I approved it", "", "", "without spaces"},
		"an address of nothing": {back, "", "", "no state"},
		"broken escapes":        {back + "?code=%zz&state=" + testState, "", "", "whole address"},
		"control characters":    {"abc\x1b[2Jdef", "", "", "without spaces"},
	} {
		t.Run(name, func(t *testing.T) {
			got, fault := readPasted(tc.text, opened, testState)
			if got.code != tc.code || got.refused != tc.refused || (fault == "") != (tc.fault == "") || !strings.Contains(fault, tc.fault) {
				t.Errorf("got %+v, fault %q, want code %q, refused %q, fault %q", got, fault, tc.code, tc.refused, tc.fault)
			}
		})
	}
}

func FuzzReadPasted(f *testing.F) {
	f.Add("http://127.0.0.1:8976/callback?code=abc&state=" + testState)
	f.Add("?code=a&code=b&state=" + testState)
	f.Add("abc")
	f.Fuzz(func(t *testing.T, in string) {
		got, fault := readPasted(in, "https://auth.example.com/authorize", testState)
		if fault == "" && (got.code == "") == (got.refused == "") {
			t.Errorf("neither code nor refusal, or both: %+v", got)
		}
		if q, err := url.ParseQuery(strings.TrimPrefix(in, "?")); err == nil && q.Get("state") != "" && q.Get("state") != testState && fault == "" && strings.HasPrefix(in, "?") {
			t.Errorf("the state of another flow is taken: %q", in)
		}
	})
}
