package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// usage is what one finished process took.
type usage struct {
	wall  time.Duration
	peak  int64 // resident memory, bytes
	lines int
}

// command returns a command with its own empty home, and env added.
func (b *bench) command(env []string, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(b.ctx, name, args...)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir, "XDG_CONFIG_HOME=" + b.dir + "/config", "XDG_DATA_HOME=" + b.dir + "/data",
	}, env...)
	return cmd
}

// measure runs a command to its end and counts the lines that it prints.
func measure(cmd *exec.Cmd) (usage, error) { return measureWith(cmd, countLines) }

// measureWith runs a command to its end and hands what it prints to read, which returns how many lines it had.
func measureWith(cmd *exec.Cmd, read func(io.Reader) (int, error)) (usage, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return usage{}, err
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return usage{}, err
	}
	n, err := read(stdout)
	if err != nil {
		_, _ = io.Copy(io.Discard, stdout)
	}
	if werr := cmd.Wait(); werr != nil {
		return usage{}, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), werr, stderr.String())
	}
	return usage{wall: time.Since(start), peak: peakOf(cmd.ProcessState), lines: n}, err
}

// countIDs counts lines of NDJSON and refuses an id that comes twice.
func countIDs(r io.Reader) (int, error) {
	seen := map[string]bool{}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), 16<<20)
	for lines.Scan() {
		rest, ok := bytes.CutPrefix(lines.Bytes(), []byte(`{"id":"`))
		id, _, found := bytes.Cut(rest, []byte(`"`))
		if !ok || !found || seen[string(id)] {
			return len(seen), fmt.Errorf("line %d has no id of its own", len(seen)+1)
		}
		seen[string(id)] = true
	}
	return len(seen), lines.Err()
}

func countLines(r io.Reader) (int, error) {
	buf := make([]byte, 256<<10)
	n := 0
	for {
		k, err := r.Read(buf)
		n += bytes.Count(buf[:k], []byte{'\n'})
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// pair runs two commands in turn and returns the usages of each, one round after a warm-up of both.
func pair(rounds int, a, base func() *exec.Cmd) (as, bs []usage, err error) {
	for i := range rounds + 1 {
		ua, err := measure(a())
		if err != nil {
			return nil, nil, err
		}
		ub, err := measure(base())
		if err != nil {
			return nil, nil, err
		}
		if i > 0 {
			as, bs = append(as, ua), append(bs, ub)
		}
	}
	return as, bs, nil
}

// ratios returns the median of the rounds' wall-time ratios with the smallest and the largest.
func ratios(as, bs []usage) string {
	r := make([]float64, len(as))
	for i := range as {
		r[i] = as[i].wall.Seconds() / bs[i].wall.Seconds()
	}
	slices.Sort(r)
	return fmt.Sprintf("%.2f × (%.2f–%.2f)", r[len(r)/2], r[0], r[len(r)-1])
}

func medianWall(us []usage) time.Duration {
	d := make([]time.Duration, len(us))
	for i, u := range us {
		d[i] = u.wall
	}
	slices.Sort(d)
	return d[len(d)/2]
}

func show(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// server is a process that serves until it is stopped.
type server struct {
	cmd *exec.Cmd
	url string
}

// serve starts a command and waits until it prints the address that it listens on.
func serve(cmd *exec.Cmd) (*server, error) {
	pr, pw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = pw, pw
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, pr.Close(), pw.Close())
	}
	pw.Close()
	lines := bufio.NewScanner(pr)
	for lines.Scan() {
		if i := strings.Index(lines.Text(), "http://127.0.0.1:"); i >= 0 {
			url, _, _ := strings.Cut(lines.Text()[i:], " ")
			go func() { // what it says further must not end it
				_, _ = io.Copy(io.Discard, pr)
				_ = pr.Close()
			}()
			return &server{cmd, strings.TrimRight(url, `/".,`)}, nil
		}
	}
	_ = pr.Close()
	return nil, fmt.Errorf("%s ended before it listened", cmd.Args[0])
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(os.Interrupt)
	_ = s.cmd.Wait()
}
