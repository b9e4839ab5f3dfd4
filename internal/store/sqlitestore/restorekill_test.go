package sqlitestore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// restoreRole restores two backups in turns for ever, and prints which one is in its place.
func restoreRole(path, arg string) int {
	for n := 0; ; n++ {
		which := []string{"a", "b"}[n%2]
		if _, err := Restore(context.Background(), filepath.Join(arg, which), path, true, time.Now()); err != nil {
			fmt.Println("error", err, connectors.AsError(err).Err)
			return 1
		}
		fmt.Println(which)
	}
}

// TestKilledRestore kills restores at random moments: there is always one whole store, the last one that was told to be in
// its place, or the next.
func TestKilledRestore(t *testing.T) {
	dir := t.TempDir()
	const each = 300
	for _, which := range []string{"a", "b"} {
		s := mustOpen(t, filepath.Join(dir, which+".db"), quick())
		raw(t, s.Path(), fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO connector_settings SELECT '%s', 'c' || i, 1, NULL, NULL, 0 FROM n`, each, which))
		if _, err := s.Backup(t.Context(), filepath.Join(dir, which), false); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "live", "ucf.db")
	if _, err := Restore(t.Context(), filepath.Join(dir, "b"), path, false, time.Now()); err != nil {
		t.Fatal(err)
	}
	was := "b"
	for range 12 {
		p := spawn(t, "restore", path, dir)
		p.tell()
		kill := time.AfterFunc(time.Duration(rand.IntN(400))*time.Millisecond, func() { _ = p.cmd.Process.Kill() })
		told := p.rest()
		kill.Stop()
		next := "a"
		if n := len(told); n > 0 {
			was = told[n-1]
			next = map[string]string{"a": "b", "b": "a"}[was]
		}
		is := contentOf(t, path, each)
		if is != was && is != next {
			t.Fatalf("the store is %s; told was %v, before %s", is, told, was)
		}
		was = is
		if n := len(told); n > 0 && strings.HasPrefix(told[n-1], "error") {
			t.Fatal(told)
		}
	}
}

// rest returns the whole lines that the child prints until its end.
func (p *process) rest() (said []string) {
	for p.lines.Scan() {
		said = append(said, p.lines.Text())
	}
	_ = p.cmd.Wait()
	return said
}

func wantSound(t *testing.T, s *Store) {
	t.Helper()
	if err := checkIntegrity(t.Context(), s); err != nil {
		t.Error(err)
	}
}

// contentOf returns whose settings a store holds: all of one backup's, and nothing else.
func contentOf(t *testing.T, path string, each int) string {
	t.Helper()
	s := mustOpen(t, path, quick())
	defer s.Close()
	wantSound(t, s)
	type group struct {
		name string
		n    int
	}
	groups, err := many(t.Context(), s, func(r row) (g group, err error) { return g, r.Scan(&g.name, &g.n) },
		"SELECT tenant, count(*) FROM connector_settings GROUP BY tenant")
	if err != nil || len(groups) != 1 || groups[0].n != each {
		t.Fatalf("the store holds %v, %v", groups, err)
	}
	return groups[0].name
}
