package secret

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/unified-connector/ucf/connectors"
)

func newKeeper(t *testing.T, n int) (*Keeper, []string) {
	t.Helper()
	var keys []string
	for range n {
		k, err := Generate()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k.Reveal())
	}
	keeper, err := Parse(connectors.NewSecret(strings.Join(keys, ",")))
	if err != nil {
		t.Fatal(err)
	}
	return keeper, keys
}

func TestSealOpen(t *testing.T) {
	k, _ := newKeeper(t, 1)
	for _, plain := range []string{"", "x", "päss\x00wörd\n", strings.Repeat("long ", 10000)} {
		sealed, err := k.Seal("token|acme|tok_1", []byte(plain))
		if err != nil {
			t.Fatal(err)
		}
		if len(plain) > 8 && strings.Contains(sealed, plain) {
			t.Errorf("sealed text shows its plaintext")
		}
		got, err := k.Open("token|acme|tok_1", sealed)
		if err != nil || string(got) != plain {
			t.Errorf("Open = %q, %v, want %q", got, err, plain)
		}
	}
}

func TestSealedTextIsBound(t *testing.T) {
	k, _ := newKeeper(t, 1)
	other, _ := newKeeper(t, 1)
	sealed, err := k.Seal("token|acme|tok_1", []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"another record":        func() ([]byte, error) { return k.Open("token|acme|tok_2", sealed) },
		"another tenant":        func() ([]byte, error) { return k.Open("token|beta|tok_1", sealed) },
		"a longer purpose":      func() ([]byte, error) { return k.Open("token|acme|tok_1p", sealed) },
		"a shorter purpose":     func() ([]byte, error) { return k.Open("token|acme|tok_", sealed) },
		"no purpose":            func() ([]byte, error) { return k.Open("", sealed) },
		"another key":           func() ([]byte, error) { return other.Open("token|acme|tok_1", sealed) },
		"a flipped byte":        func() ([]byte, error) { return k.Open("token|acme|tok_1", "h"+sealed[1:]) },
		"a text that is short":  func() ([]byte, error) { return k.Open("token|acme|tok_1", sealed[:20]) },
		"a text that is nobody": func() ([]byte, error) { return k.Open("token|acme|tok_1", "nonsense") },
	} {
		got, err := open()
		if connectors.CodeOf(err) != connectors.Internal || got != nil {
			t.Errorf("opened with %s: %q, %v", name, got, err)
		}
	}
}

func TestRotation(t *testing.T) {
	old, oldKeys := newKeeper(t, 1)
	sealed, err := old.Seal("p", []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	_, newKeys := newKeeper(t, 1)
	both, err := Parse(connectors.NewSecret(newKeys[0] + " , " + oldKeys[0]))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := both.Open("p", sealed); err != nil || string(got) != "plain" {
		t.Errorf("with new,old: %q, %v", got, err)
	}
	if both.KeyIDs()[0] == old.KeyID() || both.KeyIDs()[1] != old.KeyID() {
		t.Errorf("key ids %v, want the new one first and then %s", both.KeyIDs(), old.KeyID())
	}
	resealed, err := both.Seal("p", []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Open("p", resealed); err == nil {
		t.Error("the old key opens what the new one sealed")
	}
}

func TestParseRefuses(t *testing.T) {
	k, _ := Generate()
	for name, keys := range map[string]string{
		"empty": "", "blank entry": k.Reveal() + ",", "short": "c2hvcnQ=", "not base64": strings.Repeat("!", 44),
		"twice": k.Reveal() + "," + k.Reveal(),
	} {
		_, err := Parse(connectors.NewSecret(keys))
		if connectors.CodeOf(err) != connectors.InvalidRequest {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if keys != "" && strings.Contains(err.Error(), k.Reveal()) {
			t.Errorf("%s: the error shows the key", name)
		}
	}
}

func TestKeyFileIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "er", "encryption.key")
	const callers = 16
	keys := make([]connectors.Secret, callers)
	made := make([]bool, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var err error
			if keys[i], made[i], err = LoadFile(path); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	n := 0
	for i := range callers {
		if made[i] {
			n++
		}
		if !keys[i].Equal(keys[0]) || keys[i].IsZero() {
			t.Errorf("caller %d has another key", i)
		}
	}
	if n != 1 {
		t.Errorf("%d callers say that they made the file, want 1", n)
	}
	if _, err := Parse(keys[0]); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(path)
	if err != nil || unixModes && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	left, _ := os.ReadDir(filepath.Dir(path))
	if len(left) != 1 {
		t.Errorf("%d files in the folder, want the key alone", len(left))
	}
}

func TestKeyFileRefused(t *testing.T) {
	if !unixModes {
		t.Skip("file modes tell nothing here")
	}
	dir := t.TempDir()
	open := filepath.Join(dir, "open.key")
	if err := os.WriteFile(open, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := LoadFile(open); connectors.CodeOf(err) != connectors.InvalidRequest {
		t.Errorf("a file that others may read: %v", err)
	}
	if _, _, err := LoadFile(filepath.Join(open, "below-a-file.key")); connectors.CodeOf(err) != connectors.Unavailable {
		t.Errorf("a folder that is a file: %v", err)
	}
}

func TestKeeperDoesNotPrintKeys(t *testing.T) {
	k, keys := newKeeper(t, 2)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		out := fmt.Sprintf(verb, k)
		for _, key := range keys {
			if strings.Contains(out, key) {
				t.Errorf("%s shows a key", verb)
			}
		}
	}
}

func FuzzOpen(f *testing.F) {
	key, err := Generate()
	if err != nil {
		f.Fatal(err)
	}
	k, err := Parse(key)
	if err != nil {
		f.Fatal(err)
	}
	sealed, _ := k.Seal("p", []byte("plain"))
	f.Add("p", sealed)
	f.Add("", "gAAAAA==")
	f.Fuzz(func(t *testing.T, purpose, text string) {
		plain, err := k.Open(purpose, text)
		if err == nil && (purpose != "p" || string(plain) != "plain") {
			t.Errorf("opened %q for %q", text, purpose)
		}
	})
}
