package connectors

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
)

// Sealer encrypts and authenticates small texts bound to a purpose: what was sealed for one purpose does not open
// for another. The cursors of a [Conn] are sealed with it.
type Sealer interface {
	Seal(purpose string, plain []byte) (string, error)
	Open(purpose, sealed string) ([]byte, error)
}

// position is the plaintext of a sealed cursor: the driver's token, and what is needed to notice that a provider
// hands out a page token again. Recent tokens catch short cycles at once; the anchor, moved at every power of two
// (Brent), catches any longer one in constant space.
type position struct {
	Token  []byte   `json:"t"` // bytes, since a driver's token need not be UTF-8
	Pages  uint64   `json:"n"`
	Anchor uint64   `json:"a"`
	Recent []uint64 `json:"r"`
}

// recentTokens is how many page tokens a cursor remembers.
const recentTokens = 8

// next returns the position after this one, or an error when the token was met before.
func (p position) next(token string) (position, error) {
	h := tokenHash(token)
	if slices.Contains(p.Recent, h) || p.Pages > 0 && p.Anchor == h {
		return position{}, Errorf(ProviderError,
			"the provider handed out the same page token twice, so the listing would never end; it was stopped after %d pages, try again later", p.Pages+1)
	}
	n := position{Token: []byte(token), Pages: p.Pages + 1, Anchor: p.Anchor, Recent: append(slices.Clone(p.Recent), h)}
	if n.Pages&(n.Pages-1) == 0 {
		n.Anchor = h
	}
	if len(n.Recent) > recentTokens {
		n.Recent = n.Recent[1:]
	}
	return n, nil
}

func tokenHash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return h.Sum64()
}

// purpose binds a cursor to the connection, the operation and everything else that the listing was asked.
func (c *Conn) purpose(op string, query ...any) string {
	h := sha256.New()
	for _, q := range query {
		s := fmt.Sprint(q)
		_ = binary.Write(h, binary.BigEndian, uint64(len(s)))
		_, _ = h.Write([]byte(s))
	}
	return "cursor|" + c.def.ID + "|" + c.binding + "|" + op + "|" + base64.RawStdEncoding.EncodeToString(h.Sum(nil)[:12])
}

func (c *Conn) openCursor(purpose string, cur Cursor) (position, error) {
	if cur == "" {
		return position{}, nil
	}
	var p position
	plain, err := c.seal.Open(purpose, string(cur))
	if err == nil {
		err = json.Unmarshal(plain, &p)
	}
	if err != nil {
		return p, Wrap(InvalidRequest, err,
			"the cursor is damaged or belongs to another listing: use it with the same connection and filters, or start without one")
	}
	return p, nil
}

func (c *Conn) sealCursor(purpose string, from position, token Cursor) (Cursor, error) {
	if token == "" {
		return "", nil
	}
	next, err := from.next(string(token))
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(next)
	if err != nil {
		return "", err
	}
	sealed, err := c.seal.Seal(purpose, plain)
	return Cursor(sealed), err
}
