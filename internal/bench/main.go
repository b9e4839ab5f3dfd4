// Command bench measures ucf as whole processes, each figure as a ratio to a baseline measured in the same run, in
// turn with it, so that the drift of a busy machine falls on both. `make bench` runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// bench is one run of all benchmarks.
type bench struct {
	ctx    context.Context // ends when the run is interrupted
	ucf    string          // the binary that is measured
	dir    string          // for what is built and written on the way
	rounds int
	scale  int // of pgbench: 100,000 rows each
	issues int
	items  int    // of the largest sync
	only   string // the parts that are measured, all if empty
	rows   []row
}

// row is one line of the result.
type row struct{ what, figure, baseline, ratio, note string }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := bench{ctx: ctx}
	out := flag.String("out", "docs/benchmarks.md", "file that the table is written to; empty for none")
	fetch := flag.String("fetch", "", "be the baseline: fetch all issues from this address and exit")
	decode := flag.Bool("decode", false, "with -fetch: decode each issue, and write it anew")
	puts := flag.String("puts", "", "be the baseline: put the records of this file into a store and exit")
	flag.StringVar(&b.ucf, "ucf", "bin/ucf", "the binary to measure")
	flag.IntVar(&b.rounds, "rounds", 11, "rounds of each pair")
	flag.IntVar(&b.scale, "scale", 50, "scale of pgbench, 100,000 rows each")
	flag.IntVar(&b.issues, "issues", 100_000, "issues in the sandbox")
	flag.IntVar(&b.items, "items", 1_000_000, "items of the largest sync, about 15 KB each on the disk")
	flag.StringVar(&b.only, "only", "", "measure these parts alone, separated by commas: start, claims, connections, jira, sync, memory, postgres")
	flag.Parse()
	var err error
	switch {
	case *fetch != "":
		err = fetchAll(ctx, *fetch, *decode)
	case *puts != "":
		err = putAll(ctx, *puts)
	default:
		err = b.run(*out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func (b *bench) run(out string) error {
	dir, err := os.MkdirTemp("", "ucf-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a left-over temporary folder harms nobody
	b.dir = dir
	if b.ucf, err = filepath.Abs(b.ucf); err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		run  func() error
	}{
		{"start", b.start}, {"claims", b.claims}, {"connections", b.connections}, {"jira", b.jira}, {"sync", b.sync}, {"memory", b.memoryOfSyncs}, {"postgres", b.postgres},
	} {
		if b.only != "" && !slices.Contains(strings.Split(b.only, ","), part.name) {
			continue
		}
		if err := part.run(); err != nil {
			return err
		}
	}
	table := b.table()
	fmt.Print(table)
	if out == "" {
		return nil
	}
	return os.WriteFile(out, []byte(table), 0o644)
}

func (b *bench) add(what, figure, baseline, ratio, note string) {
	b.rows = append(b.rows, row{what, figure, baseline, ratio, note})
	fmt.Fprintf(os.Stderr, "%s: %s against %s, ratio %s (%s)\n", what, figure, baseline, ratio, note)
}

func (b *bench) table() string {
	var s strings.Builder
	fmt.Fprintf(&s, "# Benchmarks\n\nWritten by `make bench` on %s/%s with %d cores and %s. Each ratio is the median of %d rounds, in which both\n"+
		"sides ran in turn, with the smallest and the largest behind it. Absolute times tell of the machine only.\n\n"+
		"| what | ucf | baseline | ratio | note |\n|---|---|---|---|---|\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), b.rounds)
	for _, r := range b.rows {
		fmt.Fprintf(&s, "| %s | %s | %s | %s | %s |\n", r.what, r.figure, r.baseline, r.ratio, r.note)
	}
	return s.String()
}
