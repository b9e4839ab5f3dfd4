package connectors

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// testSealer binds what it seals to its purpose.
type testSealer struct{ aead cipher.AEAD }

func newTestSealer(t testing.TB) testSealer {
	t.Helper()
	key := make([]byte, 16)
	_, _ = rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return testSealer{aead}
}

func (s testSealer) Seal(purpose string, plain []byte) (string, error) {
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, plain, []byte(purpose))), nil
}

func (s testSealer) Open(purpose, sealed string) ([]byte, error) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil {
		return nil, err
	}
	return s.aead.Open(nil, nil, data, []byte(purpose))
}

// steps follows tokens until one is refused, and returns how many were taken.
func steps(token func(i int) string, most int) (int, error) {
	var p position
	var err error
	for i := range most {
		if p, err = p.next(token(i)); err != nil {
			return i, err
		}
	}
	return most, nil
}

func TestRepeatedTokensAreCaught(t *testing.T) {
	for _, before := range []int{0, 1, 7, 100} {
		for length := 1; length <= 50; length++ {
			cycle := func(i int) string {
				if i >= before {
					i = before + (i-before)%length
				}
				return fmt.Sprint("token ", i)
			}
			bound := 3*(before+length) + recentTokens
			taken, err := steps(cycle, 10_000)
			if CodeOf(err) != ProviderError || taken > bound || taken < length {
				t.Errorf("a cycle of %d after %d tokens: stopped after %d with %v, want at most %d", length, before, taken, err, bound)
			}
			if length <= recentTokens && taken != before+length {
				t.Errorf("a cycle of %d after %d tokens: stopped after %d, want at once", length, before, taken)
			}
		}
	}
}

func TestDistinctTokensPass(t *testing.T) {
	if n, err := steps(func(i int) string { return fmt.Sprint("token ", i) }, 100_000); err != nil {
		t.Errorf("refused after %d: %v", n, err)
	}
}

func TestPositionsDoNotShareMemory(t *testing.T) {
	var p position
	for i := range recentTokens + 2 {
		p, _ = p.next(fmt.Sprint(i))
	}
	left, _ := p.next("left")
	right, _ := p.next("right")
	for token, next := range map[string]position{"left": left, "right": right} {
		if len(next.Recent) != recentTokens || !slices.Contains(next.Recent, tokenHash(token)) {
			t.Errorf("after %s: got %v", token, next.Recent)
		}
	}
}

func cursorConn(t testing.TB, id, binding string, seal Sealer) *Conn {
	t.Helper()
	return &Conn{def: &Definition{ID: id}, binding: binding, seal: seal}
}

func TestCursorKeepsTheToken(t *testing.T) {
	c := cursorConn(t, "jira", "t|c", newTestSealer(t))
	for _, token := range []string{"x", "\xff\x00\xfe", "🦆", strings.Repeat("long", 10_000), `{"a":"<&>"}`} {
		sealed, err := c.sealCursor("p", position{}, Cursor(token))
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.openCursor("p", sealed)
		if err != nil || string(got.Token) != token || got.Pages != 1 {
			t.Errorf("got %.40q, page %d and error %v, want %.40q", got.Token, got.Pages, err, token)
		}
	}
	if sealed, err := c.sealCursor("p", position{}, ""); sealed != "" || err != nil {
		t.Errorf("the end of a listing: got %q and error %v", sealed, err)
	}
	if got, err := c.openCursor("p", ""); got.Pages != 0 || err != nil {
		t.Errorf("the beginning of a listing: got %v and error %v", got, err)
	}
}

func TestPurposesDiffer(t *testing.T) {
	seal := newTestSealer(t)
	seen := map[string]string{}
	for what, purpose := range map[string]string{
		"plain":        cursorConn(t, "jira", "t|c", seal).purpose("items", "a", "b"),
		"connector":    cursorConn(t, "confluence", "t|c", seal).purpose("items", "a", "b"),
		"binding":      cursorConn(t, "jira", "t|d", seal).purpose("items", "a", "b"),
		"operation":    cursorConn(t, "jira", "t|c", seal).purpose("comments", "a", "b"),
		"query":        cursorConn(t, "jira", "t|c", seal).purpose("items", "a", "c"),
		"query split":  cursorConn(t, "jira", "t|c", seal).purpose("items", "ab", ""),
		"query joined": cursorConn(t, "jira", "t|c", seal).purpose("items", "a b"),
		"no query":     cursorConn(t, "jira", "t|c", seal).purpose("items"),
	} {
		if other, ok := seen[purpose]; ok {
			t.Errorf("%s and %s have one purpose", what, other)
		}
		seen[purpose] = what
	}
}

func FuzzCursor(f *testing.F) {
	c := cursorConn(f, "jira", "t|c", newTestSealer(f))
	whole, err := c.sealCursor("p", position{}, "token")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{string(whole), string(whole[1:]), "", "AAAA", "null", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := c.openCursor("p", Cursor(s))
		switch {
		case s == "" || s == string(whole):
			if err != nil {
				t.Errorf("%q: %v", s, err)
			}
		case CodeOf(err) != InvalidRequest:
			t.Errorf("%q: got %v and error %v, want %s", s, p, err, InvalidRequest)
		}
	})
}

// plainSealer seals nothing, so that the plaintext itself is fuzzed.
type plainSealer struct{}

func (plainSealer) Seal(_ string, plain []byte) (string, error) { return string(plain), nil }
func (plainSealer) Open(_, sealed string) ([]byte, error)       { return []byte(sealed), nil }

func FuzzPosition(f *testing.F) {
	c := cursorConn(f, "jira", "t|c", plainSealer{})
	for _, s := range []string{`{"t":"eA==","n":1,"a":2,"r":[1]}`, `{"n":18446744073709551615}`, `{"r":[1,2,3,4,5,6,7,8,9,10]}`, `[]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := c.openCursor("p", Cursor(s))
		if err != nil {
			return
		}
		sealed, err := c.sealCursor("p", p, "next")
		if err != nil {
			return
		}
		got, err := c.openCursor("p", sealed)
		if err != nil || !bytes.Equal(got.Token, []byte("next")) {
			t.Errorf("%q: got %v and error %v", s, got, err)
		}
	})
}
