package connectors

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sampleDefinition has a field of every kind.
func sampleDefinition() *Definition {
	return &Definition{
		ID: "sample", Name: "Sample", Group: GroupSaaS,
		Fields: []Field{
			{Name: "base_url", Label: "Address", Kind: KindURL, Required: true, Destination: true, Example: "https://sample.example.com"},
			{Name: "host", Label: "Host", Kind: KindHost},
			{Name: "port", Label: "Port", Kind: KindInt, Default: "443", Min: 1, Max: 65535, Destination: true, Example: "443"},
			{Name: "offset", Label: "Offset", Kind: KindInt},
			{Name: "email", Label: "E-mail", Kind: KindString, Required: true, Methods: []string{"api_key"}, Example: "you@example.com"},
			{Name: "token", Label: "Token", Kind: KindSecret, Required: true},
			{Name: "mode", Label: "Mode", Kind: KindString, Default: "full", Enum: []string{"full", "fast"}, Example: "full"},
			{Name: "wide", Label: "Wide", Kind: KindBool, Default: "false"},
			{Name: "scopes", Label: "Scopes", Kind: KindList, Required: true, Methods: []string{"oauth2"}, Destination: true, Example: "read,write"},
		},
		Auth: []AuthMethod{
			{ID: "api_key", Scheme: SchemeBasic, User: "email", Secret: "token"},
			{ID: "oauth2", Scheme: SchemeBearer, Secret: "token"},
		},
	}
}

// sampleConfig returns a complete configuration, with changes; a nil value removes the field.
func sampleConfig(changes map[string]any) map[string]any {
	raw := map[string]any{"base_url": "https://sample.example.com", "email": "you@example.com", "token": "t0p-s3cret"}
	for k, v := range changes {
		raw[k] = v
		if v == nil {
			delete(raw, k)
		}
	}
	return raw
}
