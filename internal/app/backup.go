package app

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/store/sqlitestore"
)

// Backup copies the embedded store into a new file, while it is in use, and returns how many records of each collection are
// in it. With force it replaces a file. No store is not_found.
func (a *App) Backup(ctx context.Context, path string, force bool) (map[string]int, error) {
	if _, err := os.Stat(a.Config.Database()); a.Config.MongoURL.IsZero() && errors.Is(err, fs.ErrNotExist) {
		return nil, connectors.Errorf(connectors.NotFound, "there is no store %s to back up: set UCF_DATA_DIR to the folder that has it", a.Config.Database())
	}
	st, err := a.store.open(ctx)
	if err != nil {
		return nil, err
	}
	s, ok := st.(*sqlitestore.Store)
	if !ok {
		return nil, notEmbedded()
	}
	return s.Backup(ctx, path, force)
}

// Restore puts a backup in the place of the embedded store.
func (a *App) Restore(ctx context.Context, path string, force bool) (sqlitestore.Restored, error) {
	if !a.Config.MongoURL.IsZero() {
		return sqlitestore.Restored{}, notEmbedded()
	}
	if a.Config.DataDir == "" {
		return sqlitestore.Restored{}, connectors.Errorf(connectors.InvalidRequest, "there is no home folder to keep data in: set UCF_DATA_DIR")
	}
	return sqlitestore.Restore(ctx, path, a.Config.Database(), force, time.Now())
}

func notEmbedded() error {
	return connectors.Errorf(connectors.Unsupported, "MONGODB_URL is set: back up MongoDB with its own tools (mongodump); this is for the embedded store")
}

// Collections are the names of what a backup holds, in the order in which they are shown.
func Collections() []string { return sqlitestore.Collections }
