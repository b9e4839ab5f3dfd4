package sink

import (
	"encoding/json"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// The messages of the Singer specification,
// https://github.com/singer-io/getting-started/blob/master/docs/SPEC.md.
type schemaMessage struct {
	Type          string         `json:"type"`
	Stream        string         `json:"stream"`
	Schema        map[string]any `json:"schema"`
	KeyProperties []string       `json:"key_properties"`
}

type recordMessage struct {
	Type          string          `json:"type"`
	Stream        string          `json:"stream"`
	Record        json.RawMessage `json:"record"`
	TimeExtracted time.Time       `json:"time_extracted"`
}

type stateMessage struct {
	Type  string `json:"type"`
	Value State  `json:"value"`
}

// streams are the Singer streams of the kinds of records.
var streams = map[domain.Kind]string{domain.ContainerRecord: "containers", domain.ItemRecord: "items", domain.CommentRecord: "comments"}

// optional is a text that may be null.
func optional() map[string]any { return map[string]any{"type": []string{"null", "string"}} }

func text() map[string]any { return map[string]any{"type": "string"} }

func instant() map[string]any {
	return map[string]any{"type": []string{"null", "string"}, "format": "date-time"}
}

// properties are those of a kind's values. What is not named in them is the system's own.
func properties(kind domain.Kind) map[string]any {
	p := map[string]any{
		"id": text(), "meta": map[string]any{"type": []string{"null", "object"}, "additionalProperties": true},
		"raw": map[string]any{"type": []string{"null", "object"}, "additionalProperties": true}, "_sdc_deleted_at": instant(),
	}
	own := map[domain.Kind]map[string]any{
		domain.ContainerRecord: {"label": optional(), "type": optional()},
		domain.ItemRecord: {
			"name": optional(), "containerId": optional(), "type": optional(), "url": optional(),
			"createdAt": instant(), "updatedAt": instant(),
		},
		domain.CommentRecord: {
			"itemId": optional(), "author": optional(), "text": optional(), "createdAt": instant(), "updatedAt": instant(),
		},
	}
	for name, schema := range own[kind] {
		p[name] = schema
	}
	return p
}

// identified returns a value with the record's own id, which differs from the value's where several containers have that.
func identified(value json.RawMessage, id string) (json.RawMessage, error) {
	var is struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(value, &is); err != nil || is.ID == id || is.ID == "" {
		return value, nil //nolint:nilerr // a tombstone has none
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(value, &all); err != nil {
		return nil, connectors.Wrap(connectors.Internal, err, "a value is no object")
	}
	text, err := json.Marshal(id)
	if err != nil {
		return nil, err
	}
	all["id"] = text
	return json.Marshal(all)
}

// message writes a record as Singer has it, its schema before the first of a stream. A tombstone is a record with the time at
// which the deletion was noticed, by the convention of targets.
func (w *Writer) message(r domain.Record) error {
	if !w.told[r.Kind] {
		w.told[r.Kind] = true
		err := w.lineOf(schemaMessage{"SCHEMA", streams[r.Kind], map[string]any{"type": "object", "properties": properties(r.Kind)}, []string{"id"}})
		if err != nil {
			return err
		}
	}
	value, err := identified(valueOf(r), r.ID)
	if err != nil {
		return err
	}
	if r.Deleted {
		if value, err = json.Marshal(map[string]any{"id": r.ID, "_sdc_deleted_at": r.SyncedAt}); err != nil {
			return err
		}
	}
	return w.lineOf(recordMessage{"RECORD", streams[r.Kind], value, r.SyncedAt})
}
