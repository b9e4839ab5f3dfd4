package engine

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// recordOf returns a record of a value, whose raw form is kept apart. A change of place, which the value may not tell, is a
// change.
func recordOf(kind domain.Kind, value any, raw json.RawMessage, at time.Time, place ...string) (domain.Record, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return domain.Record{}, connectors.Wrap(connectors.Internal, err, "what was read does not encode")
	}
	h := sha256.New()
	_, _ = h.Write(text)
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(raw)
	for _, p := range place {
		_, _ = h.Write([]byte{0})
		_, _ = h.Write([]byte(p))
	}
	return domain.Record{
		Kind: kind, SyncedAt: at, Value: text, Raw: raw, Hash: base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:24]),
	}, nil
}

func containerRecord(k connectors.Container, seen int64, at time.Time) (domain.Record, error) {
	raw := k.Raw
	k.Raw = nil
	rec, err := recordOf(domain.ContainerRecord, k, raw, at)
	rec.ID, rec.ContainerID, rec.Seen = k.ID, k.ID, seen
	return rec, err
}

// itemRecord returns the record of an item as it was listed in a container.
func itemRecord(it connectors.Item, container string, seen int64, at time.Time) (domain.Record, error) {
	raw := it.Raw
	it.Raw = nil
	rec, err := recordOf(domain.ItemRecord, it, raw, at)
	rec.ID, rec.ContainerID, rec.Seen = it.ID, container, seen
	if it.ContainerID != "" {
		rec.ContainerID = it.ContainerID
	}
	return rec, err
}

func commentRecord(c connectors.Comment, item, container string, at time.Time) (domain.Record, error) {
	raw := c.Raw
	c.Raw = nil
	rec, err := recordOf(domain.CommentRecord, c, raw, at, item, container)
	rec.ID, rec.ContainerID, rec.ItemID = c.ID, container, item
	return rec, err
}

// key returns the id of the record of an item: of the item itself, or, where others have it in other containers, with the
// container before it.
func (c *container) key(item string) string {
	if !c.Conn.Definition().LocalItemIDs {
		return item
	}
	return c.prefix() + item
}

// bare returns the id of the item of a record.
func (c *container) bare(key string) string {
	if !c.Conn.Definition().LocalItemIDs {
		return key
	}
	return strings.TrimPrefix(key, c.prefix())
}

var slashes = strings.NewReplacer("%", "%25", "/", "%2F")

// prefix ends with the only slash in it.
func (c *container) prefix() string { return slashes.Replace(c.id) + "/" }

// tombstone returns the record of something that is gone.
func tombstone(is domain.Record, reason connectors.AbsenceReason, at time.Time) domain.Record {
	return domain.Record{Kind: is.Kind, ID: is.ID, ContainerID: is.ContainerID, Deleted: true, Reason: string(reason), SyncedAt: at}
}

// sinkError marks an error of the sink or of the positions: it ends the run, whatever its code.
type sinkError struct{ err error }

func (e sinkError) Error() string { return e.err.Error() }
func (e sinkError) Unwrap() error { return e.err }

// ofSink marks an error, if it is one.
func ofSink(err error) error {
	if err == nil {
		return nil
	}
	return sinkError{err}
}

func isSink(err error) bool {
	var e sinkError
	return errors.As(err, &e)
}

// unique returns the records without those whose id comes again later: a listing may give one twice, and the last
// is the newest.
func unique(rs []domain.Record) []domain.Record {
	last := make(map[string]int, len(rs))
	for i, r := range rs {
		last[string(r.Kind)+"/"+r.ID] = i
	}
	if len(last) == len(rs) {
		return rs
	}
	out := rs[:0]
	for i, r := range rs {
		if last[string(r.Kind)+"/"+r.ID] == i {
			out = append(out, r)
		}
	}
	return out
}
