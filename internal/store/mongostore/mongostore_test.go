package mongostore

import (
	"context"
	"hash/fnv"
	"os"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/store"
	"github.com/unified-connector/ucf/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What names the servers of the tests: any, and one that asks for a password.
const (
	serverVariable = "UCF_TEST_MONGODB_URL"
	scramVariable  = "UCF_TEST_MONGODB_SCRAM_URL"
)

// server returns the address of the server that the tests use.
func server(t testing.TB) connectors.Secret {
	t.Helper()
	url := os.Getenv(serverVariable)
	if url == "" {
		t.Skipf("%s names no server", serverVariable)
	}
	return connectors.NewSecret(url)
}

// databaseOf returns the name of the database that stands for a folder.
func databaseOf(dir string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(dir))
	return "ucf_test_" + strconv.FormatUint(h.Sum64(), 36)
}

// on opens the store on the database of a folder, which is dropped when the test ends.
func on(t testing.TB, dir string) store.Store {
	t.Helper()
	s := mustOpen(t, databaseOf(dir))
	t.Cleanup(func() { drop(t, databaseOf(dir)) })
	return s
}

func mustOpen(t testing.TB, db string) *Store {
	t.Helper()
	s, err := Open(t.Context(), server(t), db, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func drop(t testing.TB, db string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s, err := Open(ctx, server(t), db, nil)
	if err == nil {
		err = s.db.Drop(ctx)
		_ = s.Close()
	}
	if err != nil {
		t.Error(err)
	}
}

func TestStore(t *testing.T) {
	server(t)
	storetest.Run(t, func(t testing.TB, dir string) store.Store { return on(t, dir) })
}
