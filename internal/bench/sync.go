package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store/sqlitestore"
)

// sync measures syncs of the sandbox: to lines beside a bare loop that fetches the same pages and decodes them, and to the records of the
// embedded store beside the same puts fed from memory.
func (b *bench) sync() error {
	sb, err := serve(b.command(nil, b.ucf, "sandbox", "--listen", "127.0.0.1:0", "--issues", fmt.Sprint(b.issues)))
	if err != nil {
		return err
	}
	defer sb.stop()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	env := []string{"UCF_JIRA_BASE_URL=" + sb.url + "/acme", "UCF_JIRA_API_EMAIL=you@example.com", "UCF_JIRA_API_TOKEN=sandbox"}
	rounds := max(b.rounds/3, 3)
	as, bs, err := pair(rounds,
		func() *exec.Cmd { return b.command(env, b.ucf, "sync", "jira", "--stream", "items", "--out", "-") },
		func() *exec.Cmd { return b.command(nil, self, "-fetch", sb.url, "-decode") })
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("`ucf sync jira --out -`, %d issues", b.issues), show(medianWall(as)), "bare fetch-and-decode loop "+show(medianWall(bs)), ratios(as, bs), "aim: at most 1.25")
	return b.records(env, self, rounds)
}

// records measures a sync into records.
func (b *bench) records(env []string, self string, rounds int) error {
	lines := filepath.Join(b.dir, "items.ndjson")
	if _, err := measure(b.command(env, b.ucf, "sync", "jira", "--stream", "items", "--raw", "--out", lines)); err != nil {
		return err
	}
	var failed error
	sync := func() *exec.Cmd {
		cmd, _, err := b.intoRecords(env)
		failed = errors.Join(failed, err)
		return cmd
	}
	as, bs, err := pair(rounds, sync, func() *exec.Cmd { return b.command(nil, self, "-puts", lines) })
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	b.add(fmt.Sprintf("`ucf sync jira` into records, %d issues", b.issues), show(medianWall(as)), "the same puts from memory "+show(medianWall(bs)), ratios(as, bs),
		"aim: at most 1.25; peak "+mib(as[0].peak))
	return nil
}

// intoRecords returns a sync into the records of a fresh home, which it returns too.
func (b *bench) intoRecords(env []string) (*exec.Cmd, string, error) {
	home, err := os.MkdirTemp(b.dir, "home-")
	if err != nil {
		return nil, "", err
	}
	fresh := append([]string{"HOME=" + home, "XDG_CONFIG_HOME=" + home, "XDG_DATA_HOME=" + home}, env...)
	if out, err := b.command(fresh, b.ucf, "connect", "jira", "--api-key", "--name", "bench").CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("connect: %w: %s", err, out)
	}
	return b.command(fresh, b.ucf, "sync", "jira", "--connection", "bench", "--stream", "items"), home, nil
}

// memoryOfSyncs holds the peak memory of syncs of many items against that of few, to lines and into records.
func (b *bench) memoryOfSyncs() error {
	const few = 10_000
	toLines, toRecords := map[int]int64{}, map[int]int64{}
	for _, n := range []int{few, b.items} {
		sb, err := serve(b.command(nil, b.ucf, "sandbox", "--listen", "127.0.0.1:0", "--issues", fmt.Sprint(n)))
		if err != nil {
			return err
		}
		defer sb.stop()
		env := []string{"UCF_JIRA_BASE_URL=" + sb.url + "/acme", "UCF_JIRA_API_EMAIL=you@example.com", "UCF_JIRA_API_TOKEN=sandbox"}
		// A short run meets fewer of the moments in which much is in memory: of few items the middle of several runs counts.
		runs := 1
		if n == few {
			runs = 7
		}
		var lines, records []int64
		for range runs {
			u, err := measure(b.command(env, b.ucf, "sync", "jira", "--stream", "items", "--raw", "--out", os.DevNull, "--force"))
			if err != nil {
				return err
			}
			lines = append(lines, u.peak)
			peak, err := b.peakIntoRecords(env)
			if err != nil {
				return err
			}
			records = append(records, peak)
		}
		toLines[n], toRecords[n] = middle(lines), middle(records)
	}
	b.memory("sync to lines", toLines, few, b.items)
	b.memory("sync into records", toRecords, few, b.items)
	return nil
}

// peakIntoRecords returns the peak memory of a sync into the records of a home that is removed afterwards.
func (b *bench) peakIntoRecords(env []string) (int64, error) {
	cmd, home, err := b.intoRecords(env)
	if err != nil {
		return 0, err
	}
	u, err := measure(cmd)
	return u.peak, errors.Join(err, os.RemoveAll(home))
}

func middle(ns []int64) int64 {
	slices.Sort(ns)
	return ns[len(ns)/2]
}

// putAll is the baseline of a sync into records: the same records, read before the clock of the store starts, put in pages of
// the same size by as many writers.
func putAll(ctx context.Context, path string) error {
	pages, err := pagesOf(path)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ucf-bench-puts-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a left-over temporary folder harms nobody
	s, err := sqlitestore.Open(ctx, filepath.Join(dir, "ucf.db"), nil)
	if err != nil {
		return err
	}
	f, err := s.TakeFeed(ctx, "bench", "con_bench", "bench", time.Hour)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for _, page := range pages {
		group.Go(func() error {
			_, err := s.PutRecords(ctx, f, page)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return s.Close()
}

func pagesOf(path string) ([][]domain.Record, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var pages [][]domain.Record
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var l struct {
			ID, ContainerID string
			SyncedAt        time.Time
			Value           json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return nil, err
		}
		if n := len(pages); n == 0 || len(pages[n-1]) == 100 {
			pages = append(pages, nil)
		}
		last := &pages[len(pages)-1]
		*last = append(*last, domain.Record{
			Kind: domain.ItemRecord, ID: l.ID, ContainerID: l.ContainerID, SyncedAt: l.SyncedAt, Hash: "of " + l.ID, Seen: 1, Value: l.Value, Raw: json.RawMessage("{}"),
		})
	}
	return pages, lines.Err()
}
