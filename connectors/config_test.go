package connectors

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// faultyNames returns the fields that an error names, and fails for another kind of error.
func faultyNames(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var e *Error
	if !errors.As(err, &e) || e.Code != InvalidRequest {
		t.Fatalf("got %v, want %s", err, InvalidRequest)
	}
	var names []string
	for _, f := range e.Details["fields"].([]Fault) {
		names = append(names, f.Field)
		if f.Message == "" || !strings.Contains(e.Message, f.Field+": "+f.Message) {
			t.Errorf("the message %q does not tell the fault of %s, %q", e.Message, f.Field, f.Message)
		}
	}
	slices.Sort(names)
	return names
}

func TestParseConfigFaults(t *testing.T) {
	oauth := map[string]any{"auth_method": "oauth2", "email": nil, "scopes": "read"}
	with := func(base, more map[string]any) map[string]any {
		out := maps.Clone(base)
		maps.Copy(out, more)
		return out
	}
	for name, tt := range map[string]struct {
		change map[string]any
		want   []string
	}{
		"complete":                   {nil, nil},
		"oauth2":                     {oauth, nil},
		"nothing":                    {map[string]any{"base_url": nil, "email": nil, "token": nil}, []string{"base_url", "email", "token"}},
		"all at once":                {map[string]any{"base_url": "x", "port": 0, "token": "", "mode": "slow", "wide": "maybe", "nope": 1}, []string{"base_url", "mode", "nope", "port", "token", "wide"}},
		"unknown auth method":        {map[string]any{"auth_method": "magic", "nope": 1}, []string{"auth_method", "nope"}},
		"auth method is no text":     {map[string]any{"auth_method": 5}, []string{"auth_method"}},
		"empty auth method":          {map[string]any{"auth_method": ""}, nil},
		"another method's field":     {map[string]any{"scopes": "read"}, []string{"scopes"}},
		"another method's, empty":    {map[string]any{"scopes": ""}, nil},
		"list, missing":              {with(oauth, map[string]any{"scopes": nil}), []string{"scopes"}},
		"list, empty":                {with(oauth, map[string]any{"scopes": []any{}}), []string{"scopes"}},
		"list, empty texts":          {with(oauth, map[string]any{"scopes": []string{}}), []string{"scopes"}},
		"list, of texts":             {with(oauth, map[string]any{"scopes": []string{"a", "b"}}), nil},
		"list, of JSON":              {with(oauth, map[string]any{"scopes": []any{"a", "b"}}), nil},
		"list, of numbers":           {with(oauth, map[string]any{"scopes": []any{1}}), []string{"scopes"}},
		"list, with a blank":         {with(oauth, map[string]any{"scopes": "a,,b"}), []string{"scopes"}},
		"list, with a line end":      {with(oauth, map[string]any{"scopes": []any{"a\nb"}}), []string{"scopes"}},
		"list, number":               {with(oauth, map[string]any{"scopes": 5}), []string{"scopes"}},
		"int, text":                  {map[string]any{"port": "8080"}, nil},
		"int, JSON":                  {map[string]any{"port": 8080.0}, nil},
		"int, JSON number":           {map[string]any{"port": json.Number("8080")}, nil},
		"int, fraction":              {map[string]any{"port": 80.5}, []string{"port"}},
		"int, NaN":                   {map[string]any{"port": math.NaN()}, []string{"port"}},
		"int, infinite":              {map[string]any{"offset": math.Inf(1)}, []string{"offset"}},
		"int, huge":                  {map[string]any{"offset": 1e300}, []string{"offset"}},
		"int, overflow":              {map[string]any{"offset": json.Number("99999999999999999999")}, []string{"offset"}},
		"int, below":                 {map[string]any{"port": 0}, []string{"port"}},
		"int, above":                 {map[string]any{"port": 65536}, []string{"port"}},
		"int, unbounded":             {map[string]any{"offset": -7}, nil},
		"int, bool":                  {map[string]any{"port": true}, []string{"port"}},
		"int, blank around":          {map[string]any{"port": " 80 "}, []string{"port"}},
		"bool, text":                 {map[string]any{"wide": "true"}, nil},
		"bool, JSON":                 {map[string]any{"wide": true}, nil},
		"bool, other":                {map[string]any{"wide": "yes"}, []string{"wide"}},
		"bool, object":               {map[string]any{"wide": map[string]any{}}, []string{"wide"}},
		"text, number":               {map[string]any{"email": 5}, []string{"email"}},
		"text, NUL":                  {map[string]any{"email": "a\x00"}, []string{"email"}},
		"text, line end":             {map[string]any{"email": "a\r\nX: y"}, []string{"email"}},
		"text, C1 control":           {map[string]any{"email": "a\u0085b"}, []string{"email"}},
		"text, invalid UTF-8":        {map[string]any{"email": "a\xff"}, []string{"email"}},
		"text, blank":                {map[string]any{"email": " \u00a0 "}, []string{"email"}},
		"text, as long as may be":    {map[string]any{"email": strings.Repeat("a", maxValueLen)}, nil},
		"text, too long":             {map[string]any{"email": strings.Repeat("a", maxValueLen+1)}, []string{"email"}},
		"text, beyond ASCII":         {map[string]any{"email": "ä🦆@example.com"}, nil},
		"enum":                       {map[string]any{"mode": "fast"}, nil},
		"enum, other case":           {map[string]any{"mode": "FAST"}, []string{"mode"}},
		"secret, NUL":                {map[string]any{"token": "a\x00b"}, []string{"token"}},
		"secret, pasted line end":    {map[string]any{"token": "abc\n"}, []string{"token"}},
		"secret, with tab and quote": {map[string]any{"token": "a\t\"b'"}, nil},
		"secret, invalid UTF-8":      {map[string]any{"token": "\xff"}, []string{"token"}},
		"secret, number":             {map[string]any{"token": 12345}, []string{"token"}},
		"secret, null":               {map[string]any{"token": any(nil)}, []string{"token"}},
		"host, with port":            {map[string]any{"host": "h:1"}, []string{"host"}},
		"host, IPv6":                 {map[string]any{"host": "2001:db8::1"}, nil},
		"host, IPv6 in brackets":     {map[string]any{"host": "[2001:db8::1]"}, []string{"host"}},
		"host, with a path":          {map[string]any{"host": "a/b"}, []string{"host"}},
		"host, dots":                 {map[string]any{"host": "a..b"}, []string{"host"}},
		"host, only dots":            {map[string]any{"host": ".."}, []string{"host"}},
		"host, two trailing dots":    {map[string]any{"host": "a.."}, []string{"host"}},
		"host, leading dot":          {map[string]any{"host": ".a"}, []string{"host"}},
		"host, long label":           {map[string]any{"host": strings.Repeat("a", 64)}, []string{"host"}},
		"host, long":                 {map[string]any{"host": strings.Repeat("a.", 127) + "a"}, []string{"host"}},
		"host, socket":               {map[string]any{"host": "/var/run"}, []string{"host"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sampleDefinition().ParseConfig(sampleConfig(tt.change))
			if got := faultyNames(t, err); !slices.Equal(got, tt.want) {
				t.Errorf("got faults in %v (%v), want %v", got, err, tt.want)
			}
		})
	}
	if _, err := sampleDefinition().ParseConfig(nil); len(faultyNames(t, err)) != 3 {
		t.Errorf("no configuration at all: got %v", err)
	}
}

