// Command ucf-gen writes what is derived from the code: the reference pages under docs, the completions and
// .env.example. `make generate` runs it; CI fails when its output differs from what is committed.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// generated is one file that a generator wrote.
type generated struct {
	path string
	text []byte
}

func main() {
	dir := "."
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	if err := run(dir); err != nil {
		fmt.Fprintln(os.Stderr, "ucf-gen:", err)
		os.Exit(1)
	}
}

// run makes every file before it writes the first, so that a failing generator leaves the tree as it was.
func run(dir string) error {
	var all []generated
	for _, gen := range []func() ([]generated, error){configPages, errorPage, connectorPages, cliPages, completions, openAPI} {
		files, err := gen()
		if err != nil {
			return err
		}
		all = append(all, files...)
	}
	for _, owned := range []string{"docs/cli", "docs/connectors", "completions"} {
		if err := os.RemoveAll(filepath.Join(dir, owned)); err != nil {
			return err
		}
	}
	for _, f := range all {
		path := filepath.Join(dir, f.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
