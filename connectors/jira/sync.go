package jira

import (
	"context"
	"encoding/json"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
)

// A comment that is added, edited or deleted changes the time of its issue, so that the driver is no
// [connectors.CommentedLister]: the changed issues are those with changed comments.
var (
	_ connectors.Timekeeper     = (*Driver)(nil)
	_ connectors.CommentCounter = (*Driver)(nil)
)

// SystemTime implements [connectors.Timekeeper]. The server information tells the time even where a proxy took the date off
// its answer.
func (d *Driver) SystemTime(ctx context.Context) (time.Time, error) {
	return d.api.SystemTime(ctx, func(ctx context.Context) error {
		info, _, err := d.serverInfo(ctx)
		if at, ok := atlassian.ParseTime(info.ServerTime); ok && err == nil {
			d.api.NoteTime(at)
		}
		return err
	})
}

// CountComments implements [connectors.CommentCounter] by what a raw listing embeds.
func (d *Driver) CountComments(it connectors.Item) (n int, known bool) {
	var is struct {
		Fields struct {
			Comment *struct {
				Total *int `json:"total"`
			} `json:"comment"`
		} `json:"fields"`
	}
	if err := json.Unmarshal(it.Raw, &is); err != nil || is.Fields.Comment == nil || is.Fields.Comment.Total == nil || *is.Fields.Comment.Total < 0 {
		return 0, false
	}
	return *is.Fields.Comment.Total, true
}