func TestParseConfigValues(t *testing.T) {
	scopes := []string{"a", "b"}
	raw := sampleConfig(map[string]any{"auth_method": "oauth2", "email": nil, "scopes": scopes, "host": "DB.Example.com.", "wide": "1"})
	c, err := sampleDefinition().ParseConfig(raw)
	if err != nil {
		t.Fatal(err)
	}
	scopes[0] = "changed later"
	if got := c.List("scopes"); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("List: got %v", got)
	}
	if c.AuthMethod().ID != "oauth2" || c.Definition().ID != "sample" {
		t.Errorf("got method %s of %s", c.AuthMethod().ID, c.Definition().ID)
	}
	if c.Int("port") != 443 || !c.Bool("wide") || c.String("mode") != "full" || c.String("host") != "db.example.com" {
		t.Errorf("got %v", c.Public())
	}
	if c.Has("offset") || c.Int("offset") != 0 || !c.Has("port") || c.Has("email") {
		t.Error("Has does not tell what was given")
	}
	if got := c.Secret("token").Reveal(); got != "t0p-s3cret" {
		t.Errorf("Secret: got %q", got)
	}
	want := map[string]any{
		"auth_method": "oauth2", "base_url": "https://sample.example.com", "host": "db.example.com", "port": 443,
		"mode": "full", "wide": true, "scopes": []string{"a", "b"},
	}
	if got := c.Public(); !reflect.DeepEqual(got, want) {
		t.Errorf("Public: got %v, want %v", got, want)
	}
	if got := c.Secrets(); len(got) != 1 || got["token"].Reveal() != "t0p-s3cret" {
		t.Errorf("Secrets: got %d of them", len(got))
	}
	defer func() {
		if recover() == nil {
			t.Error("a misspelt field reads as absent")
		}
	}()
	_ = c.String("tokn")
}

