package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal: what a person sees and types at, and the file that a command reads and writes.
type terminal struct {
	t      *testing.T
	person *os.File
	tty    *os.File
	seen   chan string // what appeared on the screen, in pieces
	screen strings.Builder
	pos    int // how much of the screen has been waited for

	browse func(context.Context, string) error
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: /dev/ptmx does not open")
	}
	fd := int(person.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{t: t, person: person, tty: tty, seen: make(chan string, 1000)}
	go func() {
		defer close(x.seen)
		r := bufio.NewReader(person)
		b := make([]byte, 4096)
		for {
			n, err := r.Read(b)
			if err != nil {
				return
			}
			x.seen <- string(b[:n])
		}
	}()
	// It is not closed: an interrupted prompt leaves a read behind, which in a process of its own ends with that.
	return x
}

// waitFor reads the screen until it shows a text behind the one that was waited for last.
func (x *terminal) waitFor(text string) {
	x.t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		if i := strings.Index(x.screen.String()[x.pos:], text); i >= 0 {
			x.pos += i + len(text)
			return
		}
		select {
		case s := <-x.seen:
			x.screen.WriteString(s)
		case <-timeout:
			x.t.Fatalf("the terminal does not show %q but %q", text, x.screen.String()[x.pos:])
		}
	}
}

func (x *terminal) typeLine(s string) {
	x.t.Helper()
	if _, err := io.WriteString(x.person, s+"\n"); err != nil {
		x.t.Fatal(err)
	}
}

