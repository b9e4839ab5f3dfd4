package app_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/app"
	"github.com/unified-connector/ucf/internal/config"
	"github.com/unified-connector/ucf/internal/sandbox"
	"github.com/unified-connector/ucf/internal/service"
)

// matrixFaults are what goes wrong, from the second request of a listing on where AFTER is put in.
var matrixFaults = []struct{ name, fault string }{
	{"slow", "latency=20ms"},
	{"hang", "hang,AFTER,count=8"},
	{"reset", "reset,AFTER"},
	{"reset once", "reset,AFTER,count=1"},
	{"cut off", "cut,AFTER"},
	{"cut off once", "cut,AFTER,count=1"},
	{"half the JSON", "truncate,AFTER"},
	{"login page", "html,AFTER"},
	{"as a stranger", "anonymous,AFTER"},
	{"400", "400,AFTER"},
	{"401", "401,AFTER"},
	{"403", "403,AFTER"},
	{"404", "404,AFTER"},
	{"410", "410,AFTER"},
	{"429 once", "429,AFTER,count=1"},
	{"429", "429,AFTER,retry-after=120"},
	{"500 once", "500,AFTER,count=1"},
	{"500", "500,AFTER"},
	{"502", "502,AFTER"},
	{"503", "503,AFTER"},
	{"504", "504,AFTER"},
	{"the same page again", "repeat-token"},
	{"expired page", "expire-token"},
	{"empty page", "empty-page,count=1"},
}

// matrixCase is one listing of one connector.
type matrixCase struct {
	connector, what string
	ask             func(t *testing.T, s *service.Service, in service.ListIn, got map[string]bool) (gaps int, err error)
}

func into[T any](got map[string]bool, id func(T) string, gaps *int) func(connectors.Page[T]) error {
	return func(p connectors.Page[T]) error {
		for _, v := range p.Items {
			got[id(v)] = true
		}
		*gaps += len(p.Incomplete)
		return nil
	}
}

func matrixCases(connector, container, item string) []matrixCase {
	return []matrixCase{
		{connector, "list", func(t *testing.T, s *service.Service, in service.ListIn, got map[string]bool) (gaps int, err error) {
			return gaps, s.EachContainerPage(t.Context(), "acme", service.ContainersIn{ListIn: in}, true, into(got, func(c connectors.Container) string { return c.ID }, &gaps))
		}},
		{connector, "page", func(t *testing.T, s *service.Service, in service.ListIn, got map[string]bool) (gaps int, err error) {
			return gaps, s.EachItemPage(t.Context(), "acme", service.ItemsIn{ListIn: in, ContainerID: container}, true, into(got, func(i connectors.Item) string { return i.ID }, &gaps))
		}},
		{connector, "comment", func(t *testing.T, s *service.Service, in service.ListIn, got map[string]bool) (gaps int, err error) {
			return gaps, s.EachCommentPage(t.Context(), "acme", service.CommentsIn{ListIn: in, ItemID: item}, true, into(got, func(k connectors.Comment) string { return k.ID }, &gaps))
		}},
	}
}

// matrixSubjects names a connector, a container with many items and an item with many comments.
func matrixSubjects(t *testing.T, url string) []matrixCase {
	t.Helper()
	a := build(t, t.TempDir(), true)
	page, err := a.Service.Items(t.Context(), "acme", service.ItemsIn{ListIn: list("confluence", configOf("confluence", url)), ContainerID: "ENG"})
	if err != nil || len(page.Items) < 3 {
		t.Fatal(len(page.Items), err)
	}
	cases := matrixCases("jira", "PAY", "PAY-3")
	cases = append(cases, matrixCases("confluence", "ENG", page.Items[2].ID)...)
	return append(cases, matrixCases("salesforce", "Contact", bigCase(t, a, url))...)
}

// bigCase returns a Salesforce case with many comments.
func bigCase(t *testing.T, a *app.App, url string) string {
	t.Helper()
	in := list("salesforce", configOf("salesforce", url))
	page, err := a.Service.Items(t.Context(), "acme", service.ItemsIn{ListIn: in, ContainerID: "Case"})
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range page.Items[:min(len(page.Items), 60)] {
		in := in
		in.Limit = 5
		comments, err := a.Service.Comments(t.Context(), "acme", service.CommentsIn{ListIn: in, ItemID: it.ID})
		if err != nil {
			t.Fatal(err)
		}
		if len(comments.Items) == 5 {
			return it.ID
		}
	}
	t.Fatal("no case has five comments")
	return ""
}

