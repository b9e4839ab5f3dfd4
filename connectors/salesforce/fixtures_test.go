package salesforce

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/unified-connector/ucf/connectors"
)

func cursorOf(s string) connectors.Cursor { return connectors.Cursor(s) }

// recorded is an org that answers with recorded bodies.
func recorded(t *testing.T, bodies map[string]string) *Driver {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+versionsPath+"{$}", func(w http.ResponseWriter, _ *http.Request) { send(w, 200, versions) })
	for path, name := range bodies {
		status := 200
		if strings.Contains(name, "error") {
			status = 400
		}
		body := fixture(t, name)
		mux.HandleFunc("GET /services/data/v67.0/"+path, func(w http.ResponseWriter, _ *http.Request) { send(w, status, body) })
	}
	return open(t, mux, nil)
}

// TestRecordedRecord maps a recorded record and loses none of its values.
func TestRecordedRecord(t *testing.T) {
	body := fixture(t, "sobject_find_success")
	d := open(t, newFake(), nil)
	r, err := d.rowOf(json.RawMessage(body))
	if err != nil {
		t.Fatal(err)
	}
	it := d.item(r, "Name", true, true)
	if it.ID != "23foo" || it.Name != "My First Whizbang" || it.ContainerID != "Whizbang" || string(it.Raw) != body {
		t.Errorf("got %+v", it)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		t.Fatal(err)
	}
	for name, want := range all {
		got, err := json.Marshal(it.Meta.Get(name))
		if name == "attributes" || name == "Id" {
			continue
		}
		var plain any
		_ = json.Unmarshal(want, &plain)
		// encoding/json writes < and > escaped, so values are compared and not bytes, but for numbers.
		if again, _ := json.Marshal(plain); err != nil || string(got) != string(again) && string(got) != string(want) {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// TestRecordedQueries finds in recorded results that they have no ids, and reads what is whole.
func TestRecordedQueries(t *testing.T) {
	tests := []struct {
		body, words string
		code        connectors.Code
	}{
		{"query_empty", "", ""},
		{"query_success", "without an id", connectors.ProviderError},
		{"query_aggregate_success", "without an id", connectors.ProviderError},
		{"query_paginated_last_page", "cut off", connectors.ProviderError},
		{"query_error", "INVALID_FIELD", connectors.InvalidRequest},
	}
	for _, tt := range tests {
		t.Run(tt.body, func(t *testing.T) {
			d := recorded(t, map[string]string{"query": tt.body, "sobjects/Whizbang/describe": "sobject_describe_success"})
			p, err := d.ListItems(t.Context(), connectors.ItemQuery{Query: "SELECT Id FROM Whizbang", Limit: 10})
			if tt.code == "" {
				if err != nil || len(p.Items) != 0 || p.Next != "" {
					t.Errorf("got %+v and error %v", p, err)
				}
				return
			}
			wantError(t, err, tt.code, tt.words)
		})
	}
}

// TestRecordedBatches follows a recorded result over its two batches.
func TestRecordedBatches(t *testing.T) {
	d := recorded(t, map[string]string{"query": "query_paginated_first_page", "query/01gD": "query_paginated_last_page"})
	got, err := d.rows(t.Context(), live, "SELECT Text_Label FROM Whizbang", 10)
	if err != nil || len(got) != 2 || !strings.Contains(string(got[0]), `"First Page"`) || !strings.Contains(string(got[1]), `"Last Page"`) {
		t.Errorf("got %s and error %v", got, err)
	}
}

func TestRecordedObjects(t *testing.T) {
	for _, name := range []string{"list_sobjects_success", "describe_sobjects_success"} {
		d := recorded(t, map[string]string{"sobjects": name})
		p, err := d.ListContainers(t.Context(), connectors.ContainerQuery{Limit: 10, Raw: true, Wide: true})
		if err != nil || len(p.Items) != 1 || p.Items[0].ID != "Account" {
			t.Fatalf("got %+v and error %v", p, err)
		}
		c := p.Items[0]
		if !strings.Contains(fixture(t, name), string(c.Raw)) || c.Meta.Get("keyPrefix") != "001" || c.Meta.Get("labelPlural") != "Accounts" || c.Meta.Get("feedEnabled") != true {
			t.Errorf("got %+v", c)
		}
	}
	d := recorded(t, map[string]string{"sobjects/Whizbang/describe": "sobject_describe_success"})
	o, err := d.askObject(t.Context(), "Whizbang")
	if err != nil || o.nameField() != "Name" || !strings.HasPrefix(o.columns(true), "Id, OwnerId, ") || !o.has("Id") {
		t.Errorf("got %+v and error %v", o, err)
	}
}

func TestRecordedDeletions(t *testing.T) {
	var a deletedAnswer
	if err := json.Unmarshal([]byte(fixture(t, "get_deleted_success")), &a); err != nil {
		t.Fatal(err)
	}
	d := open(t, newFake(), nil)
	from, _ := parseTime("2013-05-04T00:00:00.000+0000")
	list, covered, err := d.deletionsOf(a, "Whizbang", span{from: from}, from)
	if err != nil || len(list) != 1 || list[0].ID != "a00D0000008pQRAIA2" || list[0].DeletedAt.Unix() != 1367964439 || covered.Unix() != 1368048000 {
		t.Errorf("got %+v until %v and error %v", list, covered, err)
	}
}

func TestRecordedErrors(t *testing.T) {
	tests := []struct {
		body   string
		status int
		want   connectors.Code
	}{
		{"expired_session", 401, connectors.Reauthorize},
		{"sobject_describe_error", 404, connectors.NotFound},
		{"sobject_find_error", 404, connectors.NotFound},
		{"query_error", 400, connectors.InvalidRequest},
		{"write_error", 400, connectors.InvalidRequest},
		{"auth_error", 400, connectors.InvalidRequest},
		{"refresh_error", 400, connectors.InvalidRequest},
	}
	for _, tt := range tests {
		body := fixture(t, tt.body)
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { send(w, tt.status, body) })
		d := open(t, h, nil)
		_, err := d.api.Get(t.Context(), "/x", nil, &struct{}{})
		if connectors.CodeOf(err) != tt.want || len(faults([]byte(body))) == 0 {
			t.Errorf("%s: got %v, want %s", tt.body, err, tt.want)
		}
	}
}
