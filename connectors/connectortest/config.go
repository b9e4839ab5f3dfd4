package connectortest

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// offline is the address in configurations that are only checked.
func (s *Suite) offline(method string) map[string]any {
	if s.Harness != nil {
		return s.Config(method, "127.0.0.1:4711")
	}
	return s.Config(method, "http://127.0.0.1:4711")
}

// faultyFields parses a configuration and returns the fields that are named as faulty. A panic is reported.
func faultyFields(tb TB, s *Suite, raw map[string]any) []string {
	tb.Helper()
	_, err := parse(s, raw)
	if err == nil {
		return nil
	}
	var e *connectors.Error
	if !errors.As(err, &e) || e.Code != connectors.InvalidRequest {
		tb.Errorf("a faulty configuration: got %v, want %s", err, connectors.InvalidRequest)
		return nil
	}
	faults, _ := e.Details["fields"].([]connectors.Fault)
	var names []string
	for _, f := range faults {
		if f.Message == "" {
			tb.Errorf("the fault of %s has no message", f.Field)
		}
		names = append(names, f.Field)
	}
	return names
}

func parse(s *Suite, raw map[string]any) (c connectors.Config, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return s.Definition.ParseConfig(raw)
}

// minSecret is the length from which a secret can be told from other text.
const minSecret = 12

func checkCompleteConfig(tb TB, s *Suite) {
	tb.Helper()
	for _, m := range s.Definition.Auth {
		raw := s.offline(m.ID)
		before := fmt.Sprint(raw)
		c, err := parse(s, raw)
		if err != nil {
			tb.Errorf("%s: a complete configuration is refused: %v", m.ID, err)
			continue
		}
		if after := fmt.Sprint(raw); after != before {
			tb.Errorf("%s: parsing changed the configuration that it was given", m.ID)
		}
		if c.AuthMethod().ID != m.ID {
			tb.Errorf("%s: the configuration is for %s", m.ID, c.AuthMethod().ID)
		}
		if field, address := c.Destination(); field != destination(s) || m.OAuth == nil && !strings.Contains(address, "127.0.0.1") {
			tb.Errorf("%s: the destination is %q at %q", m.ID, field, address)
		}
		checkSecretsOf(tb, m, c)
		checkStored(tb, s, c)
	}
	checkExample(tb, s)
}

func checkSecretsOf(tb TB, m connectors.AuthMethod, c connectors.Config) {
	tb.Helper()
	public := fmt.Sprint(c.Public())
	for name, secret := range c.Secrets() {
		if v := secret.Reveal(); len(v) < minSecret || strings.Contains(public, v) {
			tb.Errorf("%s: the test's secret %s is under %d bytes long, or part of another value", m.ID, name, minSecret)
		}
	}
	if _, ok := c.Secrets()[m.Secret]; !ok {
		tb.Errorf("%s: its secret %s has no value", m.ID, m.Secret)
	}
}

// checkStored checks that what is stored of a configuration reads as the same one.
func checkStored(tb TB, s *Suite, c connectors.Config) {
	tb.Helper()
	stored := c.Public()
	for name, secret := range c.Secrets() {
		stored[name] = secret.Reveal()
	}
	again, err := parse(s, stored)
	if err != nil {
		tb.Errorf("%s: what is stored of the configuration is refused: %v", c.AuthMethod().ID, err)
		return
	}
	if got, want := fmt.Sprint(again.Public()), fmt.Sprint(c.Public()); got != want {
		tb.Errorf("%s: the stored configuration reads as %s, want %s", c.AuthMethod().ID, got, want)
	}
}

func checkExample(tb TB, s *Suite) {
	tb.Helper()
	if _, err := parse(s, s.Definition.Example()); err != nil {
		tb.Errorf("the definition's own example is refused: %v", err)
	}
}

func checkRequired(tb TB, s *Suite) {
	tb.Helper()
	for _, m := range s.Definition.AuthMethods() {
		for _, f := range s.Definition.FieldsOf(m) {
			if !f.Required {
				continue
			}
			for what, change := range map[string]func(map[string]any){
				"absent": func(raw map[string]any) { delete(raw, f.Name) },
				"null":   func(raw map[string]any) { raw[f.Name] = nil },
				"empty":  func(raw map[string]any) { raw[f.Name] = "" },
				"blank":  func(raw map[string]any) { raw[f.Name] = "  " },
			} {
				raw := s.offline(m)
				change(raw)
				if !slices.Contains(faultyFields(tb, s, raw), f.Name) {
					tb.Errorf("%s: %s is %s and not named as faulty", m, f.Name, what)
				}
			}
		}
	}
}

