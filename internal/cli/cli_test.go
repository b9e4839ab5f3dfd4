package cli

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/unified-connector/ucf/internal/sandbox"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ucf": func() { os.Exit(Main(os.Args[1:], Stdio())) }, "browser": browserMain, "overssh": overSSHMain, "secretenv": secretEnvMain})
}

// TestScripts runs the scenarios of testdata/script, each in an empty home.
//
//   - `sandbox [--oauth] [--sites=N] NAME [FAULT…]` starts a sandbox and puts its address into $NAME; with --oauth it is
//     the authorization server of the operator's apps.
//   - `code N ucf …` runs a command that must exit with N.
//   - `freeport NAME` puts an address to listen on into $NAME, `reachable ADDRESS` waits until somebody does, `listen NAME`
//     listens, and puts the port into $NAME; `oauthport` gives the scenario a port of its own to come back to.
//   - `lock FILE` holds the store in a file locked until `! lock FILE`.
//   - `later ADDRESS DURATION` puts the clock of a sandbox's tokens forward.
//   - `jobid FILE NAME` puts the id of the job in a file into $NAME, `untiljob STATUS` waits until a job is in that state.
//   - `sameid FILE` holds the id in a file against that in the last output.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"), RequireExplicitExec: true, Condition: condition,
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			env.Vars = append(env.Vars, "HOME="+home, "XDG_CONFIG_HOME="+home+"/c", "XDG_DATA_HOME="+home+"/d", "APPDATA="+home, "LOCALAPPDATA="+home,
				"BROKEN_UTF8=PAY\xff", "GORACE=atexit_sleep_ms=10") // a race-enabled process else takes a second to end
			return os.Mkdir(home, 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sandbox": startSandbox, "code": wantCode, "freeport": freePort, "reachable": reachable, "listen": listenOn, "oauthport": oauthPort, "sameid": sameID, "later": putForward, "lock": lockFile, "jobid": jobID, "untiljob": untilJob, "mongodb": useMongo,
		},
	})
}

func startSandbox(ts *testscript.TestScript, _ bool, args []string) {
	o, oauth := sandbox.Options{Issues: 300}, false
	for ; len(args) > 0 && strings.HasPrefix(args[0], "--"); args = args[1:] {
		if n, ok := strings.CutPrefix(args[0], "--sites="); ok {
			sites, err := strconv.Atoi(n)
			ts.Check(err)
			o.Sites = sites
		}
		oauth = oauth || args[0] == "--oauth"
	}
	if len(args) == 0 {
		ts.Fatalf("usage: sandbox [--oauth] [--sites=N] NAME [FAULT…]")
	}
	for _, spec := range args[1:] {
		f, err := sandbox.ParseFault(spec)
		ts.Check(err)
		o.Faults = append(o.Faults, f)
	}
	var ahead atomic.Int64
	o.OAuthNow = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	s, err := sandbox.New(o)
	ts.Check(err)
	srv := httptest.NewServer(s)
	ts.Defer(srv.Close)
	ts.Setenv(args[0], srv.URL)
	clocks.Store(srv.URL, &ahead)
	for _, kv := range s.Env(srv.URL) {
		// The API keys stay out: with them nobody would be asked for a consent.
		if name, value, _ := strings.Cut(kv, "="); oauth && !strings.HasPrefix(name, "UCF_") {
			ts.Setenv(name, value)
		}
	}
}

// secretEnvMain is `secretenv NAME FILE COMMAND…`: it runs a command with the text of a file in a variable.
func secretEnvMain() {
	text, err := os.ReadFile(os.Args[2])
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(os.Args[3], os.Args[4:]...)
	cmd.Env = append(os.Environ(), os.Args[1]+"="+strings.TrimSpace(string(text)))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if cmd.Run() != nil {
		os.Exit(cmd.ProcessState.ExitCode())
	}
}

// clocks are how far the clocks of the sandboxes are put forward, by address.
var clocks sync.Map

func putForward(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[1])
	ts.Check(err)
	ahead, ok := clocks.Load(args[0])
	if !ok {
		ts.Fatalf("there is no sandbox at %s", args[0])
	}
	ahead.(*atomic.Int64).Add(int64(d))
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
	// Not one that the system gives away by itself: whoever asks it for any port meanwhile would get this one.
	for {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(10_000)))
		if err == nil {
			ts.Setenv(args[0], ln.Addr().String())
			ts.Check(ln.Close())
			return
		}
	}
}

func listenOn(ts *testscript.TestScript, _ bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { ln.Close() })
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	ts.Setenv(args[0], port)
}

func oauthPort(ts *testscript.TestScript, _ bool, _ []string) {
	freePort(ts, false, []string{"UCF_OAUTH_PORT"})
	_, port, _ := net.SplitHostPort(ts.Getenv("UCF_OAUTH_PORT"))
	ts.Setenv("UCF_OAUTH_PORT", port)
}

func sameID(ts *testscript.TestScript, _ bool, args []string) {
	id := regexp.MustCompile(`con_[0-9a-z]+`)
	if got, want := id.FindString(ts.ReadFile("stdout")), id.FindString(ts.ReadFile(args[0])); got != want || want == "" {
		ts.Fatalf("the connection is %s now, was %s", got, want)
	}
}

func jobID(ts *testscript.TestScript, _ bool, args []string) {
	id := regexp.MustCompile(`job_[0-9a-z]{26}`).FindString(ts.ReadFile(args[0]))
	if id == "" {
		ts.Fatalf("%s names no job", args[0])
	}
	ts.Setenv(args[1], id)
}

func untilJob(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		ts.Check(ts.Exec("ucf", "jobs", "list", "--status", args[0], "-o", "ndjson"))
		if strings.Contains(ts.ReadFile("stdout"), "job_") {
			return
		}
	}
	ts.Fatalf("no job is %s", args[0])
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
