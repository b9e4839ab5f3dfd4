package jira

import (
	"context"
	"encoding/json"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// A comment that is added, edited or deleted changes the time of its issue, so that the driver is no
// [connectors.CommentedLister]: the changed issues are those with changed comments.
var (
	_ connectors.Timekeeper     = (*Driver)(nil)
	_ connectors.CommentCounter = (*Driver)(nil)
)

// SystemTime implements [connectors.Timekeeper].
func (d *Driver) SystemTime(ctx context.Context) (time.Time, error) {
	return d.api.SystemTime(ctx, func(ctx context.Context) error {
		_, _, err := d.serverInfo(ctx)
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
	if err := json.Unmarshal(it.Raw, &is); err != nil || is.Fields.Comment == nil || is.Fields.Comment.Total == nil {
		return 0, false
	}
	return *is.Fields.Comment.Total, true
}
