package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/unified-connector/ucf/connectors"
)

func TestConfig(t *testing.T) {
	ok := func(changes map[string]any) map[string]any {
		raw := map[string]any{"host": "db.example.com", "database": "app", "user": "ucf", "password": "hunter2"}
		for k, v := range changes {
			raw[k] = v
		}
		return raw
	}
	ca, _ := authority(t)
	tests := map[string]struct {
		raw  map[string]any
		want []string // faulty fields; none for a good configuration
		text string
	}{
		"least":                {raw: ok(nil)},
		"dsn":                  {raw: map[string]any{"dsn": "postgres://u:hunter2@h/d"}},
		"dsn and password":     {raw: map[string]any{"dsn": "postgres://u@h/d", "password": "hunter2"}},
		"dsn and same host":    {raw: map[string]any{"dsn": "postgres://u:hunter2@h:5433/d", "host": "h", "port": 5433}},
		"dsn against host":     {raw: map[string]any{"dsn": "postgres://u:hunter2@h/d", "host": "other"}, want: []string{"dsn"}, text: "contradicts host"},
		"bad dsn alone":        {raw: map[string]any{"dsn": "postgres://u:hunter2@a,b/d"}, want: []string{"dsn"}, text: "several hosts"},
		"dsn without user":     {raw: map[string]any{"dsn": "postgres://h/d"}, want: []string{"user", "password"}},
		"dsn as number":        {raw: map[string]any{"dsn": 5}, want: []string{"dsn"}},
		"prefer":               {raw: ok(map[string]any{"sslmode": "prefer"}), want: []string{"sslmode"}, text: "fall back to plaintext"},
		"allow":                {raw: ok(map[string]any{"sslmode": "allow"}), want: []string{"sslmode"}, text: "fall back to plaintext"},
		"unknown mode":         {raw: ok(map[string]any{"sslmode": "on"}), want: []string{"sslmode"}},
		"socket":               {raw: ok(map[string]any{"host": "/tmp"}), want: []string{"host"}},
		"port 0":               {raw: ok(map[string]any{"port": 0}), want: []string{"port"}},
		"port 65536":           {raw: ok(map[string]any{"port": 65536}), want: []string{"port"}},
		"root cert":            {raw: ok(map[string]any{"ssl_root_cert": ca})},
		"root cert, one line":  {raw: ok(map[string]any{"ssl_root_cert": strings.ReplaceAll(ca, "\n", `\n`)})},
		"root cert, file":      {raw: ok(map[string]any{"ssl_root_cert": "/etc/passwd"}), want: []string{"ssl_root_cert"}, text: "file name"},
		"root cert, cut off":   {raw: ok(map[string]any{"ssl_root_cert": ca[:200]}), want: []string{"ssl_root_cert"}},
		"root cert, key":       {raw: ok(map[string]any{"ssl_root_cert": strings.ReplaceAll(ca, "CERTIFICATE", "PRIVATE KEY")}), want: []string{"ssl_root_cert"}},
		"change columns":       {raw: ok(map[string]any{"updated_columns": []any{`public.a=x`, `"o=d.d".b=y`}})},
		"change columns, text": {raw: ok(map[string]any{"updated_columns": "public.a=x, public.b="})},
		"change column, bare":  {raw: ok(map[string]any{"updated_columns": []any{"a=x"}}), want: []string{"updated_columns"}},
		"change column, none":  {raw: ok(map[string]any{"updated_columns": []any{"public.a"}}), want: []string{"updated_columns"}},
		"long channel":         {raw: ok(map[string]any{"notify_channel": strings.Repeat("é", 32)}), want: []string{"notify_channel"}, text: "63 bytes"},
		"unknown field":        {raw: ok(map[string]any{"sslcert": "x"}), want: []string{"sslcert"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := Definition.ParseConfig(tt.raw)
			if len(tt.want) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				if again, err := Definition.ParseConfig(merge(c)); err != nil || !again.SameDestination(c) {
					t.Errorf("what is stored of it does not read back: %v", err)
				}
				return
			}
			if err == nil {
				t.Fatal("it was taken")
			}
			e := wantCode(t, err, connectors.InvalidRequest)
			var got []string
			for _, f := range e.Details["fields"].([]connectors.Fault) {
				got = append(got, f.Field)
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) || !strings.Contains(e.Message, tt.text) || strings.Contains(e.Message, "hunter2") {
				t.Errorf("got faults in %v: %s; want %v and %q", got, e.Message, tt.want, tt.text)
			}
		})
	}
}

// merge returns the configuration as it comes back from the store.
func merge(c connectors.Config) map[string]any {
	raw := c.Public()
	for k, s := range c.Secrets() {
		raw[k] = s.Reveal()
	}
	return raw
}

func TestDestination(t *testing.T) {
	parse := func(changes map[string]any) connectors.Config {
		raw := map[string]any{"host": "h", "database": "d", "user": "u", "password": "p"}
		for k, v := range changes {
			raw[k] = v
		}
		c, err := Definition.ParseConfig(raw)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	base := parse(nil)
	ca, _ := authority(t)
	for name, change := range map[string]any{"host": "other", "port": 1, "sslmode": "disable", "ssl_root_cert": ca} {
		if base.SameDestination(parse(map[string]any{name: change})) {
			t.Errorf("a change of %s does not demand the password again", name)
		}
	}
	if !base.SameDestination(parse(map[string]any{"updated_column": "x"})) {
		t.Error("a change of updated_column demands the password again")
	}
}

// TestNewIsPure opens a driver whose dialler fails the test.
func TestNewIsPure(t *testing.T) {
	c, err := Definition.ParseConfig(map[string]any{"dsn": "postgres://u:hunter2@h/d"})
	if err != nil {
		t.Fatal(err)
	}
	dial := func(context.Context, string, string) (net.Conn, error) {
		t.Error("New dialled")
		return nil, errors.New("no")
	}
	d, err := Definition.New(connectors.Env{Config: c, Dial: dial})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(verb, d); strings.Contains(s, "hunter2") {
			t.Errorf("%s tells the password", verb)
		}
		if s := fmt.Sprintf(verb, d.(*Driver).pool.to); strings.Contains(s, "hunter2") {
			t.Errorf("%s of the target tells the password", verb)
		}
	}
	if err := d.(*Driver).Close(); err != nil {
		t.Error(err)
	}
	_, err = d.Probe(t.Context())
	wantCode(t, err, connectors.Unavailable)
}

func TestCapabilities(t *testing.T) {
	got := fmt.Sprint(Definition.Capabilities())
	if want := "[containers items updatedAfter query]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := Definition.ParseConfig(withSecret(Definition.Example())); err != nil {
		t.Errorf("the example is refused: %v", err)
	}
}

func withSecret(raw map[string]any) map[string]any {
	raw["password"] = "x"
	return raw
}