func checkUnknownField(tb TB, s *Suite) {
	tb.Helper()
	for _, m := range s.Definition.AuthMethods() {
		for _, name := range []string{"no_such_field", "Base_URL", "", "\x00"} {
			raw := s.offline(m)
			raw[name] = "x"
			if !slices.Contains(faultyFields(tb, s, raw), name) {
				tb.Errorf("%s: the unknown field %q is not named as faulty", m, name)
			}
		}
	}
}

// hostileValues are values that no field takes.
var hostileValues = map[string]any{
	"NUL":           "a\x00b",
	"line end":      "a\r\nX-Injected: 1",
	"invalid UTF-8": "a\xff\xfeb",
	"object":        map[string]any{"a": 1},
	"nested list":   []any{[]any{"x"}},
	"1 MiB":         strings.Repeat("a", 1<<20),
}

func checkHostileValues(tb TB, s *Suite) {
	tb.Helper()
	for _, m := range s.Definition.AuthMethods() {
		for _, f := range s.Definition.FieldsOf(m) {
			for _, what := range slices.Sorted(maps.Keys(hostileValues)) {
				raw := s.offline(m)
				raw[f.Name] = hostileValues[what]
				if !slices.Contains(faultyFields(tb, s, raw), f.Name) {
					tb.Errorf("%s: %s takes a value with %s", m, f.Name, what)
				}
			}
		}
	}
}

func checkURL(tb TB, s *Suite) {
	tb.Helper()
	for _, m := range s.Definition.AuthMethods() {
		for _, f := range s.Definition.FieldsOf(m) {
			if f.Kind == connectors.KindURL {
				checkURLField(tb, s, m, f.Name)
			}
		}
	}
}

func checkURLField(tb TB, s *Suite, method, field string) {
	tb.Helper()
	given, _ := s.offline(method)[field].(string)
	u, err := url.Parse(given)
	if err != nil || given == "" {
		return
	}
	base := u.Scheme + "://" + u.Host
	for _, bad := range []string{
		u.Scheme + "://user:pass@" + u.Host, base + "?a=b", base + "/?", base + "#top", base + "/#", u.Host,
		"ftp://" + u.Host, "file:///etc/passwd", "javascript:alert(1)", u.Scheme + "://", "//" + u.Host, base + ":99999",
	} {
		raw := s.offline(method)
		raw[field] = bad
		if !slices.Contains(faultyFields(tb, s, raw), field) {
			tb.Errorf("%s: %s takes %q", method, field, bad)
		}
	}
	for good, want := range map[string]string{
		base + "/": base, base + "//": base, base + "/ctx": base + "/ctx", base + "/ctx/": base + "/ctx", base + "/a/b": base + "/a/b",
	} {
		raw := s.offline(method)
		raw[field] = good
		c, err := parse(s, raw)
		if err != nil {
			tb.Errorf("%s: %s refuses %q: %v", method, field, good, err)
			continue
		}
		if got := c.String(field); got != want {
			tb.Errorf("%s: %s reads %q as %q, want %q", method, field, good, got, want)
		}
	}
}

// checkContextPath serves the system below a path and expects every request there.
func checkContextPath(tb TB, s *Suite) {
	tb.Helper()
	if s.Harness != nil {
		tb.Fatalf("a harness has no path: skip the row")
	}
	const path = "/context/path"
	l := newLabOf(tb, s, s.Handler, path)
	c := l.open()
	defer l.release(c)
	for _, op := range s.operations() {
		if _, err := l.ask(op, c, op.first(s)); err != nil {
			tb.Errorf("%s of a system below a path: %v", op.name, err)
		}
	}
	for _, r := range l.sys.(*httpSystem).requested() {
		if !strings.HasPrefix(r.path, path+"/") {
			tb.Errorf("%s %s leaves the context path %s", r.method, r.path, path)
		}
	}
}
