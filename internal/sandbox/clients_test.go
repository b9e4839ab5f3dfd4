package sandbox

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Clients of others work against the sandbox unchanged, and count what it counts. UCF_TEST_CLIENTS names the folder
// where `npm ci` ran.
func TestThirdPartyClients(t *testing.T) {
	dir := os.Getenv("UCF_TEST_CLIENTS")
	if dir == "" {
		t.Skip("UCF_TEST_CLIENTS does not name the folder of the clients with node_modules: run npm ci in internal/sandbox/clients")
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		t.Fatalf("UCF_TEST_CLIENTS: %v: run npm ci there", err)
	}
	for _, name := range []string{"confluence.mjs", "jira.mjs"} {
		t.Run(name, func(t *testing.T) { runClient(t, dir, name) })
	}
}

// runClient runs one script against a sandbox of its own.
func runClient(t *testing.T, dir, script string) {
	s, err := New(Options{AutoApprove: true, Issues: 300})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	defer server.Close()
	command := exec.CommandContext(t.Context(), "node", script)
	command.Dir = dir
	command.Env = append(os.Environ(),
		"SANDBOX_URL="+server.URL, "SANDBOX_EMAIL="+DefaultEmail, "SANDBOX_TOKEN="+DefaultToken,
		"SANDBOX_CLIENT_ID="+DefaultClientID, "SANDBOX_CLIENT_SECRET="+DefaultClientSecret)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
