package sandbox

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// npm's jsforce works against the sandbox as it is: consent, refresh, describe, query to the end, write, replicate.
func TestJSForce(t *testing.T) {
	folder := os.Getenv("UCF_TEST_CLIENTS")
	if folder == "" {
		t.Skip("UCF_TEST_CLIENTS names no folder with the node_modules of clients/package.json")
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "jsforce", "package.json")); err != nil {
		t.Fatalf("UCF_TEST_CLIENTS has no jsforce: %v", err)
	}
	b := serveOAuth(t, Options{Records: 3_000})
	script, err := filepath.Abs(filepath.Join("clients", "jsforce.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), "node", script, b.url)
	run.Env = append(os.Environ(), "UCF_TEST_CLIENTS="+folder)
	run.Stderr = os.Stderr
	out, err := run.Output()
	if err != nil {
		t.Fatalf("jsforce: %v\n%s", err, out)
	}
	var found struct {
		Version                string
		Cases, Pages, Contacts int
		Comment, Deleted       string
	}
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cases, _, err := b.RecordCount("Case")
	contacts, _, err2 := b.RecordCount("Contact")
	if err != nil || err2 != nil || found.Cases != cases || found.Contacts != contacts {
		t.Errorf("jsforce found %d cases and %d contacts, there are %d and %d", found.Cases, found.Contacts, cases, contacts)
	}
	if v, err := b.recordOf(found.Comment); err != nil || v.of("CommentBody").text != "changed" {
		t.Errorf("the comment that jsforce made is not there: %v", err)
	}
	t.Logf("jsforce %s: %s", found.Version, out)
}