func TestURLs(t *testing.T) {
	for in, want := range map[string]string{
		"https://example.com":              "https://example.com",
		"https://example.com/":             "https://example.com",
		"https://example.com///":           "https://example.com",
		" https://example.com/jira/ ":      "https://example.com/jira",
		"https://Example.COM:8443/Jira/":   "https://example.com:8443/Jira",
		"HTTPS://example.com":              "https://example.com",
		"http://127.0.0.1:8090/acme":       "http://127.0.0.1:8090/acme",
		"http://[::1]:8090":                "http://[::1]:8090",
		"https://[2001:db8::1]/x":          "https://[2001:db8::1]/x",
		"https://xn--bcher-kva.example":    "https://xn--bcher-kva.example",
		"https://a_b.example.com":          "https://a_b.example.com",
		"https://example.com/a%2Fb/":       "https://example.com/a%2Fb",
		"https://user@example.com":         "",
		"https://user:pass@example.com":    "",
		"https://@example.com":             "",
		"https://example.com?a=b":          "",
		"https://example.com/?":            "",
		"https://example.com#":             "",
		"https://example.com/#x":           "",
		"example.com":                      "",
		"//example.com":                    "",
		"ftp://example.com":                "",
		"file:///etc/passwd":               "",
		"javascript:alert(1)":              "",
		"https:example.com":                "",
		"https:///x":                       "",
		"https://":                         "",
		"https://:443":                     "",
		"https://example.com:":             "",
		"https://example.com:0":            "",
		"https://example.com:65536":        "",
		"https://example.com:-1":           "",
		"https://example.com:http":         "",
		"https://bücher.example":           "",
		"https://exa mple.com":             "",
		"https://exa%6dple.com/":           "",
		"https://example.com\\@evil.com":   "",
		"https://[::1":                     "",
		"https://[fe80::1%25eth0]/":        "",
		"https://example..com":             "",
		"https://%00.com":                  "",
		"https://example.com/%zz":          "",
		"https://example.com/a\r\nHost: b": "",
	} {
		t.Run(in, func(t *testing.T) {
			c, err := sampleDefinition().ParseConfig(sampleConfig(map[string]any{"base_url": in}))
			if want == "" {
				if got := faultyNames(t, err); !slices.Equal(got, []string{"base_url"}) {
					t.Errorf("got %q, want a fault", c.values["base_url"])
				}
				return
			}
			if err != nil || c.String("base_url") != want {
				t.Errorf("got %v and error %v, want %q", c.values["base_url"], err, want)
			}
		})
	}
}

func TestURLFaultsDoNotRepeatPasswords(t *testing.T) {
	_, err := sampleDefinition().ParseConfig(sampleConfig(map[string]any{"base_url": "https://user:hunter2@example.com"}))
	if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "hunter2") {
		t.Error("the error shows the password")
	}
}

func TestDestination(t *testing.T) {
	parse := func(change map[string]any) Config {
		t.Helper()
		c, err := sampleDefinition().ParseConfig(sampleConfig(change))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	oauth := func(scopes ...any) map[string]any {
		return map[string]any{"auth_method": "oauth2", "email": nil, "scopes": scopes}
	}
	for name, tt := range map[string]struct {
		a, b map[string]any
		want bool
	}{
		"the same":                  {nil, nil, true},
		"another spelling":          {nil, map[string]any{"base_url": "https://SAMPLE.example.com/"}, true},
		"default and given":         {nil, map[string]any{"port": "443"}, true},
		"another user":              {nil, map[string]any{"email": "other@example.com"}, true},
		"another secret":            {nil, map[string]any{"token": "another"}, true},
		"another host":              {nil, map[string]any{"base_url": "https://evil.example.com"}, false},
		"another scheme":            {nil, map[string]any{"base_url": "http://sample.example.com"}, false},
		"another path":              {nil, map[string]any{"base_url": "https://sample.example.com/x"}, false},
		"another port":              {nil, map[string]any{"port": 444}, false},
		"lists that print the same": {oauth("a b"), oauth("a", "b"), false},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := parse(tt.a), parse(tt.b)
			if got := a.SameDestination(b); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if got := b.SameDestination(a); got != tt.want {
				t.Errorf("the other way round: got %v, want %v", got, tt.want)
			}
		})
	}
	if field, address := parse(nil).Destination(); field != "base_url" || address != "https://sample.example.com" {
		t.Errorf("Destination: got %s at %s", field, address)
	}
}

func TestHostDestination(t *testing.T) {
	d := &Definition{ID: "db", Auth: []AuthMethod{{ID: "password"}}, Fields: []Field{
		{Name: "host", Kind: KindHost, Destination: true},
		{Name: "port", Kind: KindInt, Default: "5432", Destination: true},
		{Name: "key", Kind: KindSecret, Destination: true},
	}}
	a, _ := d.ParseConfig(map[string]any{"host": "2001:db8::1", "key": "one"})
	b, _ := d.ParseConfig(map[string]any{"host": "2001:db8::1", "key": "two"})
	if field, address := a.Destination(); field != "host" || address != "[2001:db8::1]:5432" {
		t.Errorf("Destination: got %s at %s", field, address)
	}
	if a.SameDestination(b) {
		t.Error("two secret destinations are taken for one")
	}
}

