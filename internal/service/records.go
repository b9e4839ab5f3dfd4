package service

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// RecordsIn asks for what changed in a connection's records.
type RecordsIn struct {
	ConnectionIn
	WorkspaceID  string      `query:"workspaceId"`
	Kind         domain.Kind `query:"kind" enum:"container,item,comment" doc:"Only of this kind"`
	ContainerID  string      `query:"containerId" doc:"Only what is in this container now: what left it is told with the container that it went to, so follow changes without it"`
	ChangedAfter string      `query:"changedAfter" default:"0" doc:"Where to go on: the next of the last answer, or its published where next was null; 0 begins anew"`
	Epoch        string      `query:"epoch" doc:"The epoch of the answers so far. Send it, so that numbers of another history are not taken for these"`
	Limit        int         `query:"limit" default:"50" minimum:"1" maximum:"200"`
	Raw          bool        `query:"raw" doc:"Whether to add the provider's own objects"`
}

// Workspace returns the tenant named beside the header.
func (in RecordsIn) Workspace() string { return in.WorkspaceID }

// RecordOut is a record as it was last read, or what is left of one that was deleted.
type RecordOut struct {
	Kind          domain.Kind `json:"kind" enum:"container,item,comment"`
	ID            string      `json:"id"`
	ContainerID   string      `json:"containerId"`
	Change        int64       `json:"change" doc:"The number of its last change; numbers of one connection rise, and each is used once"`
	Deleted       bool        `json:"deleted"`
	DeletedReason string      `json:"deletedReason,omitempty" enum:"deleted,archived,moved,gone" doc:"gone: deleted or hidden, which some systems do not tell apart"`
	SyncedAt      time.Time   `json:"syncedAt"`
	Value         RecordValue `json:"value" doc:"The container, item or comment; null where it was deleted"`
}

// RecordValue is the container, item or comment of a record, as text: numbers keep all their digits, and raw its bytes.
type RecordValue struct{ json.RawMessage }

// RecordsOut is a page of changes.
type RecordsOut struct {
	Items     []RecordOut       `json:"items" doc:"By ascending change"`
	Next      connectors.Cursor `json:"next" doc:"The changedAfter of the next page; null where there is none for now: go on from published"`
	Epoch     string            `json:"epoch" doc:"Names this history of numbers; empty before the first sync"`
	Published int64             `json:"published" doc:"The number up to which everything is there to be read"`
	Oldest    int64             `json:"oldest" doc:"The highest number of a deletion that is forgotten by now"`
}

// position is how far a reader is. One that began at 0 holds nothing that was deleted before it began, so it needs no
// deletion up to begun, which was the oldest then.
type position struct{ change, begun int64 }

// parsePosition reads a position that an answer gave: "0", "50", or "50-500" where it began when oldest was 500.
func parsePosition(text string) (position, error) {
	var p position
	change, begun, both := strings.Cut(text, "-")
	ok := number(change, &p.change)
	if both {
		ok = ok && number(begun, &p.begun) && 0 < p.change && p.change < p.begun
	}
	if !ok {
		return p, connectors.InvalidFields(connectors.Fault{Field: "changedAfter", Message: "must be 0, or next or published of an answer"})
	}
	return p, nil
}

// number reads a number in the one form in which it is written.
func number(text string, n *int64) bool {
	v, err := strconv.ParseInt(text, 10, 64)
	*n = v
	return err == nil && v >= 0 && strconv.FormatInt(v, 10) == text
}

// String writes the position in the shortest form that is read back.
func (p position) String() string {
	text := strconv.FormatInt(p.change, 10)
	if p.change < p.begun {
		text += "-" + strconv.FormatInt(p.begun, 10)
	}
	return text
}

// check is conflict where a reader at the position may have missed something, or where the feed never gave it.
func (p position) check(f domain.Feed, epoch string) error {
	var why string
	switch {
	case epoch != "" && epoch != f.Epoch:
		why = "the records have a new history"
	case p.change > f.Published || p.begun > f.Oldest:
		why = "these records never had that position"
	case p.change != 0 && p.change < f.Oldest && p.begun < f.Oldest:
		why = "deletions after that position are forgotten by now"
	default:
		return nil
	}
	e := connectors.Errorf(connectors.Conflict, "%s: start again with changedAfter=0 and without epoch, and drop what you hold", why)
	e.Details = map[string]any{"epoch": f.Epoch, "published": f.Published, "oldest": f.Oldest}
	return e
}

// Records returns what changed after a position. A reader that goes on from each answer misses nothing; where that cannot
// be promised any more it is conflict.
func (s *Service) Records(ctx context.Context, t domain.Tenant, in RecordsIn) (RecordsOut, error) {
	if err := checkLimit(in.Limit); err != nil {
		return RecordsOut{}, err
	}
	switch in.Kind {
	case "", domain.ContainerRecord, domain.ItemRecord, domain.CommentRecord:
	default:
		return RecordsOut{}, connectors.InvalidFields(connectors.Fault{Field: "kind", Message: oneOf("container", "item", "comment")})
	}
	at, err := parsePosition(in.ChangedAfter)
	if err != nil {
		return RecordsOut{}, err
	}
	st, c, err := s.load(ctx, t, in.ID)
	if err != nil {
		return RecordsOut{}, err
	}
	// The head is read first: nothing above it is given, so what is still being written is not passed by.
	head, err := st.Feed(ctx, t, c.ID)
	if err != nil {
		return RecordsOut{}, err
	}
	if err := at.check(head, in.Epoch); err != nil {
		return RecordsOut{}, err
	}
	list, err := st.ListRecords(ctx, t, c.ID, store.RecordQuery{
		After: at.change, UpTo: head.Published, Kind: in.Kind, ContainerID: in.ContainerID, Raw: in.Raw, Limit: in.Limit + 1,
	})
	if err != nil {
		return RecordsOut{}, err
	}
	// Deletions may have been forgotten, or the records removed, while they were read.
	now, err := st.Feed(ctx, t, c.ID)
	if err != nil {
		return RecordsOut{}, err
	}
	if err := at.check(now, head.Epoch); err != nil {
		return RecordsOut{}, err
	}
	return recordsOut(head, list, in.Limit), nil
}

// recordsOut is the answer for a reader whose position was checked; list holds one more than the limit where there is a next page.
func recordsOut(head domain.Feed, list []domain.Record, limit int) RecordsOut {
	out := RecordsOut{Items: []RecordOut{}, Epoch: head.Epoch, Published: head.Published, Oldest: head.Oldest}
	if len(list) > limit {
		list = list[:limit]
		// Whoever may read below oldest began when that was what it is now.
		out.Next = connectors.Cursor(position{list[limit-1].Change, head.Oldest}.String())
	}
	for _, r := range list {
		out.Items = append(out.Items, RecordOut{
			Kind: r.Kind, ID: r.ID, ContainerID: r.ContainerID, Change: r.Change, Deleted: r.Deleted, DeletedReason: r.Reason,
			SyncedAt: r.SyncedAt.UTC(), Value: RecordValue{withRaw(r.Value, r.Raw)},
		})
	}
	return out
}

// withRaw adds the provider's own object to a value, as text.
func withRaw(value, raw json.RawMessage) json.RawMessage {
	body, ok := bytes.CutSuffix(bytes.TrimSpace(value), []byte("}"))
	if !ok || len(raw) == 0 {
		return value
	}
	sep := ","
	if bytes.Equal(bytes.TrimSpace(body), []byte("{")) {
		sep = ""
	}
	return bytes.Join([][]byte{body, []byte(sep + `"raw":`), raw, []byte("}")}, nil)
}
