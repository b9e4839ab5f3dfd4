package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/unified-connector/ucf"

// root is the module's folder.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// goFiles returns the module's Go files, relative to its folder, that are not tests.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root(t), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root(t), path)
		if d.IsDir() && (d.Name() == "testdata" || rel != "." && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			files = append(files, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestImports(t *testing.T) {
	files := goFiles(t)
	if len(files) < 20 {
		t.Fatalf("only %d files found: the walk is broken", len(files))
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root(t), file), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		from := filepath.ToSlash(filepath.Dir(file))
		for _, imp := range f.Imports {
			path, _ := strconv.Unquote(imp.Path.Value)
			to, ours := strings.CutPrefix(path, module+"/")
			if ours && !allowed(from, to) {
				t.Errorf("%s imports %s, an arrow that is not drawn", file, to)
			}
		}
	}
}

func TestRulesBite(t *testing.T) {
	for _, tc := range []struct {
		from, to string
		want     bool
	}{
		{"internal/cli", "internal/service", true},
		{"internal/cli", "internal/store", false},
		{"internal/httpapi", "internal/transport", false},
		{"internal/service", "internal/transport", false},
		{"internal/service", "connectors", true},
		{"connectors/jira", "connectors/internal/rest", true},
		{"connectors/jira", "internal/transport", false},
		{"connectors/jira", "connectors/postgres", false},
		{"connectors", "internal/domain", false},
		{"internal/sandbox", "connectors", false},
		{"internal/new", "internal/domain", false},
	} {
		if got := allowed(tc.from, tc.to); got != tc.want {
			t.Errorf("allowed(%s, %s) = %v, want %v", tc.from, tc.to, got, tc.want)
		}
	}
}

func TestTopLevelNames(t *testing.T) {
	fixed := []string{
		"cmd", "internal", "connectors", "docs", "completions", ".env.example", "go.mod", "go.sum", "Makefile", "README.md",
		".ci", ".git", ".gitignore", ".golangci.yml", "LICENSE",
	}
	made := []string{"bin", "dist", "bench-raw", ".env"}
	entries, err := os.ReadDir(root(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(fixed, e.Name()) && !slices.Contains(made, e.Name()) {
			t.Errorf("%s is not one of the top-level names", e.Name())
		}
	}
}

func TestFileLength(t *testing.T) {
	const most = 500
	for _, file := range goFiles(t) {
		b, err := os.ReadFile(filepath.Join(root(t), file))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(b), "\n"); n > most {
			t.Errorf("%s has %d lines, over %d: split it", file, n, most)
		}
	}
}
