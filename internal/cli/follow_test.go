package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
)

// halfway is a job in the middle of its work.
func halfway() service.JobOut {
	j := domain.Job{ID: "job_1", Type: domain.SyncJob, Status: domain.JobRunning}
	j.Progress, j.Containers, j.Rate, j.ETASeconds = 42, domain.Done{Done: 3, Total: 50}, 410.7, 95
	j.Counts.Items.Seen, j.Counts.Comments.Seen = 12345, 7
	return service.ShowJob(j)
}

func TestBarFitsTheTerminal(t *testing.T) {
	c := newCommandLine(IO{ErrTTY: true, Environ: []string{"TERM=dumb"}})
	for width, want := range map[int]string{
		0:   "██████░░░░░░░░░  42%  3/50 containers  12,345 items  7 comments  410/s  2m left",
		120: "████████████████░░░░░░░░░░░░░░░░░░░░░░░░  42%  3/50 containers  12,345 items  7 comments  410/s  2m left",
		60:  "████░░░░░░  42%  3/50 containers  12,345 items  7 comments…",
		20:  "████░░░░░░  42%  3…",
		5:   "  42%  ",
	} {
		got := c.bar(halfway(), width)
		if n := cells(got); width > 7 && n >= width {
			t.Errorf("width %d: the bar takes %d cells: %q", width, n, got)
		}
		if got != want {
			t.Errorf("width %d: got %q, want %q", width, got, want)
		}
	}
	hostile := halfway()
	hostile.Status, hostile.Error = domain.JobQueued, &domain.JobError{Code: connectors.ProviderError, Message: "a\x1b[2J\nb"}
	at := time.Now()
	hostile.NotBefore = &at
	if got := c.bar(hostile, 200); strings.ContainsAny(got, "\x1b\n") || !strings.Contains(got, "again at ") {
		t.Errorf("got %q", got)
	}
}

func TestFollowerElsewhere(t *testing.T) {
	var out, errs bytes.Buffer
	c := newCommandLine(IO{Out: &out, Err: &errs})
	see := func(f *follower, status domain.JobStatus, progress int) {
		t.Helper()
		j := halfway()
		j.Status, j.Progress = status, progress
		if err := f.see(j); err != nil {
			t.Fatal(err)
		}
	}
	steps := func(f *follower) {
		see(f, domain.JobQueued, 0)
		see(f, domain.JobQueued, 0)
		see(f, domain.JobRunning, 0)
		see(f, domain.JobRunning, 9)
		see(f, domain.JobRunning, 10)
		see(f, domain.JobRunning, 15)
		see(f, domain.JobSucceeded, 100)
		f.end()
		see(f, domain.JobRunning, 50) // a late beat
	}
	steps(c.follow())
	want := []string{"queued 0%", "running 0%", "running 10%", "succeeded 100%"}
	lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
	for i, line := range lines {
		if len(lines) != len(want) || !strings.HasPrefix(line, want[i]) || strings.Contains(line, "\x1b") {
			t.Fatalf("the lines are %q, want %q", lines, want)
		}
	}
	if out.Len() > 0 {
		t.Errorf("the output has %q", out.String())
	}
	errs.Reset()
	c.flags.quiet = true
	steps(c.follow())
	c.flags.output = formatNDJSON
	steps(c.follow())
	if n := strings.Count(out.String(), "\n"); n != 6 || errs.Len() > 0 {
		t.Errorf("ndjson has %d lines, want 6; beside it is %q", n, errs.String())
	}
}

func TestFollowerOnATerminal(t *testing.T) {
	var errs bytes.Buffer
	c := newCommandLine(IO{Out: &errs, Err: &errs, OutTTY: true, ErrTTY: true, Width: 100, Environ: []string{"TERM=xterm", "COLORTERM=truecolor"}})
	f := c.follow()
	if err := f.see(halfway()); err != nil {
		t.Fatal(err)
	}
	f.end()
	got := errs.String()
	if !strings.HasPrefix(got, "\r") || !strings.HasSuffix(got, "\r\x1b[K") || strings.Contains(got, "\n") || !strings.Contains(got, "38;2;36;99;235m█") {
		t.Errorf("got %q", got)
	}
}

func TestOutcomeOfAJob(t *testing.T) {
	for name, tc := range map[string]struct {
		job  domain.Job
		code int
	}{
		"succeeded":   {domain.Job{Status: domain.JobSucceeded}, 0},
		"canceled":    {domain.Job{Status: domain.JobCanceled}, 6},
		"incomplete":  {domain.Job{Status: domain.JobFailed, Error: &domain.JobError{Code: connectors.Incomplete}}, 3},
		"reauthorize": {domain.Job{Status: domain.JobFailed, Error: &domain.JobError{Code: connectors.Reauthorize}}, 4},
		"gone":        {domain.Job{Status: domain.JobFailed, Error: &domain.JobError{Code: connectors.NotFound}}, 5},
		"down":        {domain.Job{Status: domain.JobFailed, Error: &domain.JobError{Code: connectors.ProviderError}}, 9},
		"no reason":   {domain.Job{Status: domain.JobFailed}, 1},
		"of the next": {domain.Job{Status: domain.JobFailed, Error: &domain.JobError{Code: "new"}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			err := outcome(service.ShowJob(tc.job))
			if got := ExitCode(connectors.CodeOf(err)); got != tc.code || (err == nil) != (tc.code == 0) {
				t.Errorf("%v exits with %d, want %d", err, got, tc.code)
			}
		})
	}
}

func TestTimeLeft(t *testing.T) {
	for d, want := range map[time.Duration]string{
		59 * time.Second: "59s", 95 * time.Second: "2m", 59 * time.Minute: "59m", 65 * time.Minute: "1h05m", 26 * time.Hour: "26h00m",
	} {
		if got := timeLeft(d); got != want {
			t.Errorf("%s is %s, want %s", d, got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

// stopper is where a command writes to that is interrupted once it has written.
type stopper struct {
	bytes.Buffer
	stop func()
}

func (s *stopper) Write(p []byte) (int, error) {
	defer s.stop()
	return s.Buffer.Write(p)
}

// Whoever watches stops watching, and not the job.
func TestWatchIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	errs := &stopper{stop: cancel}
	home := t.TempDir()
	c := newCommandLine(IO{Out: errs, Err: errs, Environ: []string{"HOME=" + home, "XDG_CONFIG_HOME=" + home, "XDG_DATA_HOME=" + home, "APPDATA=" + home}})
	s, tenant, err := c.open()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	st, err := s.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	j := domain.Job{Meta: domain.Meta{Tenant: tenant, CreatedAt: time.Now(), UpdatedAt: time.Now()}, ID: domain.NewID(domain.JobPrefix, time.Now()), Type: domain.SyncJob}
	if err := st.CreateJob(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	err = c.watchJob(ctx, j.ID)
	if code := c.fail(ctx, err); code != interrupted {
		t.Errorf("%v exits with %d", err, code)
	}
	for _, want := range []string{"queued 0%", "ucf jobs watch " + j.ID, "ucf jobs cancel " + j.ID, "interrupted"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("%q is not said: %s", want, errs.String())
		}
	}
	if j, err = st.Job(t.Context(), tenant, j.ID); err != nil || j.Status != domain.JobQueued || j.CancelRequested {
		t.Errorf("the job is %s, %v", j.Status, err)
	}
}
