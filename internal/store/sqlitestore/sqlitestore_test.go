package sqlitestore

import (
	"path/filepath"
	"testing"

	"github.com/unified-connector/ucf/internal/store"
	"github.com/unified-connector/ucf/internal/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t testing.TB, dir string) store.Store {
		s, err := Open(t.Context(), filepath.Join(dir, "ucf.db"), nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
