package sink

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

var at = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func records() []domain.Record {
	return []domain.Record{
		{Kind: domain.ItemRecord, ID: "1", ContainerID: "PAY", SyncedAt: at, Value: json.RawMessage(`{"id":"1","name":"a & b"}`), Raw: json.RawMessage(`{"n":1.10}`)},
		{Kind: domain.ItemRecord, ID: "2", ContainerID: "PAY", SyncedAt: at, Deleted: true, Reason: "deleted"},
		{Kind: domain.CommentRecord, ID: "c", ContainerID: "PAY", SyncedAt: at, Value: json.RawMessage(`{"id":"c"}`)},
	}
}

func TestLines(t *testing.T) {
	var out bytes.Buffer
	w := New(&out, NDJSON, nil, nil)
	outcomes, err := w.Put(t.Context(), records())
	if err != nil || outcomes[0] != domain.Created || outcomes[1] != domain.Tombstone {
		t.Fatal(outcomes, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want := `{"kind":"item","id":"1","containerId":"PAY","deleted":false,"syncedAt":"2026-01-31T12:00:00Z","value":{"id":"1","name":"a \u0026 b","raw":{"n":1.10}}}
{"kind":"item","id":"2","containerId":"PAY","deleted":true,"deletedReason":"deleted","syncedAt":"2026-01-31T12:00:00Z","value":null}
{"kind":"comment","id":"c","containerId":"PAY","deleted":false,"syncedAt":"2026-01-31T12:00:00Z","value":{"id":"c"}}
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// TestSinger holds the messages against what targets ask of them: a stream's schema before its first record, keys in every
// record, and a state behind what it covers.
func TestSinger(t *testing.T) {
	var out bytes.Buffer
	w := New(&out, Singer, State{"items/OLD": "kept"}, nil)
	pos, err := w.Open(t.Context(), "items", "PAY")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Put(t.Context(), records()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(pos.Save(t.Context(), "here"), w.Close()); err != nil {
		t.Fatal(err)
	}
	schemas, kinds := map[string]bool{}, []string{}
	for line := range strings.Lines(out.String()) {
		var m struct {
			Type, Stream string
			Schema       struct{ Properties map[string]any }
			Keys         []string       `json:"key_properties"`
			Record       map[string]any `json:"record"`
			Value        State          `json:"value"`
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, m.Type)
		switch m.Type {
		case "SCHEMA":
			schemas[m.Stream] = true
			if len(m.Keys) != 1 || m.Schema.Properties[m.Keys[0]] == nil {
				t.Errorf("the schema of %s has the keys %v", m.Stream, m.Keys)
			}
		case "RECORD":
			if !schemas[m.Stream] || m.Record["id"] == nil {
				t.Errorf("a record before its schema, or without its key: %s", line)
			}
			if m.Record["id"] == "2" && m.Record["_sdc_deleted_at"] == nil {
				t.Errorf("a deletion is not told: %s", line)
			}
		case "STATE":
			if m.Value["items/OLD"] != "kept" || m.Value["items/PAY"] != "here" {
				t.Errorf("the state is %v", m.Value)
			}
		}
	}
	if got := strings.Join(kinds, " "); !strings.HasPrefix(got, "SCHEMA RECORD RECORD SCHEMA RECORD STATE") {
		t.Errorf("messages %s", got)
	}
}

// TestStateComesLast keeps no state before the lines that it covers were handed on.
func TestStateComesLast(t *testing.T) {
	var out bytes.Buffer
	var kept []int
	w := New(&out, NDJSON, nil, func(State) error { kept = append(kept, out.Len()); return nil })
	pos, _ := w.Open(t.Context(), "items", "PAY")
	if _, err := w.Put(t.Context(), records()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(pos.Save(t.Context(), "here"), w.Close()); err != nil {
		t.Fatal(err)
	}
	if len(kept) == 0 || kept[0] == 0 {
		t.Errorf("a state was kept with %v bytes written", kept)
	}
	broken := New(failing{}, NDJSON, nil, func(State) error { t.Error("a state was kept although its lines were not written"); return nil })
	pos, _ = broken.Open(t.Context(), "items", "PAY")
	_, _ = broken.Put(t.Context(), records())
	if err := errors.Join(pos.Save(t.Context(), "here"), broken.Close()); connectors.CodeOf(err) != connectors.Unavailable {
		t.Errorf("an output that fails: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no space left") }
