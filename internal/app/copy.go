package app

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
	"github.com/unified-connector/ucf/internal/store/mongostore"
	"github.com/unified-connector/ucf/internal/store/sqlitestore"
)

// Copied tells of one collection that is copied.
type Copied = store.Copied

// Moved says what a copy of the store came to.
type Moved struct {
	Collections []Copied `json:"collections"`
	// Origin is the new name of an embedded store that was copied, and empty for MongoDB.
	Origin string `json:"origin,omitempty"`
	// Kept is where a store is now that was in the place of the copy; empty for none.
	Kept string `json:"kept,omitempty"`
}

// CopyProgress is told how far a copy is: the collection it is at, and how many rows that has.
type CopyProgress func(c Copied, total int)

// copyEnds are the two stores of a copy by the settings.
func (a *App) copyEnds() error {
	switch {
	case a.Config.MongoURL.IsZero():
		return connectors.Errorf(connectors.InvalidRequest, "set MONGODB_URL, and MONGODB_DB where it is not unified_connector: that database is the one end of the copy")
	case a.Config.DataDir == "":
		return connectors.Errorf(connectors.InvalidRequest, "there is no home folder that has the embedded store: set UCF_DATA_DIR")
	}
	return nil
}

// CopyToMongo copies the embedded store into an empty database of MongoDB. The file has another name afterwards: two stores
// that refresh the same credentials would end them. A copy that is cut off goes on when it is called again.
func (a *App) CopyToMongo(ctx context.Context, progress CopyProgress) (Moved, error) {
	if err := a.copyEnds(); err != nil {
		return Moved{}, err
	}
	path := a.Config.Database()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return Moved{}, connectors.Errorf(connectors.NotFound, "there is no store %s to copy: set UCF_DATA_DIR to the folder that has it", path)
	}
	from, err := sqlitestore.Lend(ctx, path)
	if err != nil {
		return Moved{}, err
	}
	defer from.Release()
	to, err := mongostore.OpenToCopy(ctx, a.Config.MongoURL, a.Config.MongoDB)
	if err != nil {
		return Moved{}, err
	}
	defer to.Close() //nolint:errcheck,contextcheck // what was acknowledged is kept
	if err := to.Receive(ctx); err != nil {
		return Moved{}, err
	}
	out := Moved{}
	if out.Collections, err = store.Copy(ctx, from, to, rest, progress); err != nil {
		return Moved{}, err
	}
	if err := to.Release(ctx); err != nil {
		return Moved{}, err
	}
	out.Origin, err = from.Retire(time.Now())
	return out, err
}

// CopyToSQLite copies the database of MongoDB into a new embedded store. A store that is there is conflict unless force is
// set, and kept beside then. The database refuses to be used from the beginning, and until [App.UndoCopy]; unused says that
// no process uses it, and none has to be waited for.
func (a *App) CopyToSQLite(ctx context.Context, force, unused bool, progress CopyProgress) (Moved, error) {
	if err := a.copyEnds(); err != nil {
		return Moved{}, err
	}
	to, err := sqlitestore.Receive(ctx, a.Config.Database(), force)
	if err != nil {
		return Moved{}, err
	}
	defer to.Close() //nolint:errcheck // what was acknowledged is kept
	from, err := mongostore.OpenToCopy(ctx, a.Config.MongoURL, a.Config.MongoDB)
	if err != nil {
		return Moved{}, err
	}
	defer from.Close() //nolint:errcheck,contextcheck // nothing is written through it that was not acknowledged
	out := Moved{}
	if err = from.Lend(ctx, unused); err == nil {
		out.Collections, err = store.Copy(ctx, from, to, rest, progress)
	}
	if err == nil {
		err = from.Retire(ctx)
	}
	if err == nil {
		out.Kept, err = to.Finish(ctx, time.Now())
	}
	if err != nil {
		return Moved{}, errors.Join(err, undone(ctx, from))
	}
	return out, nil
}

// undone takes the database of a copy that failed back into use.
func undone(ctx context.Context, from *mongostore.Store) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return from.Undo(ctx)
}

// UndoCopy takes a database of MongoDB that was copied, or whose copy was cut off, back into use.
func (a *App) UndoCopy(ctx context.Context) error {
	if err := a.copyEnds(); err != nil {
		return err
	}
	s, err := mongostore.OpenToCopy(ctx, a.Config.MongoURL, a.Config.MongoDB)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck,contextcheck // what was acknowledged is kept
	return s.Undo(ctx)
}

// rest alters a row on its way into another store: what ran is queued again, nobody holds a lease or a claim, and a feed has
// another epoch, because its readers' numbers are those of a store that is not used any more. The same row becomes the same
// again, which a copy that was cut off relies on.
func rest(c store.Collection, r store.Row) {
	switch c.Name {
	case "jobs":
		if r["status"] == string(domain.JobRunning) {
			r["status"], r["owner"] = string(domain.JobQueued), ""
		}
	case "feeds":
		sum := sha256.Sum256(fmt.Append(nil, "copied ", r["epoch"], " ", r["published"], " ", r["fence"]))
		fence, _ := r["fence"].(int64)
		r["owner"], r["fence"], r["epoch"] = "", fence+1, base32.StdEncoding.EncodeToString(sum[:])[:26]
	case "tokens":
		text, _ := r["grant"].(string)
		var g *domain.Grant
		if json.Unmarshal([]byte(text), &g) == nil && g != nil && g.Claim != nil {
			g.Claim = nil
			if b, err := json.Marshal(g); err == nil {
				r["grant"] = string(b)
			}
		}
	}
}
