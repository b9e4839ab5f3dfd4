package cli

import (
	"database/sql"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// locks are the files that scenarios hold locked, by path.
var locks sync.Map

// lockFile is `lock FILE`: it holds the lock of a store's writers, as a process that hangs in the middle of a write does.
// `! lock FILE` lets go of it.
func lockFile(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(args[0])
	if neg {
		if release, ok := locks.LoadAndDelete(path); ok {
			release.(func())()
		}
		return
	}
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=exclusive")
	ts.Check(err)
	tx, err := db.Begin()
	ts.Check(err)
	release := sync.OnceFunc(func() {
		_ = tx.Rollback()
		_ = db.Close()
	})
	locks.Store(path, release)
	ts.Defer(release)
}
