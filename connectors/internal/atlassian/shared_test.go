package atlassian

import (
	"os"
	"path/filepath"
	"testing"
)

// fixture returns a recorded body of the fixtures beside the module, and skips the test where there are none.
func fixture(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(sharedDir(t), "fixtures", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func sharedDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("UCF_SHARED")
	if dir == "" {
		root, err := os.Getwd()
		for err == nil && root != filepath.Dir(root) {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			root = filepath.Dir(root)
		}
		dir = filepath.Join(root, "..", "shared")
	}
	if _, err := os.Stat(filepath.Join(dir, "fixtures")); err != nil {
		t.Skip("no recorded bodies: set UCF_SHARED to the folder that holds fixtures and specs")
	}
	return dir
}
