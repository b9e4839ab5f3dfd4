package sqlitestore

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"modernc.org/sqlite"

	"github.com/unified-connector/ucf/connectors"
)

// slice is how long SQLite itself waits for a lock at a stretch. It does not notice a context that ends, so the
// longer wait is made of several: see [Store.try].
const slice = 100 * time.Millisecond

// prepare returns the absolute path of a file that SQLite can open: it makes the folder and an empty file where
// there are none.
func prepare(path string, log *slog.Logger, o options) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", unusable(path, err)
	}
	if err := refuseNetwork(path, o); err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, create(path)
	case err != nil:
		return "", unusable(path, err)
	case !info.Mode().IsRegular():
		return "", connectors.Errorf(connectors.Unavailable, "the store %s is not a file: move it away, or set UCF_DATA_DIR to another folder", path)
	case info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows":
		log.Warn("the store may be read by other users: run `chmod 600` on it", "path", path)
	}
	return path, nil
}

// create puts an empty file into place, so that SQLite does not make one that others may read. The file is linked
// when it is complete and closed: closing a file that SQLite has open elsewhere in this process would drop its locks.
func create(path string) error {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		// Its disk may just not be mounted: a new store in its place would hide the old one.
		return connectors.Errorf(connectors.Unavailable, "the store %s is a link to a file that does not exist: bring the file back, or remove the link", path)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unusable(path, err)
	}
	f, err := os.CreateTemp(dir, ".ucf-*")
	if err != nil {
		return unusable(path, err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // a left-over empty file harms nobody
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return unusable(path, err)
	}
	// Another process may have been first; and where there are no hard links, there are no file modes to keep either.
	_ = os.Link(f.Name(), path)
	return nil
}

// connect returns the pool of connections to the file; it opens none.
func connect(path string, o options) (*sql.DB, error) {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": append([]string{
		fmt.Sprintf("busy_timeout(%d)", min(slice, o.busy).Milliseconds()), "synchronous(FULL)", "cache_size(-512)",
	}, o.pragmas...)}
	p := filepath.ToSlash(path)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p // a drive letter
	}
	c, err := sqlite.NewConnector((&url.URL{Scheme: "file", OmitHost: true, Path: p, RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, unusable(path, err)
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(4)
	return db, nil
}

// refuseNetwork refuses a file on a network file system, where locks cannot be trusted. What does not exist yet is
// where its folder will be.
func refuseNetwork(path string, o options) error {
	for p := path; ; p = filepath.Dir(p) {
		kind, err := o.network(p)
		switch {
		case errors.Is(err, fs.ErrNotExist) && p != filepath.Dir(p):
			continue
		case err != nil: // opening the file tells better what is wrong
			return nil //nolint:nilerr // see above
		case kind != "":
			return connectors.Errorf(connectors.Unavailable,
				"the store %s is on a network file system (%s), where SQLite's locks cannot be trusted: set UCF_DATA_DIR to a folder on a local disk",
				path, kind)
		}
		return nil
	}
}
