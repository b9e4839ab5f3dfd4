// Package secret seals what ucf must keep secret with Fernet. A sealed text is bound to a purpose, which names the
// tenant and the record that it belongs to: moved to another record it does not open. Keys have ids, so that they
// can be rotated.
package secret

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/fernet/fernet-go"

	"github.com/unified-connector/ucf/connectors"
)

// Keeper seals with its first key and opens with all of them. It is safe for concurrent use.
type Keeper struct{ keys []key }

type key struct {
	id     string
	fernet *fernet.Key
}

// Parse returns a keeper for Fernet keys separated by commas, as ENCRYPTION_KEY holds them. A faulty key is
// invalid_request, told by its position and never by its text.
func Parse(keys connectors.Secret) (*Keeper, error) {
	k := &Keeper{}
	i := 0
	for s := range strings.SplitSeq(keys.Reveal(), ",") {
		i++
		fk, err := fernet.DecodeKey(strings.TrimSpace(s))
		if err != nil {
			return nil, connectors.Errorf(connectors.InvalidRequest,
				"ENCRYPTION_KEY: key %d of the list is not a Fernet key (32 bytes in URL-safe base64); `ucf keygen` makes one", i)
		}
		id := keyID(fk)
		if slices.ContainsFunc(k.keys, func(o key) bool { return o.id == id }) {
			return nil, connectors.Errorf(connectors.InvalidRequest, "ENCRYPTION_KEY: key %d of the list is there twice", i)
		}
		k.keys = append(k.keys, key{id, fk})
	}
	return k, nil
}

// Generate returns a new random Fernet key.
func Generate() (connectors.Secret, error) {
	var k fernet.Key
	if err := k.Generate(); err != nil {
		return connectors.Secret{}, connectors.Wrap(connectors.Internal, err, "no random bytes for a key")
	}
	return connectors.NewSecret(k.Encode()), nil
}

// keyID returns a name for the key that tells nothing of it.
func keyID(k *fernet.Key) string {
	sum := sha256.Sum256(append([]byte("ucf key id\x00"), k[:]...))
	return hex.EncodeToString(sum[:6])
}

// KeyID returns the id of the key that seals.
func (k *Keeper) KeyID() string { return k.keys[0].id }

// KeyIDs returns the ids of all keys, the sealing one first.
func (k *Keeper) KeyIDs() []string {
	ids := make([]string, len(k.keys))
	for i, key := range k.keys {
		ids[i] = key.id
	}
	return ids
}

// Seal returns plain as a Fernet token that only opens for the same purpose.
func (k *Keeper) Seal(purpose string, plain []byte) (string, error) {
	msg := binary.AppendUvarint(nil, uint64(len(purpose)))
	msg = append(msg, purpose...)
	msg = append(msg, plain...)
	tok, err := fernet.EncryptAndSign(msg, k.keys[0].fernet)
	if err != nil {
		return "", connectors.Wrap(connectors.Internal, err, "sealing failed")
	}
	return string(tok), nil
}

// Open returns what was sealed for the purpose. What no key opens, and what was sealed for another purpose, is
// internal: a caller that expects foreign texts codes it anew.
func (k *Keeper) Open(purpose, sealed string) ([]byte, error) {
	keys := make([]*fernet.Key, len(k.keys))
	for i, key := range k.keys {
		keys[i] = key.fernet
	}
	msg := fernet.VerifyAndDecrypt([]byte(sealed), 0, keys)
	if msg == nil {
		return nil, connectors.Errorf(connectors.Internal,
			"a sealed record does not open with the keys at hand: is ENCRYPTION_KEY the one it was sealed with?")
	}
	n, size := binary.Uvarint(msg)
	if size <= 0 || n > uint64(len(msg)-size) {
		return nil, connectors.Errorf(connectors.Internal, "a sealed record names no purpose")
	}
	rest := msg[size:]
	if !bytes.Equal(rest[:n], []byte(purpose)) {
		return nil, connectors.Errorf(connectors.Internal, "a sealed record belongs to another tenant or record")
	}
	return rest[n:], nil
}
