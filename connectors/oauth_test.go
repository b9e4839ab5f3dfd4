package connectors

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
)

func TestOAuthErrors(t *testing.T) {
	dead := OAuthErrors{"invalid_grant", "unauthorized_client:refresh_token"}
	for _, tt := range []struct {
		code, description string
		want              bool
	}{
		{"invalid_grant", "", true},
		{"invalid_grant", "Unknown or invalid refresh token.", true},
		{"INVALID_GRANT", "", true},
		{"unauthorized_client", "refresh_token is invalid", true},
		{"unauthorized_client", "The REFRESH_TOKEN is invalid", true},
		{"unauthorized_client", "", false},
		{"unauthorized_client", "the client may not do this", false},
		{"invalid_client", "refresh_token", false},
		{"invalid", "", false},
		{"", "", false},
	} {
		if got := dead.Match(tt.code, tt.description); got != tt.want {
			t.Errorf("%s (%s): got %v, want %v", tt.code, tt.description, got, tt.want)
		}
	}
	if OAuthErrors(nil).Match("invalid_grant", "") {
		t.Error("no error at all matches")
	}
}

// twoMethods is a definition whose methods want different fields.
func twoMethods() *Definition {
	p := &OAuthProvider{ID: "sample", Name: "Sample"}
	return &Definition{
		ID: "two", Name: "Two",
		Fields: append([]Field{
			{Name: "base_url", Kind: KindURL, Required: true, Destination: true, Methods: []string{"api_key", "oauth2"}},
			{Name: "api_email", Kind: KindString, Required: true, Methods: []string{"api_key"}},
			{Name: "api_token", Kind: KindSecret, Required: true, Methods: []string{"api_key"}},
			{Name: "cloud_id", Kind: KindString, Methods: []string{"oauth2"}, Pattern: "[a-z]+"},
		}, OAuthFields(p)...),
		Auth: []AuthMethod{{ID: "api_key", Secret: "api_token"}, {ID: MethodOAuth, Secret: "access_token", OAuth: &OAuth{Provider: p}}},
	}
}

// TestSchemaOfTwoMethods expects the schema to take and to refuse what ParseConfig does.
func TestSchemaOfTwoMethods(t *testing.T) {
	data, err := json.Marshal(twoMethods().Schema())
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	key := map[string]any{"base_url": "https://a.example.com", "api_email": "a@example.com", "api_token": "secret"}
	oauth := map[string]any{"auth_method": "oauth2", "base_url": "https://a.example.com", "access_token": "secret"}
	with := func(m map[string]any, name string, v any) map[string]any {
		out := maps.Clone(m)
		out[name] = v
		return out
	}
	without := func(m map[string]any, name string) map[string]any {
		out := maps.Clone(m)
		delete(out, name)
		return out
	}
	for name, tt := range map[string]struct {
		raw  map[string]any
		want bool
	}{
		"default method":              {key, true},
		"named default method":        {with(key, "auth_method", "api_key"), true},
		"key without token":           {without(key, "api_token"), false},
		"key without address":         {without(key, "base_url"), false},
		"key with another's secret":   {with(key, "access_token", "x"), false},
		"key with another's field":    {with(key, "cloud_id", "abc"), false},
		"OAuth":                       {oauth, true},
		"OAuth with everything":       {with(with(oauth, "cloud_id", "abc"), "refresh_token", "x"), true},
		"OAuth without token":         {without(oauth, "access_token"), false},
		"OAuth without address":       {without(oauth, "base_url"), false},
		"OAuth with another's secret": {with(oauth, "api_token", "x"), false},
		"unknown method":              {with(oauth, "auth_method", "magic"), false},
		"unknown field":               {with(oauth, "magic", "x"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fits(schema, tt.raw); got != tt.want {
				t.Errorf("the schema: got %v, want %v", got, tt.want)
			}
			if _, err := twoMethods().ParseConfig(tt.raw); (err == nil) != tt.want {
				t.Errorf("ParseConfig: got %v, want %v", err, tt.want)
			}
		})
	}
	if p := schema["properties"].(map[string]any)["cloud_id"].(map[string]any)["pattern"]; p != "^(?:[a-z]+)$" {
		t.Errorf("pattern: got %v", p)
	}
}

// fits reports whether a value validates against as much of JSON Schema as is used here beyond the kinds of fields.
func fits(schema, v any) bool {
	s, ok := schema.(map[string]any)
	if !ok {
		return schema == true
	}
	if object, ok := v.(map[string]any); ok && !fitsObject(s, object) {
		return false
	}
	if c, ok := s["const"]; ok && c != v {
		return false
	}
	if e, ok := s["enum"].([]any); ok && !slices.Contains(e, v) {
		return false
	}
	for _, sub := range list(s["allOf"]) {
		if !fits(sub, v) {
			return false
		}
	}
	if cond, ok := s["if"]; ok && fits(cond, v) {
		return fits(s["then"], v)
	}
	return true
}

func fitsObject(s, object map[string]any) bool {
	props, _ := s["properties"].(map[string]any)
	for name, v := range object {
		sub, known := props[name]
		if known && !fits(sub, v) || !known && s["additionalProperties"] == false {
			return false
		}
	}
	for _, name := range list(s["required"]) {
		if _, ok := object[fmt.Sprint(name)]; !ok {
			return false
		}
	}
	return true
}

func list(v any) []any { l, _ := v.([]any); return l }

func TestSchemaOfOneMethod(t *testing.T) {
	d := twoMethods()
	d.Auth = d.Auth[1:]
	s := d.Schema()
	if got, want := fmt.Sprint(s["required"]), "[base_url access_token]"; got != want || s["allOf"] != nil {
		t.Errorf("required %s, allOf %v, want %s and none", got, s["allOf"], want)
	}
}

func TestFieldsOfTwoMethods(t *testing.T) {
	for method, want := range map[string]string{
		"api_key": "[base_url api_email api_token]",
		"oauth2":  "[base_url cloud_id access_token refresh_token client_id client_secret scopes]",
	} {
		var got []string
		for _, f := range twoMethods().FieldsOf(method) {
			got = append(got, f.Name)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: got %v, want %s", method, got, want)
		}
	}
}

func TestPattern(t *testing.T) {
	for value, want := range map[string]string{
		"abc": "", "": "", "abc1": "cloud_id", "ab/c": "cloud_id", "..": "cloud_id", "1abc": "cloud_id", "abc\nabc": "cloud_id",
	} {
		_, err := twoMethods().ParseConfig(map[string]any{
			"auth_method": "oauth2", "base_url": "https://a.example.com", "access_token": "x", "cloud_id": value,
		})
		got := fmt.Sprint(faultyNames(t, err))
		if want == "" && err != nil || want != "" && got != "["+want+"]" {
			t.Errorf("%q: got faults in %s, want %q", value, got, want)
		}
	}
}

// TestDestinationOfUnusedField expects that a field of another method is no destination.
func TestDestinationOfUnusedField(t *testing.T) {
	d := twoMethods()
	d.Fields[0].Methods = []string{"api_key"}
	d.Fields = append(d.Fields, Field{Name: "instance_url", Kind: KindURL, Required: true, Destination: true, Methods: []string{"oauth2"}})
	c, err := d.ParseConfig(map[string]any{"auth_method": "oauth2", "instance_url": "https://b.example.com", "access_token": "x"})
	if err != nil {
		t.Fatal(err)
	}
	if field, address := c.Destination(); field != "instance_url" || address != "https://b.example.com" {
		t.Errorf("got %s at %s", field, address)
	}
}
