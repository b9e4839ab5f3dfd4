package sqlitestore

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// child is what the test binary does as another process: it says "ready", waits for a line, plays its role on the
// file, and says what was acknowledged.
func child(role string) int {
	fmt.Println("ready")
	stdin := bufio.NewReader(os.Stdin)
	_, _ = stdin.ReadString('\n')
	path, arg := os.Getenv("UCF_STORE_PATH"), os.Getenv("UCF_STORE_ARG")
	switch role {
	case "hold":
		return holdRole(path, arg, stdin)
	case "restore":
		return restoreRole(path, arg)
	}
	s, err := Open(context.Background(), path, nil)
	if err != nil {
		fmt.Println("error", err, connectors.AsError(err).Err)
		return 1
	}
	defer s.Close()
	switch role {
	case "write":
		err = writeRole(s, arg)
	case "count":
		err = countRole(s, arg)
	}
	if err != nil {
		fmt.Println("error", err, connectors.AsError(err).Err)
		return 1
	}
	fmt.Println("done")
	return 0
}

// writeRole creates tokens for ever, and prints the ID of each when it is kept.
func writeRole(s *Store, prefix string) error {
	for n := 0; ; n++ {
		tok := newToken(fmt.Sprintf("tok_%s_%06d", prefix, n))
		tok.Sealed = strings.Repeat(prefix, n%5000)
		if err := s.CreateToken(context.Background(), tok); err != nil {
			return err
		}
		fmt.Println(tok.ID)
	}
}

// countRole adds one to a sync state's generation, many times.
func countRole(s *Store, times string) error {
	n, err := strconv.Atoi(times)
	for n > 0 && err == nil {
		var st domain.SyncState
		if st, err = s.SyncState(context.Background(), acme, "con_1", "items", ""); err != nil {
			return err
		}
		st.Generation++
		switch _, err = s.PutSyncState(context.Background(), st); connectors.CodeOf(err) {
		case "":
			n--
		case connectors.Conflict:
			err = nil
		}
	}
	return err
}

// holdRole runs statements on one connection and keeps it until the next line.
func holdRole(path, statements string, stdin *bufio.Reader) int {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(context.Background(), statements); err != nil {
		fmt.Println("error", err)
		return 1
	}
	fmt.Println("held")
	_, _ = stdin.ReadString('\n')
	return 0
}

// process is a child.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
}

// spawn starts a child and waits until it is ready. A child that still runs is killed when the test ends.
func spawn(t *testing.T, role, path, arg string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "UCF_STORE_CHILD="+role, "UCF_STORE_PATH="+path, "UCF_STORE_ARG="+arg)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	p := &process{t: t, cmd: cmd, stdin: stdin, lines: bufio.NewScanner(stdout)}
	p.want("ready")
	return p
}

// tell lets the child go on.
func (p *process) tell() {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, "go\n"); err != nil {
		p.t.Fatal(err)
	}
}

// line returns the next line of the child, "" at the end.
func (p *process) line() string {
	p.lines.Scan()
	return p.lines.Text()
}

func (p *process) want(line string) {
	p.t.Helper()
	if got := p.line(); got != line {
		p.t.Fatalf("the child says %q, want %q", got, line)
	}
}

// hold locks a file from another process; the function that it returns ends that.
func hold(t *testing.T, path string, statements ...string) func() {
	t.Helper()
	p := spawn(t, "hold", path, strings.Join(statements, ";"))
	p.tell()
	p.want("held")
	return func() {
		p.tell()
		if err := p.cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestProcessesCountTogether(t *testing.T) {
	const each, processes = 40, 3
	path := filepath.Join(t.TempDir(), "ucf.db")
	s := mustOpen(t, path, defaults())
	if _, err := s.PutSyncState(t.Context(), domain.SyncState{Meta: domain.Meta{Tenant: acme}, ConnectionID: "con_1", Stream: "items"}); err != nil {
		t.Fatal(err)
	}
	var children []*process
	for range processes {
		children = append(children, spawn(t, "count", path, strconv.Itoa(each)))
	}
	for _, p := range children {
		p.tell()
	}
	if err := countRole(s, strconv.Itoa(each)); err != nil {
		t.Error(err)
	}
	for _, p := range children {
		p.want("done")
	}
	st, err := s.SyncState(t.Context(), acme, "con_1", "items", "")
	if want := int64(each * (processes + 1)); err != nil || st.Generation != want || st.Revision != want+1 {
		t.Errorf("generation %d, revision %d (%v), want %d increments", st.Generation, st.Revision, err, want)
	}
}

// TestKilledWriters kills writers in the middle of writes, again and again on one file: what they had acknowledged is there.
func TestKilledWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ucf.db")
	var acknowledged []string
	for round := range 4 {
		var wg sync.WaitGroup
		var mu sync.Mutex
		for w := range 2 {
			p := spawn(t, "write", path, fmt.Sprintf("r%dw%d", round, w))
			p.tell()
			wg.Go(func() {
				said := p.readUntilKilled(20 + 15*round + 7*w)
				mu.Lock()
				defer mu.Unlock()
				acknowledged = append(acknowledged, said...)
			})
		}
		wg.Wait()
		s := mustOpen(t, path, defaults())
		for _, id := range acknowledged {
			if tok, err := s.Token(t.Context(), acme, id); err != nil || tok.ID != id {
				t.Errorf("round %d: %s was acknowledged: %v", round, id, err)
			}
		}
		if err := checkIntegrity(t.Context(), s); err != nil {
			t.Error(err)
		}
		_ = s.Close()
	}
	if len(acknowledged) < 4*2*20 {
		t.Errorf("only %d writes were acknowledged", len(acknowledged))
	}
}

// readUntilKilled kills the child after some lines and returns all the whole lines that it printed.
func (p *process) readUntilKilled(lines int) []string {
	var said []string
	for p.lines.Scan() {
		line := p.lines.Text()
		if !strings.HasPrefix(line, "tok_") {
			p.t.Errorf("the child says %q", line)
			continue
		}
		said = append(said, line)
		if len(said) == lines {
			_ = p.cmd.Process.Kill()
		}
	}
	_ = p.cmd.Wait()
	return said
}

// TestFirstOpenTogether opens a store that does not exist from several processes and goroutines at once.
func TestFirstOpenTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "ucf.db")
	var children []*process
	for range 4 {
		children = append(children, spawn(t, "open", path, ""))
	}
	start := make(chan struct{})
	opened := make(chan error, 8)
	for n := range cap(opened) {
		go func() {
			<-start
			opened <- openAndWrite(path, n)
		}()
	}
	for _, p := range children {
		p.tell()
	}
	close(start)
	for range cap(opened) {
		if err := <-opened; err != nil {
			t.Errorf("%v (cause %v)", err, connectors.AsError(err).Err)
		}
	}
	for _, p := range children {
		p.want("done")
	}
	s := mustOpen(t, path, defaults())
	list, err := s.ListTokens(t.Context(), acme, listOf(100))
	if err != nil || len(list) != cap(opened) {
		t.Errorf("%d tokens (%v), want %d", len(list), err, cap(opened))
	}
	if err := checkIntegrity(t.Context(), s); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v (%v), want mode 0600", info, err)
	}
}

func openAndWrite(path string, n int) error {
	s, err := Open(context.Background(), path, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return s.CreateToken(ctx, newToken(fmt.Sprintf("tok_%d", n)))
}
