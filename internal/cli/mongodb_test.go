package cli

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// mongoVariable names a MongoDB that the tests may make databases in.
const mongoVariable = "UCF_TEST_MONGODB_URL"

// condition answers the conditions of scripts.
func condition(name string) (bool, error) {
	if name == "mongodb" {
		return os.Getenv(mongoVariable) != "", nil
	}
	return false, fmt.Errorf("unknown condition %s", name)
}

// useMongo has a script's state kept in a database of its own, which is dropped at its end.
func useMongo(ts *testscript.TestScript, _ bool, _ []string) {
	url, db := os.Getenv(mongoVariable), fmt.Sprintf("ucf_cli_%d_%d", os.Getpid(), rand.Uint32())
	ts.Setenv("MONGODB_URL", url)
	ts.Setenv("MONGODB_DB", db)
	ts.Defer(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		client, err := mongo.Connect(options.Client().ApplyURI(url))
		ts.Check(err)
		defer client.Disconnect(ctx)
		ts.Check(client.Database(db).Drop(ctx))
	})
}