// TestFaultMatrix meets every listing with every fault. What comes out is an error, a gap that is named, or everything: a
// success with fewer rows never. PostgreSQL has a matrix of its own beside its connector.
func TestFaultMatrix(t *testing.T) {
	o := sandbox.Options{Issues: 900, Projects: 12, Pages: 500, Spaces: 12, Records: 300}
	cases := matrixSubjects(t, newSandbox(t, o))
	var mu sync.Mutex
	var wg sync.WaitGroup
	table := map[string]map[string]string{}
	places := make(chan struct{}, 60) // most of the time a cell waits between tries
	for _, c := range cases {
		healthy := map[string]bool{}
		in := matrixIn(c, newSandbox(t, o))
		if gaps, err := c.ask(t, patient(t).Service, in, healthy); err != nil || gaps > 0 || len(healthy) < 2 {
			t.Fatalf("%s %s without a fault: %d entries, %d gaps, %v", c.connector, c.what, len(healthy), gaps, err)
		}
		for _, f := range matrixFaults {
			places <- struct{}{}
			wg.Go(func() {
				defer func() { <-places }()
				outcome := matrixCell(t, c, o, f.fault, healthy)
				mu.Lock()
				defer mu.Unlock()
				if table[f.name] == nil {
					table[f.name] = map[string]string{}
				}
				table[f.name][c.connector+" "+c.what] = outcome
			})
		}
	}
	wg.Wait()
	t.Log("\n" + matrixTable(cases, table))
}

func matrixIn(c matrixCase, url string) service.ListIn {
	in := list(c.connector, configOf(c.connector, url))
	in.Limit = 4 // several pages of everything
	if c.what == "page" {
		in.Limit = 25
	}
	return in
}

// patient is ucf with a short time for one request.
func patient(t *testing.T) *app.App {
	t.Helper()
	home := t.TempDir()
	cfg, err := config.Load(config.Source{Environ: []string{"HOME=" + home, "XDG_CONFIG_HOME=" + home + "/c", "XDG_DATA_HOME=" + home + "/d", "APPDATA=" + home + "/c", "LOCALAPPDATA=" + home + "/d"}})
	if err != nil {
		t.Fatal(err)
	}
	a := app.Build(cfg, app.Options{Operator: true, Version: "test", Timeout: 3 * time.Second})
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// matrixCell runs one listing under one fault and tells what came out. A listing that succeeds has to be whole.
func matrixCell(t *testing.T, c matrixCase, o sandbox.Options, fault string, want map[string]bool) string {
	t.Helper()
	url := newSandbox(t, o, strings.Replace(fault, "AFTER", "after=1", 1))
	got := map[string]bool{}
	gaps, err := c.ask(t, patient(t).Service, matrixIn(c, url), got)
	missing := 0
	for id := range want {
		if !got[id] {
			missing++
		}
	}
	switch {
	case err != nil:
		if code := connectors.CodeOf(err); code == connectors.Internal {
			t.Errorf("%s %s, %s: an error of our own: %v", c.connector, c.what, fault, err)
		}
		return string(connectors.CodeOf(err))
	case gaps > 0:
		return fmt.Sprintf("%d gaps", gaps)
	case missing > 0:
		t.Errorf("%s %s, %s: success with %d of %d entries", c.connector, c.what, fault, len(want)-missing, len(want))
		return "SILENT LOSS"
	}
	return "all"
}

// matrixTable returns what came out, a line for each fault.
func matrixTable(cases []matrixCase, table map[string]map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-20s", "fault")
	for _, c := range cases {
		fmt.Fprintf(&b, " %-18s", c.connector+" "+c.what)
	}
	for _, name := range slices.Sorted(maps.Keys(table)) {
		fmt.Fprintf(&b, "\n%-20s", name)
		for _, c := range cases {
			fmt.Fprintf(&b, " %-18s", table[name][c.connector+" "+c.what])
		}
	}
	return b.String()
}
