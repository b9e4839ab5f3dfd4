package connectortest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
)

// gcmSealer seals cursors for the time of a test.
type gcmSealer struct{ aead cipher.AEAD }

func newSealer() gcmSealer {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return gcmSealer{aead}
}

// strict refuses a text that another one decodes like.
var strict = base64.RawURLEncoding.Strict()

// Seal implements [connectors.Sealer].
func (s gcmSealer) Seal(purpose string, plain []byte) (string, error) {
	return strict.EncodeToString(s.aead.Seal(nil, nil, plain, []byte(purpose))), nil
}

// Open implements [connectors.Sealer].
func (s gcmSealer) Open(purpose, sealed string) ([]byte, error) {
	data, err := strict.DecodeString(sealed)
	if err != nil {
		return nil, err
	}
	if len(data) < s.aead.Overhead() {
		return nil, errors.New("too short")
	}
	return s.aead.Open(nil, nil, data, []byte(purpose))
}
