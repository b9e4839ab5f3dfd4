package secret

import (
	"encoding/json"

	"github.com/unified-connector/ucf/connectors"
)

// sealedFields is the plaintext of a sealed credential: its secrets by field name.
type sealedFields struct {
	Fields map[string]string `json:"fields"`
}

// Purpose names the token record that a credential belongs to.
func Purpose(tenant, tokenID string) string { return "token|" + tenant + "|" + tokenID }

// SealFields seals the secrets of a token record.
func SealFields(s connectors.Sealer, tenant, tokenID string, fields map[string]connectors.Secret) (string, error) {
	plain := sealedFields{Fields: map[string]string{}}
	for name, v := range fields {
		plain.Fields[name] = v.Reveal()
	}
	b, err := json.Marshal(plain)
	if err != nil {
		return "", connectors.Wrap(connectors.Internal, err, "a credential does not encode")
	}
	return s.Seal(Purpose(tenant, tokenID), b)
}

// OpenFields returns the secrets of a token record by field name. What does not open, and what was sealed for another
// record, is internal.
func OpenFields(s connectors.Sealer, tenant, tokenID, sealed string) (map[string]connectors.Secret, error) {
	b, err := s.Open(Purpose(tenant, tokenID), sealed)
	if err != nil {
		return nil, err
	}
	var plain sealedFields
	if err := json.Unmarshal(b, &plain); err != nil {
		return nil, connectors.Errorf(connectors.Internal, "the sealed credential of %s makes no sense", tokenID)
	}
	out := make(map[string]connectors.Secret, len(plain.Fields))
	for name, v := range plain.Fields {
		out[name] = connectors.NewSecret(v)
	}
	return out, nil
}