func TestExpand(t *testing.T) {
	d := sampleDefinition()
	d.Fields = append(d.Fields, Field{Name: "dsn", Kind: KindSecret, Shorthand: true})
	d.Expand = func(raw map[string]any) (map[string]any, []Fault) {
		if raw["dsn"] == "bad" {
			return raw, []Fault{{"dsn", "is bad"}, {"base_url", "is unknown"}}
		}
		raw["base_url"] = raw["dsn"]
		return raw, nil
	}
	raw := sampleConfig(map[string]any{"base_url": nil, "dsn": "https://short.example.com"})
	c, err := d.ParseConfig(raw)
	if err != nil || c.String("base_url") != "https://short.example.com" || c.Has("dsn") || raw["base_url"] != nil {
		t.Errorf("got %v and error %v; given %v", c.values, err, raw)
	}
	_, err = d.ParseConfig(sampleConfig(map[string]any{"base_url": nil, "dsn": "bad", "port": 0}))
	if got := faultyNames(t, err); !slices.Equal(got, []string{"base_url", "dsn", "port"}) {
		t.Errorf("got faults in %v", got)
	}
	schema := d.Schema()
	if got, want := fmt.Sprint(schema["anyOf"]), "[map[required:[base_url token]] map[required:[dsn]]]"; got != want || schema["required"] != nil {
		t.Errorf("the schema demands %s and %v, want %s", got, schema["required"], want)
	}
}

func TestSchemaAndExample(t *testing.T) {
	data, err := json.Marshal(sampleDefinition().Schema())
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Required   []string
		Additional *bool `json:"additionalProperties"`
		Properties map[string]struct {
			Type     string
			Default  any
			Enum     []string
			Minimum  *int
			Maximum  *int
			Format   string
			Secret   bool `json:"x-secret"`
			Write    bool `json:"writeOnly"`
			Examples []any
			Methods  []string `json:"x-auth-methods"`
		}
	}
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Required, []string{"base_url", "token"}) || s.Additional == nil || *s.Additional {
		t.Errorf("required %v, additional %v", s.Required, s.Additional)
	}
	p := s.Properties
	if !p["token"].Secret || !p["token"].Write || p["token"].Examples != nil || p["base_url"].Secret {
		t.Errorf("secrets are not marked: %s", data)
	}
	if p["port"].Type != "integer" || p["port"].Default != 443.0 || *p["port"].Minimum != 1 || *p["port"].Maximum != 65535 || p["offset"].Minimum != nil {
		t.Errorf("numbers: %s", data)
	}
	if p["wide"].Type != "boolean" || p["wide"].Default != false || p["scopes"].Type != "array" || p["base_url"].Format != "uri" {
		t.Errorf("types: %s", data)
	}
	if !slices.Equal(p["mode"].Enum, []string{"full", "fast"}) || !slices.Equal(p["auth_method"].Enum, []string{"api_key", "oauth2"}) {
		t.Errorf("enumerations: %s", data)
	}
	if !slices.Equal(p["scopes"].Methods, []string{"oauth2"}) {
		t.Errorf("auth methods: %s", data)
	}
	example := sampleDefinition().Example()
	if _, err := sampleDefinition().ParseConfig(example); err != nil || example["token"] != "…" || example["scopes"] != nil {
		t.Errorf("the example %v gives %v", example, err)
	}
}

func FuzzURL(f *testing.F) {
	for _, s := range []string{"https://example.com/a/", "http://[::1]:80", "https://a..", "https://x:0443/%2F/", "https://h/?", "https://EXA%6dple.com"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, fault := parseURL(s)
		if fault != "" {
			return
		}
		again, fault := parseURL(v.(string))
		if fault != "" || again != v {
			t.Errorf("%q reads as %q, and that as %v %q", s, v, again, fault)
		}
		if strings.ContainsAny(v.(string), "?#\r\n\x00") {
			t.Errorf("%q reads as %q", s, v)
		}
	})
}

func FuzzHost(f *testing.F) {
	for _, s := range []string{"example.com.", "::1", "a..", ".", "EXAMPLE", "1.2.3.4", "xn--a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, fault := parseHost(s)
		if fault != "" {
			return
		}
		if again, fault := parseHost(v.(string)); fault != "" || again != v {
			t.Errorf("%q reads as %q, and that as %v %q", s, v, again, fault)
		}
	})
}
