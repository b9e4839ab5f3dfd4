package cli

import (
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/unified-connector/ucf/internal/sandbox"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ucf": func() { os.Exit(Main(os.Args[1:], Stdio())) }, "browser": browserMain})
}

// TestScripts runs the scenarios of testdata/script, each in an empty home. `sandbox NAME [FAULT…]` starts a sandbox
// and puts its address into $NAME; `code N ucf …` runs a command that must exit with N; `freeport NAME` puts an address to
// listen on into $NAME, and `reachable ADDRESS` waits until somebody does.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"), RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			env.Vars = append(env.Vars, "HOME="+home, "XDG_CONFIG_HOME="+home+"/c", "XDG_DATA_HOME="+home+"/d", "APPDATA="+home, "LOCALAPPDATA="+home,
				"BROKEN_UTF8=PAY\xff", "GORACE=atexit_sleep_ms=10") // a race-enabled process else takes a second to end
			return os.Mkdir(home, 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"sandbox": startSandbox, "code": wantCode, "freeport": freePort, "reachable": reachable},
	})
}

func startSandbox(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: sandbox NAME [FAULT…]")
	}
	o := sandbox.Options{Issues: 300}
	for _, spec := range args[1:] {
		f, err := sandbox.ParseFault(spec)
		ts.Check(err)
		o.Faults = append(o.Faults, f)
	}
	s, err := sandbox.New(o)
	ts.Check(err)
	srv := httptest.NewServer(s)
	ts.Defer(srv.Close)
	ts.Setenv(args[0], srv.URL)
}

// wantCode runs a command and holds its exit code, which testscript itself does not tell apart.
func wantCode(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND…")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "exit status 0"
	if err != nil {
		got = err.Error()
	}
	if got != "exit status "+args[0] {
		ts.Fatalf("%s: %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

func freePort(ts *testscript.TestScript, _ bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer ln.Close()
	ts.Setenv(args[0], ln.Addr().String())
}

func reachable(ts *testscript.TestScript, _ bool, args []string) {
	deadline := time.Now().Add(10 * time.Second)
	for {
		conn, err := net.DialTimeout("tcp", args[0], time.Second)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s: %v", args[0], err)
		}
		runtime.Gosched()
	}
}
