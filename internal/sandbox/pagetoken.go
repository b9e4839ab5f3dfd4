package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// pageTokens makes and reads the opaque page tokens of the search. A token names a position in the results of one
// query; it is authenticated together with the query, so a changed token or another query's is refused.
type pageTokens struct {
	key []byte
}

// tokenLife is how long Jira accepts a page token.
const tokenLife = 7 * 24 * time.Hour

// place is what a token carries.
type place struct {
	planPlace
	hop    uint32 // makes the tokens of one position differ, as after an empty page
	issued time.Time
}

const (
	placeSize = 8 + 4 + 8 + 8 + 8 + 8
	macSize   = 16
)

func newPageTokens(seed uint64) *pageTokens {
	r := newRNG(seed, domainToken, 0)
	return &pageTokens{key: binary.BigEndian.AppendUint64(nil, r.next())}
}

func (t *pageTokens) seal(at place, jql string) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(at.position))
	b = binary.BigEndian.AppendUint32(b, at.hop)
	b = binary.BigEndian.AppendUint64(b, uint64(at.issued.UnixMilli()))
	project := -1
	if at.given {
		project = at.last.ref.project
	}
	b = binary.BigEndian.AppendUint64(b, uint64(project))
	b = binary.BigEndian.AppendUint64(b, uint64(at.last.ref.row))
	b = binary.BigEndian.AppendUint64(b, uint64(at.last.updated))
	return base64.URLEncoding.EncodeToString(append(b, t.mac(b, jql)...))
}

// open returns the place, or false for a token that is not ours, not this query's, or older than tokenLife.
func (t *pageTokens) open(token, jql string, now time.Time) (place, bool) {
	b, err := base64.URLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) != placeSize+macSize || !hmac.Equal(b[placeSize:], t.mac(b[:placeSize], jql)) {
		return place{}, false
	}
	project := int(int64(binary.BigEndian.Uint64(b[20:])))
	at := place{
		planPlace: planPlace{position: int64(binary.BigEndian.Uint64(b)), given: project >= 0},
		hop:       binary.BigEndian.Uint32(b[8:]),
		issued:    time.UnixMilli(int64(binary.BigEndian.Uint64(b[12:]))),
	}
	if at.given {
		at.last = timed{issueRef{project, int64(binary.BigEndian.Uint64(b[28:]))}, int64(binary.BigEndian.Uint64(b[36:]))}
	}
	return at, now.Sub(at.issued) <= tokenLife
}

// sealBytes makes a token of anything; openBytes returns it, or false as open does.
func (t *pageTokens) sealBytes(b []byte, query string, now time.Time) string {
	b = append(binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli())), b...)
	return base64.URLEncoding.EncodeToString(append(b, t.mac(b, query)...))
}

func (t *pageTokens) openBytes(token, query string, now time.Time) ([]byte, bool) {
	b, err := base64.URLEncoding.Strict().DecodeString(token)
	size := len(b) - macSize
	if err != nil || size < 8 || !hmac.Equal(b[size:], t.mac(b[:size], query)) {
		return nil, false
	}
	issued := time.UnixMilli(int64(binary.BigEndian.Uint64(b)))
	return b[8:size], now.Sub(issued) <= tokenLife
}

func (t *pageTokens) mac(b []byte, jql string) []byte {
	h := hmac.New(sha256.New, t.key)
	h.Write(b)
	h.Write([]byte(jql))
	return h.Sum(nil)[:macSize]
}
