package main

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const hello = "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hello\") }\n"

// start measures the start of a process beside a bare Go hello.
func (b *bench) start() error {
	src, bin := filepath.Join(b.dir, "hello.go"), filepath.Join(b.dir, "hello")
	if err := os.WriteFile(src, []byte(hello), 0o600); err != nil {
		return err
	}
	build := exec.CommandContext(b.ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", bin, src)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the hello: %w: %s", err, out)
	}
	for _, c := range []struct {
		args []string
		aim  string
	}{{[]string{"version"}, "aim: under 8"}, {[]string{"connectors", "list"}, "aim: under 12"}} {
		as, bs, err := pair(4*b.rounds,
			func() *exec.Cmd { return b.command(nil, b.ucf, c.args...) },
			func() *exec.Cmd { return b.command(nil, bin) })
		if err != nil {
			return err
		}
		b.add("start of `ucf "+strings.Join(c.args, " ")+"`", show(medianWall(as)), "bare Go hello "+show(medianWall(bs)), ratios(as, bs), c.aim)
	}
	return nil
}

// jira measures a full listing of the sandbox beside a bare loop that fetches the same pages.
func (b *bench) jira() error {
	peaks := map[int]int64{}
	for _, n := range []int{b.issues / 100, b.issues} {
		sb, err := serve(b.command(nil, b.ucf, "sandbox", "--listen", "127.0.0.1:0", "--issues", fmt.Sprint(n)))
		if err != nil {
			return err
		}
		defer sb.stop()
		env := []string{"UCF_JIRA_BASE_URL=" + sb.url + "/acme", "UCF_JIRA_API_EMAIL=you@example.com", "UCF_JIRA_API_TOKEN=sandbox"}
		list := func() *exec.Cmd { return b.command(env, b.ucf, "items", "jira", "--all", "-o", "ndjson") }
		u, err := measureWith(list(), countIDs)
		if err != nil {
			return err
		}
		if u.lines != n {
			return fmt.Errorf("%d issues listed of %d", u.lines, n)
		}
		peaks[n] = u.peak
		if n != b.issues {
			continue
		}
		self, err := os.Executable()
		if err != nil {
			return err
		}
		as, bs, err := pair(max(b.rounds/3, 3), list, func() *exec.Cmd { return b.command(nil, self, "-fetch", sb.url) })
		if err != nil {
			return err
		}
		b.add(fmt.Sprintf("`ucf items jira --all`, %d issues", n), show(medianWall(as)), "bare fetch loop "+show(medianWall(bs)), ratios(as, bs), "every id once")
	}
	b.memory("jira", peaks, b.issues/100, b.issues)
	return nil
}

func (b *bench) memory(what string, peaks map[int]int64, small, large int) {
	b.add(fmt.Sprintf("peak memory, %s, %d items", what, large), mib(peaks[large]), fmt.Sprintf("%d items %s", small, mib(peaks[small])),
		fmt.Sprintf("%.2f ×", float64(peaks[large])/float64(peaks[small])), "aim: within 1.10")
}

// installed reports whether all programs are there.
func installed(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		_, err := exec.LookPath(name)
		return err != nil
	})
}

// postgres measures a full listing of a table beside COPY. Without psql, pgbench and UCF_TEST_POSTGRES_URL it says
// so and measures nothing.
func (b *bench) postgres() error {
	dsn := os.Getenv("UCF_TEST_POSTGRES_URL")
	if dsn == "" || !installed("psql", "pgbench") {
		fmt.Fprintln(os.Stderr, "postgres: not measured: set UCF_TEST_POSTGRES_URL and install psql and pgbench")
		return nil
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return err
	}
	pw, _ := u.User.Password()
	env := []string{"UCF_POSTGRES_DSN=" + dsn, "PGPASSWORD=" + pw}
	rows := b.scale * 100_000
	if out, err := b.command(env, "pgbench", "-i", "-q", "-s", fmt.Sprint(b.scale), dsn).CombinedOutput(); err != nil {
		return fmt.Errorf("pgbench: %w: %s", err, out)
	}
	list := func(more ...string) *exec.Cmd {
		return b.command(env, b.ucf, append([]string{"items", "postgres", "--container", "public.pgbench_accounts", "-o", "ndjson"}, more...)...)
	}
	peaks := map[int]int64{}
	for n, arg := range map[int]string{smallTable: fmt.Sprint("--limit=", smallTable), rows: "--all"} {
		got, err := measureWith(list(arg), countIDs)
		if err != nil {
			return err
		}
		if got.lines != n {
			return fmt.Errorf("%d rows listed of %d", got.lines, n)
		}
		peaks[n] = got.peak
	}
	as, bs, err := pair(3, func() *exec.Cmd { return list("--all") }, func() *exec.Cmd {
		return b.command(env, "psql", "-X", "-c", "COPY public.pgbench_accounts TO STDOUT", dsn)
	})
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("`ucf items postgres --all`, %d rows", rows), show(medianWall(as)), "`psql COPY` "+show(medianWall(bs)), ratios(as, bs), "every row once; 3 rounds")
	b.memory("postgres", peaks, smallTable, rows)
	return nil
}

// smallTable is how many rows the memory of a large listing is held against.
const smallTable = 50_000
