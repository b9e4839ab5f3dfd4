package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
)

// jobsView lists jobs.
func (c *commandLine) jobsView(jobs []service.JobOut) view {
	v := view{
		head:  []string{"ID", "CONNECTOR", "TYPE", "STATUS", "PROGRESS", "ITEMS", "EVERY", "CREATED", "ERROR"},
		paint: paintStatus(3), flex: 8, keep: 4,
		empty: "no jobs; `ucf jobs start` makes one, and `ucf sync` runs one here",
	}
	for _, j := range jobs {
		v.rows = append(v.rows, []string{
			j.ID, j.ConnectorID, string(j.Type), string(j.Status), strconv.Itoa(j.Progress) + "%", strconv.Itoa(j.Counts.Items.Seen),
			j.Every, c.when(&j.CreatedAt), jobError(j),
		})
	}
	return v
}

func jobError(j service.JobOut) string {
	if j.Error == nil {
		return ""
	}
	return string(j.Error.Code) + ": " + j.Error.Message
}

// jobView shows one job.
func (c *commandLine) jobView(j service.JobOut) view {
	state := string(j.Status)
	if j.CancelRequested {
		state += ", asked to stop"
	}
	attempts := ""
	if j.Attempts > 0 {
		attempts = strconv.Itoa(j.Attempts)
	}
	v := fields("id", j.ID, "connector", j.ConnectorID, "connection", j.ConnectionID, "type", string(j.Type), "status", state,
		"progress", strconv.Itoa(j.Progress)+"%", "every", j.Every, "due", c.when(j.NotBefore), "error", jobError(j), "failed attempts", attempts,
		"containers", countText(j.Counts.Containers), "items", countText(j.Counts.Items), "comments", countText(j.Counts.Comments),
		"created", c.when(&j.CreatedAt), "started", c.when(j.StartedAt), "finished", c.when(j.FinishedAt))
	paint := v.paint
	v.paint = func(col int, cell string) colour {
		if col == 1 && cell == state {
			return statusColour(string(j.Status))
		}
		return paint(col, cell)
	}
	return v
}

// countText writes what became of records, without what is zero.
func countText(n domain.Count) string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{n.Seen, "seen"}, {n.Created, "created"}, {n.Updated, "updated"}, {n.Deleted, "deleted"}, {n.Unchanged, "unchanged"}} {
		if p.n > 0 {
			parts = append(parts, grouped(p.n)+" "+p.what)
		}
	}
	return join(parts)
}

// report shows what became of the records that a job met: what it read is complete but for what is named after it.
func report(j service.JobOut) view {
	v := view{head: []string{"KIND", "SEEN", "CREATED", "UPDATED", "DELETED", "UNCHANGED"}}
	for _, k := range []struct {
		kind string
		n    domain.Count
	}{{"containers", j.Counts.Containers}, {"items", j.Counts.Items}, {"comments", j.Counts.Comments}} {
		row := []string{k.kind}
		for _, n := range []int{k.n.Seen, k.n.Created, k.n.Updated, k.n.Deleted, k.n.Unchanged} {
			row = append(row, strconv.Itoa(n))
		}
		v.rows = append(v.rows, row)
	}
	return v
}

// showEnded prints a job that is over: programs get the job, people the report and the names of what could not be read.
func (c *commandLine) showEnded(j service.JobOut) error {
	// With ndjson its last line is the job already.
	if c.format() != formatNDJSON {
		v := report(j)
		if j.Type == domain.ProbeJob {
			v = c.jobView(j)
		}
		if err := c.show(j, v); err != nil {
			return err
		}
	}
	c.sayGaps(j)
	return nil
}

// outcome returns the error that a job ended with, nil where it succeeded.
func outcome(j service.JobOut) error {
	switch {
	case j.Status == domain.JobSucceeded:
		return nil
	case j.Status == domain.JobCanceled:
		return connectors.Errorf(connectors.Conflict, "the job was canceled; what it read until then is kept")
	case j.Error == nil || ExitCode(j.Error.Code) == 0:
		return connectors.Errorf(connectors.Internal, "the job is %s, and does not tell why", j.Status)
	}
	e := connectors.Errorf(j.Error.Code, "the job failed: %s", j.Error.Message)
	e.Details = map[string]any{"jobId": j.ID}
	if len(j.Incomplete) > 0 {
		e.Details["incomplete"] = j.Incomplete
	}
	return e
}

// sayGaps names what a job could not read, for people.
func (c *commandLine) sayGaps(j service.JobOut) {
	if c.forPrograms() || c.flags.output == formatYAML || len(j.Incomplete) == 0 {
		return
	}
	fmt.Fprintln(c.io.Err, c.errPainter().colour(warnColour, "could not be read:"))
	for _, g := range j.Incomplete {
		c.say("  ", strings.TrimPrefix(g.ContainerID+": "+string(g.Code)+": "+g.Reason, ": "))
	}
	if j.Dropped > 0 {
		fmt.Fprintf(c.io.Err, "  and %s more\n", grouped(j.Dropped))
	}
}

// grouped writes a number with its thousands apart.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