// echoes reports whether the terminal shows what is typed.
func (x *terminal) echoes() bool {
	state, err := unix.IoctlGetTermios(int(x.tty.Fd()), unix.TCGETS)
	if err != nil {
		x.t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// run starts a command at the terminal and returns where its exit code will come.
func (x *terminal) run(environ []string, args ...string) <-chan int {
	code := make(chan int, 1)
	go func() {
		code <- Main(args, IO{In: x.tty, Out: x.tty, Err: x.tty, InTTY: true, OutTTY: true, ErrTTY: true, Width: 100, Environ: environ, Browse: x.browse})
	}()
	return code
}

func (x *terminal) exits(code <-chan int, want int) {
	x.t.Helper()
	select {
	case got := <-code:
		if got != want {
			x.t.Errorf("exit code %d, want %d", got, want)
		}
	case <-time.After(20 * time.Second):
		x.t.Fatal("the command does not end")
	}
	if !x.echoes() {
		x.t.Error("the terminal was left without echo")
	}
}

func TestConnectAsksAndHidesTheSecret(t *testing.T) {
	url := atSearch(t, 0, nil)
	env := home(t)
	x := newTerminal(t)
	code := x.run(env, "connect", "jira", "--api-key")
	x.waitFor("Site address")
	x.typeLine("ftp://nonsense")
	x.waitFor("must begin with https://")
	x.waitFor("Site address")
	x.typeLine(url + "/acme")
	x.waitFor("E-mail")
	x.typeLine("")
	x.waitFor("is required")
	x.waitFor("E-mail")
	x.typeLine("you@example.com")
	x.waitFor("(hidden): ")
	if x.echoes() {
		t.Error("the terminal shows what is typed for a secret")
	}
	x.typeLine("sandbox")
	x.waitFor("next: ucf containers jira")
	x.exits(code, 0)
	_, typed, _ := strings.Cut(x.screen.String(), "(hidden): ")
	if line, _, _ := strings.Cut(typed, "connected"); strings.Contains(line, "sandbox\r\n") {
		t.Errorf("the secret is on the screen: %q", line)
	}

	x = newTerminal(t)
	x.exits(x.run(env, "connect", "jira", "--api-key"), 6) // the name is taken: nobody is asked for a credential
	x = newTerminal(t)
	x.exits(x.run(env, "connect", "jira", "--connection", "nobody"), 5)
	x = newTerminal(t)
	code = x.run(env, "connect", "jira", "--connection", "default", "--token-stdin")
	x.waitFor("(hidden): ")
	x.typeLine("sandbox")
	x.exits(code, 0)
	x = newTerminal(t)
	code = x.run(env, "tokens", "set", "default")
	x.waitFor("(hidden): ")
	x.typeLine("sandbox")
	x.exits(code, 0)
}

func TestPromptIsLeftInOrder(t *testing.T) {
	given := append(home(t), "UCF_JIRA_BASE_URL=http://127.0.0.1:1", "UCF_JIRA_API_EMAIL=you@example.com")
	t.Run("interrupted", func(t *testing.T) {
		x := newTerminal(t)
		code := x.run(given, "connect", "jira")
		x.waitFor("(hidden): ")
		if err := unix.Kill(os.Getpid(), unix.SIGINT); err != nil {
			t.Fatal(err)
		}
		x.exits(code, interrupted)
	})
	t.Run("deadline", func(t *testing.T) {
		x := newTerminal(t)
		code := x.run(given, "connect", "jira", "--deadline", "300ms")
		x.waitFor("(hidden): ")
		x.exits(code, 10)
	})
	t.Run("end of input", func(t *testing.T) {
		x := newTerminal(t)
		code := x.run(home(t), "connect", "jira", "--api-key")
		x.waitFor("Site address")
		if _, err := io.WriteString(x.person, "\x04"); err != nil {
			t.Fatal(err)
		}
		x.exits(code, 2)
	})
}

func TestSiteIsChosenOnATerminal(t *testing.T) {
	v := (&vendor{sites: []string{"acme", "beta", "gamma"}}).start(t)
	env, b, x := v.environ(t), newSurfer(), newTerminal(t)
	x.browse = b.open
	code := x.run(env, "connect", "jira")
	x.waitFor("the consent reaches 3 sites")
	x.waitFor("3  gamma")
	x.waitFor("(1 to 3): ")
	if p := b.shown(t); !strings.Contains(p, "back to the terminal and choose") {
		t.Errorf("the page is %s", p)
	}
	for _, nonsense := range []string{"", "0", "4", "delta"} {
		x.typeLine(nonsense)
		x.waitFor("must be one of the numbers")
	}
	x.waitFor("(1 to 3): ")
	x.typeLine("2")
	x.waitFor("https://beta.atlassian.example")
	x.waitFor("next: ucf containers jira")
	x.exits(code, 0)

	x = newTerminal(t)
	x.browse = newSurfer().open
	code = x.run(env, "connect", "jira", "--name", "named", "--site", "delta")
	x.waitFor(`does not reach the site "delta"`)
	x.waitFor("(1 to 3): ")
	x.typeLine("https://gamma.atlassian.example/")
	x.waitFor("next: ")
	x.exits(code, 0)
}

func TestWaitForTheBrowserOnATerminal(t *testing.T) {
	v := (&vendor{sites: []string{"acme"}}).start(t)
	t.Run("interrupted", func(t *testing.T) {
		x := newTerminal(t)
		x.browse = func(context.Context, string) error { return nil }
		code := x.run(append([]string{"TERM=xterm"}, v.environ(t)...), "connect", "jira")
		x.waitFor("waiting for your consent, ")
		x.waitFor("left; Ctrl-C stops")
		if err := unix.Kill(os.Getpid(), unix.SIGINT); err != nil {
			t.Fatal(err)
		}
		x.waitFor("interrupted")
		x.exits(code, interrupted)
	})
	t.Run("pasted", func(t *testing.T) {
		x := newTerminal(t)
		code := x.run(v.environ(t), "connect", "jira", "--no-browser")
		x.waitFor("Address: ")
		_, after, _ := strings.Cut(x.screen.String(), "http://127.0.0.1:")
		opened, _, _ := strings.Cut("http://127.0.0.1:"+after, "\r\n")
		x.typeLine(opened)
		x.waitFor("is the one to open")
		_, state, _ := strings.Cut(opened, "state=")
		x.typeLine("http://127.0.0.1:8976/callback?code=the-code&state=x" + state)
		x.waitFor("another one's")
		x.typeLine("http://127.0.0.1:8976/callback?code=the-code&state=" + state)
		x.waitFor("next: ")
		x.exits(code, 0)
	})
	t.Run("end of input", func(t *testing.T) {
		x := newTerminal(t)
		code := x.run(v.environ(t), "connect", "jira", "--no-browser")
		x.waitFor("Address: ")
		if _, err := io.WriteString(x.person, "\x04"); err != nil {
			t.Fatal(err)
		}
		x.exits(code, 2)
	})
}
