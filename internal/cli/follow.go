package cli

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
)

const (
	// The width of a progress bar, in cells.
	minBar, maxBar = 10, 40
	// Elsewhere a line tells of a step of so many percent, or after that time.
	stepPercent = 10
	stepTime    = 10 * time.Second
)

// follower shows a job while it goes on: a bar on a terminal, a line for each step elsewhere, and for ndjson the job
// whenever it changed. It is safe for concurrent use.
type follower struct {
	c *commandLine

	mu     sync.Mutex
	last   *service.JobOut
	told   service.JobOut // of the last line
	toldAt time.Time
	drawn  bool
	ended  bool
}

func (c *commandLine) follow() *follower { return &follower{c: c} }

// see shows a job where it changed.
func (f *follower) see(j service.JobOut) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended || f.last != nil && reflect.DeepEqual(*f.last, j) {
		return nil
	}
	f.last = &j
	switch {
	case f.c.format() == formatNDJSON:
		b, err := json.Marshal(j)
		if err != nil {
			return err
		}
		return f.c.writeJSON(f.c.io.Out, append(b, '\n'))
	case f.c.flags.quiet:
	case f.c.io.ErrTTY && f.c.io.environ("TERM") != "dumb":
		f.draw(j)
	default:
		f.tell(j)
	}
	return nil
}

// end takes the bar away.
func (f *follower) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	if f.drawn {
		fmt.Fprint(f.c.io.Err, "\r\033[K")
	}
}

// tell writes a line, where the job came a step further.
func (f *follower) tell(j service.JobOut) {
	first := f.toldAt.IsZero()
	step := j.Status != f.told.Status || j.Progress >= f.told.Progress+stepPercent || time.Since(f.toldAt) >= stepTime
	if !first && !step {
		return
	}
	f.told, f.toldAt = j, time.Now()
	f.c.say("", fmt.Sprintf("%s %d%%  %s", j.Status, j.Progress, join(f.c.steps(j))))
}

// draw draws the bar anew.
func (f *follower) draw(j service.JobOut) {
	f.drawn = true
	fmt.Fprint(f.c.io.Err, "\r"+f.c.bar(j, f.c.io.Width)+"\033[K")
}

// bar returns the line of a job on a terminal of that many cells; 0 is unknown.
func (c *commandLine) bar(j service.JobOut, width int) string {
	if width <= 0 {
		width = 80
	}
	percent := fmt.Sprintf(" %3d%%  ", j.Progress)
	text := strings.Join(c.steps(j), "  ")
	size := min(maxBar, width-1-len(percent)-cells(text))
	if size < minBar {
		size = min(minBar, max(0, width-1-len(percent)))
	}
	if left := width - 1 - len(percent) - size; left > 0 {
		text = cutTo(text, left)
	} else {
		text = ""
	}
	p := c.errPainter()
	filled := size * min(max(j.Progress, 0), 100) / 100
	return p.gradient(strings.Repeat("█", filled), size) + p.colour(mutedColour, strings.Repeat("░", size-filled)) + percent + text
}

// steps says how far a job is.
func (c *commandLine) steps(j service.JobOut) []string {
	out := waiting(j)
	add := func(n int, format string) {
		if n > 0 {
			out = append(out, fmt.Sprintf(format, grouped(n)))
		}
	}
	if j.Containers != nil {
		add(j.Containers.Total, grouped(j.Containers.Done)+"/%s containers")
	}
	add(j.Counts.Items.Seen, "%s items")
	add(j.Counts.Comments.Seen, "%s comments")
	if !j.Status.Final() {
		add(int(j.Rate), "%s/s")
		if j.ETASeconds > 0 {
			out = append(out, timeLeft(time.Duration(j.ETASeconds)*time.Second)+" left")
		}
	}
	add(len(j.Incomplete)+j.Dropped, "%s could not be read")
	return out
}

// waiting says why a job does not go on, where it does not.
func waiting(j service.JobOut) []string {
	switch {
	case j.CancelRequested:
		return []string{"stopping"}
	case j.Status != domain.JobQueued:
		return nil
	case j.Error != nil && j.NotBefore != nil:
		return []string{"again at " + clock(*j.NotBefore) + " after: " + oneLine(j.Error.Message)}
	case j.NotBefore != nil:
		return []string{"due at " + clock(*j.NotBefore)}
	}
	return []string{"waiting"}
}

// clock writes a time to come: without the day where it is today.
func clock(t time.Time) string {
	if t = t.Local(); t.Format(time.DateOnly) == time.Now().Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format("2006-01-02 15:04")
}

// timeLeft writes an estimate as roughly as it is.
func timeLeft(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Round(time.Minute).Minutes()))
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}
