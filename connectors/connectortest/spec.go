package connectortest

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

var (
	idForm    = regexp.MustCompile(`^[a-z][a-z0-9]*$`)
	snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	camelCase = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9]*$`)
)

// prose reports what is wrong with a text for people.
func prose(tb TB, what, s string) {
	tb.Helper()
	if s == "" || s != strings.TrimSpace(s) {
		tb.Errorf("%s is empty or not trimmed: %q", what, s)
	}
}

func checkIdentity(tb TB, s *Suite) {
	tb.Helper()
	d := s.Definition
	if !idForm.MatchString(d.ID) {
		tb.Errorf("ID %q is not lower case", d.ID)
	}
	prose(tb, "Name", d.Name)
	prose(tb, "Summary", d.Summary)
	if !strings.HasSuffix(d.Summary, ".") || strings.Contains(d.Summary, "\n") {
		tb.Errorf("Summary is not one sentence: %q", d.Summary)
	}
	if strings.TrimSpace(d.Help) == "" {
		tb.Errorf("Help is empty")
	}
	prose(tb, "Container", d.Container)
	prose(tb, "Item", d.Item)
	if d.Group != connectors.GroupSaaS && d.Group != connectors.GroupDB {
		tb.Errorf("Group %q is unknown", d.Group)
	}
	if d.ItemKey != "" && !camelCase.MatchString(d.ItemKey) {
		tb.Errorf("ItemKey %q is no name of a meta attribute", d.ItemKey)
	}
}

func checkFields(tb TB, s *Suite) {
	tb.Helper()
	names := map[string]bool{"auth_method": true}
	for _, f := range s.Definition.Fields {
		if names[f.Name] || !snakeCase.MatchString(f.Name) {
			tb.Errorf("field %q is not snake_case, or its name is taken", f.Name)
		}
		names[f.Name] = true
		prose(tb, "Label of "+f.Name, f.Label)
		prose(tb, "Help of "+f.Name, f.Help)
		for _, m := range f.Methods {
			if _, ok := s.Definition.Method(m); !ok {
				tb.Errorf("field %s is for the unknown auth method %q", f.Name, m)
			}
		}
		checkField(tb, s, f)
	}
	if _, err := json.Marshal(s.Definition.Schema()); err != nil {
		tb.Errorf("Schema is not JSON: %v", err)
	}
}

func checkField(tb TB, s *Suite, f connectors.Field) {
	tb.Helper()
	switch f.Kind {
	case connectors.KindString, connectors.KindURL, connectors.KindHost, connectors.KindInt, connectors.KindBool, connectors.KindList:
	case connectors.KindSecret:
		if f.Default != "" || f.Example != "" || len(f.Enum) > 0 {
			tb.Errorf("the secret %s has a default, an example or an enumeration", f.Name)
		}
	default:
		tb.Errorf("field %s is of the unknown kind %q", f.Name, f.Kind)
	}
	checkDemands(tb, f)
	checkOwnValues(tb, s, f)
}

// checkDemands checks what a field demands of its value.
func checkDemands(tb TB, f connectors.Field) {
	tb.Helper()
	if f.Required && f.Default != "" {
		tb.Errorf("field %s is required and has a default", f.Name)
	}
	if f.Required && f.Example == "" && f.Kind != connectors.KindSecret {
		tb.Errorf("field %s is required and has no example", f.Name)
	}
	if f.Min > f.Max || (f.Min != 0 || f.Max != 0) && f.Kind != connectors.KindInt {
		tb.Errorf("field %s has bounds that make no sense", f.Name)
	}
}

// checkOwnValues checks that a field takes its own default, example and enumeration.
func checkOwnValues(tb TB, s *Suite, f connectors.Field) {
	tb.Helper()
	alone := *s.Definition
	alone.Expand = nil
	f.Shorthand, f.Methods = false, nil
	alone.Fields = []connectors.Field{f}
	for _, v := range append([]string{f.Default, f.Example}, f.Enum...) {
		if v == "" {
			continue
		}
		if _, err := alone.ParseConfig(map[string]any{f.Name: v}); err != nil {
			tb.Errorf("field %s refuses its own default, example or enumeration: %v", f.Name, err)
		}
	}
}

func checkAuth(tb TB, s *Suite) {
	tb.Helper()
	if len(s.Definition.Auth) == 0 {
		tb.Fatalf("there is no auth method")
	}
	ids := map[string]bool{}
	for _, m := range s.Definition.Auth {
		if ids[m.ID] || !snakeCase.MatchString(m.ID) {
			tb.Errorf("auth method %q is not snake_case, or its id is taken", m.ID)
		}
		ids[m.ID] = true
		prose(tb, "Name of "+m.ID, m.Name)
		prose(tb, "Help of "+m.ID, m.Help)
		checkMethod(tb, s, m)
	}
	if destination(s) == "" {
		tb.Errorf("no field is the destination of the secrets")
	}
}

func checkMethod(tb TB, s *Suite, m connectors.AuthMethod) {
	tb.Helper()
	fields := s.Definition.FieldsOf(m.ID)
	secret := slices.IndexFunc(fields, func(f connectors.Field) bool { return f.Name == m.Secret })
	if secret < 0 || fields[secret].Kind != connectors.KindSecret {
		tb.Errorf("auth method %s: Secret %q is no secret field of it", m.ID, m.Secret)
	}
	hasUser := slices.ContainsFunc(fields, func(f connectors.Field) bool { return f.Name == m.User })
	switch m.Scheme {
	case connectors.SchemeBasic:
		if !hasUser {
			tb.Errorf("auth method %s: User %q is no field of it", m.ID, m.User)
		}
	case connectors.SchemeBearer, connectors.SchemeDriver:
		if m.User != "" && !hasUser {
			tb.Errorf("auth method %s: User %q is no field of it", m.ID, m.User)
		}
	default:
		tb.Errorf("auth method %s: scheme %q is unknown", m.ID, m.Scheme)
	}
}

// destination returns the name of the field that names where secrets go.
func destination(s *Suite) string {
	for _, f := range s.Definition.Fields {
		if f.Destination && !f.Shorthand && (f.Kind == connectors.KindURL || f.Kind == connectors.KindHost) {
			return f.Name
		}
	}
	return ""
}

func checkCapabilities(tb TB, s *Suite) {
	tb.Helper()
	caps := s.Definition.Capabilities()
	for i, c := range caps {
		if slices.Contains(caps[:i], c) {
			tb.Errorf("capability %q is named twice", c)
		}
	}
	_, lists := s.Definition.Driver.(connectors.ItemLister)
	for _, f := range s.Definition.Filters {
		if f != connectors.CapUpdatedAfter && f != connectors.CapQuery || !lists {
			tb.Errorf("the filter %q is unknown, or there are no items to filter", f)
		}
	}
	if len(s.Containers) > 0 != slices.Contains(caps, connectors.CapContainers) ||
		len(s.Items) > 0 != slices.Contains(caps, connectors.CapItems) ||
		len(s.Comments) > 0 != slices.Contains(caps, connectors.CapComments) ||
		len(s.Commented) > 0 != can[connectors.CommentedLister](s) {
		tb.Errorf("the suite has entries for what the driver cannot list, or none for what it can: %v", caps)
	}
}

func checkDriverType(tb TB, s *Suite) {
	tb.Helper()
	declared := reflect.ValueOf(s.Definition.Driver)
	if declared.Kind() != reflect.Pointer || !declared.IsNil() {
		tb.Fatalf("Definition.Driver is no nil pointer but %T", s.Definition.Driver)
	}
	l := newLab(tb, s)
	for _, m := range s.Definition.AuthMethods() {
		if got := reflect.TypeOf(l.driver(m)); got != declared.Type() {
			tb.Errorf("New returns a %v for %s, Definition.Driver is a %v", got, m, declared.Type())
		}
	}
}
