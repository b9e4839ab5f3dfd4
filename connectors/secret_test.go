package connectors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// holder keeps secrets where fmt cannot call their methods.
type holder struct {
	name   string
	secret Secret
	list   []Secret
	byName map[string]Secret
	any    any
	inner  struct{ deep Secret }
	Public Secret
	link   *Secret
}

func TestSecretDoesNotShow(t *testing.T) {
	const value = "t0p-s3cret"
	s := NewSecret(value)
	h := holder{"x", s, []Secret{s}, map[string]Secret{"k": s}, s, struct{ deep Secret }{s}, s, &s}
	c, err := sampleDefinition().ParseConfig(sampleConfig(nil))
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{
		"secret": s, "pointer": &s, "holder": h, "pointer to holder": &h, "slice": []Secret{s}, "map": map[string]Secret{"k": s},
		"any": []any{s}, "config": c, "pointer to config": &c, "secrets": c.Secrets(), "public": c.Public(),
		"env": Env{Config: c}, "options": &Options{Env: Env{Config: c}},
		"error": &Error{Code: Internal, Message: "m", Details: map[string]any{"s": s}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, verb := range "vTtbcdoOqxXUeEfFgGspw" {
				for _, flags := range []string{"", "+", "#", "#+", " ", "-20.3", "0"} {
					format := "%" + flags + string(verb)
					if text := fmt.Sprintf(format, v); shows(text, value) {
						t.Errorf("%s gives %s", format, text)
					}
				}
			}
			if data, err := json.Marshal(v); err == nil && shows(string(data), value) {
				t.Errorf("JSON: %s", data)
			}
			var log bytes.Buffer
			slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", v, slog.Group("g", "v", v))
			slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "v", v, slog.Group("g", "v", v))
			if shows(log.String(), value) {
				t.Errorf("log: %s", &log)
			}
		})
	}
}

// shows looks for a value as text, as hexadecimal digits and as bytes.
func shows(text, value string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, value) || strings.Contains(text, fmt.Sprintf("%x", value)) ||
		strings.Contains(text, strings.Trim(fmt.Sprintf("%d", []byte(value)), "[]"))
}

func TestShowsFindsLeaks(t *testing.T) {
	for _, text := range []string{"a t0p-s3cret b", fmt.Sprintf("%X", "t0p-s3cret"), fmt.Sprintf("%d", []byte("t0p-s3cret"))} {
		if !shows(text, "t0p-s3cret") {
			t.Errorf("%q is not found", text)
		}
	}
}

func TestSecretMarshals(t *testing.T) {
	s := NewSecret("t0p-s3cret")
	for name, marshal := range map[string]func() ([]byte, error){
		"JSON": s.MarshalJSON, "text": s.MarshalText,
		"JSON field": func() ([]byte, error) { return json.Marshal(struct{ S Secret }{s}) },
		"JSON key":   func() ([]byte, error) { return json.Marshal(map[Secret]int{s: 1}) },
	} {
		if data, err := marshal(); err != nil || !strings.Contains(string(data), redacted) || shows(string(data), "t0p-s3cret") {
			t.Errorf("%s: got %s and error %v", name, data, err)
		}
	}
	if got := s.String() + s.GoString() + s.LogValue().String(); got != redacted+redacted+redacted {
		t.Errorf("got %s", got)
	}
}

func TestSecretReads(t *testing.T) {
	var v struct{ A, B, C Secret }
	if err := json.Unmarshal([]byte(`{"A":"a\u00e4\"b","B":"","C":null}`), &v); err != nil {
		t.Fatal(err)
	}
	if v.A.Reveal() != "aä\"b" || !v.B.IsZero() || !v.C.IsZero() || v.A.IsZero() {
		t.Errorf("got %q, %q, %q", v.A.Reveal(), v.B.Reveal(), v.C.Reveal())
	}
	err := json.Unmarshal([]byte(`{"A":["t0p-s3cret"]}`), &v)
	if err == nil || shows(err.Error(), "t0p-s3cret") {
		t.Errorf("a list: got %v", err)
	}
}

func TestSecretEqual(t *testing.T) {
	a, b, zero := NewSecret("a"), NewSecret("b"), Secret{}
	if !a.Equal(NewSecret("a")) || a.Equal(b) || a.Equal(zero) || !zero.Equal(NewSecret("")) {
		t.Error("Equal does not compare the values")
	}
}
