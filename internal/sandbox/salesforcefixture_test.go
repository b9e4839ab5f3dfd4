package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// lacking lists the members of a recorded body that an answer lacks or has with another JSON type. Null fits all.
func lacking(want, got any, at string) []string {
	switch w := want.(type) {
	case nil:
		return nil
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return mismatch(want, got, at)
		}
		var list []string
		for _, name := range slices.Sorted(maps.Keys(w)) {
			value, has := g[name]
			if !has {
				list = append(list, at+"."+name+" is missing")
				continue
			}
			list = append(list, lacking(w[name], value, at+"."+name)...)
		}
		return list
	case []any:
		g, ok := got.([]any)
		if !ok {
			return mismatch(want, got, at)
		}
		if len(w) == 0 || len(g) == 0 {
			return nil
		}
		var list []string
		for _, one := range g {
			list = append(list, lacking(w[0], one, at+"[]")...)
		}
		return slices.Compact(list)
	}
	if got != nil && fmt.Sprintf("%T", want) != fmt.Sprintf("%T", got) {
		return mismatch(want, got, at)
	}
	return nil
}

func mismatch(want, got any, at string) []string {
	if got == nil {
		return nil
	}
	return []string{fmt.Sprintf("%s is %T, recorded as %T", at, got, want)}
}

// The answers have the members of those that were recorded from Salesforce, with the same JSON types.
func TestRecordedAnswers(t *testing.T) {
	folder := filepath.Join(sharedDir(t), "fixtures", "salesforce", "restforce")
	clock := newFakeClock()
	b := serveOrg(t, Options{Records: 700, Now: clock.Now, OAuthNow: clock.Now})
	get := func(path string) reply { return b.call(http.MethodGet, dataPath+path, "") }
	ask := func(soql string) reply {
		return b.ask("query", soql, "Sforce-Query-Options", "batchSize=200")
	}
	window := "?" + url.Values{"start": {clock.Now().AddDate(0, 0, -14).Format(time.RFC3339)}, "end": {clock.Now().Format(time.RFC3339)}}.Encode()
	first := ask("SELECT Id, Name FROM Contact")
	next := first.batch(t).NextRecordsURL
	last := first
	for next != "" {
		last = b.call(http.MethodGet, salesforcePrefix+next, "")
		next = last.batch(t).NextRecordsURL
	}
	account := b.all("query", "SELECT Id FROM Account LIMIT 1")[0]["Id"].(string)
	expired := &orgBox{b.oauthBox, "expired"}
	grant := b.connect(salesforceFlow)
	dead := b.refresh(salesforceFlow, "5Aep861dead")
	deleteOf := func(path string) reply { return b.call(http.MethodDelete, dataPath+path, "") }
	upserted := b.call(http.MethodPatch, dataPath+"/sobjects/Invoice__c/External_Id__c/new", `{"Amount__c":1}`)
	cases := []struct {
		file string
		got  reply
		drop []string // members of records that are the recorded org's own
	}{
		{"services_data_success_response", b.send(http.MethodGet, "/salesforce/services/data/", nil, ""), nil},
		{"list_sobjects_success_response", get("/sobjects"), nil},
		{"describe_sobjects_success_response", get("/sobjects/"), nil},
		{"sobject_describe_success_response", get("/sobjects/Invoice__c/describe"), nil},
		{"sobject_describe_error_response", get("/sobjects/Whizbang/describe"), nil},
		{"org_query_response", ask("SELECT Id FROM Organization"), nil},
		{"query_success_response", ask("SELECT Id FROM Invoice__c LIMIT 1"), []string{"Checkbox_Label", "Text_Label", "Date_Label", "DateTime_Label", "Picklist_Multiselect_Label", "ParentWhizbang__r", "Whizbangs__r"}},
		{"query_empty_response", ask("SELECT Id FROM Case WHERE Id = null"), nil},
		{"query_aggregate_success_response", ask("SELECT COUNT(Id) FROM Case"), []string{"CampaignId"}},
		{"query_paginated_first_page_response", first, []string{"Text_Label"}},
		{"query_paginated_last_page_response", last, []string{"Text_Label"}},
		{"query_error_response", ask("SELECT Nothing FROM Case"), nil},
		{"sobject_find_success_response", get("/sobjects/Account/" + account), nil},
		{"sobject_select_success_response", get("/sobjects/Account/" + account + "?fields=Id"), []string{"External_Field__c"}},
		{"sobject_find_error_response", get("/sobjects/Account/23foo"), nil},
		{"create_success_response", b.call(http.MethodPost, dataPath+"/sobjects/Account", `{"Name":"x"}`), nil},
		{"upsert_created_success_response", upserted, nil},
		{"upsert_error_response", b.call(http.MethodPatch, dataPath+"/sobjects/Account/Namez/1", `{}`), nil},
		{"write_error_response", b.call(http.MethodPost, dataPath+"/sobjects/Account", `{"foo":1}`), nil},
		{"delete_error_response", deleteOf("/sobjects/Account/rid"), nil},
		{"get_updated_success_response", get("/sobjects/Contact/updated" + window), nil},
		{"get_deleted_success_response", get("/sobjects/Contact/deleted" + window), nil},
		{"expired_session_response", expired.call(http.MethodGet, dataPath+"/sobjects", ""), nil},
		{"auth_success_response", grant, nil},
		{"refresh_success_response", grant, nil},
		{"refresh_error_response", dead, nil},
		{"search_error_response", get("/search?q=FIND"), nil},
	}
	for _, c := range cases {
		raw, err := os.ReadFile(filepath.Join(folder, c.file+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var want, got any
		if json.Unmarshal(raw, &want) != nil || json.Unmarshal(c.got.body, &got) != nil {
			t.Fatalf("%s: not JSON: %s", c.file, c.got.body)
		}
		if c.file == "sobject_find_success_response" {
			c.drop = slices.DeleteFunc(slices.Sorted(maps.Keys(want.(map[string]any))), func(name string) bool {
				return slices.Contains([]string{"attributes", "Id", "OwnerId", "IsDeleted", "Name", "CreatedById", "LastModifiedById"}, name)
			})
		}
		dropMembers(want, c.drop)
		for _, fault := range lacking(want, got, "") {
			t.Errorf("%s: %s", c.file, fault)
		}
	}
	t.Logf("%d recorded answers compared", len(cases))
}

// dropMembers removes members from objects at any depth.
func dropMembers(v any, names []string) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range names {
			delete(v, name)
		}
		for _, one := range v {
			dropMembers(one, names)
		}
	case []any:
		for _, one := range v {
			dropMembers(one, names)
		}
	}
}

func TestDescribeUnmodified(t *testing.T) {
	clock := newFakeClock()
	b := serveOrg(t, Options{OAuthNow: clock.Now})
	for _, path := range []string{"/sobjects", "/sobjects/Case/describe"} {
		for since, want := range map[time.Duration]int{-time.Hour: http.StatusOK, 0: http.StatusNotModified, time.Hour: http.StatusNotModified} {
			got := b.call(http.MethodGet, dataPath+path, "", "If-Modified-Since", clock.Now().Add(since).Format(http.TimeFormat))
			if got.status != want || got.header.Get("Last-Modified") == "" || (want == http.StatusNotModified) != (len(got.body) == 0) {
				t.Errorf("%s since %s: %d", path, since, got.status)
			}
		}
	}
}

// Describe tells of fields what queries do with them.
func TestDescribeIsTrue(t *testing.T) {
	b := serveOrg(t, Options{Records: 40})
	type fieldSaid struct {
		Name, Type, CompoundFieldName  string
		Filterable, Sortable, Nillable bool
		NameField, Custom, Createable  bool
		ReferenceTo                    []string
		RelationshipName               *string
		Length                         int
	}
	var global struct {
		SObjects []struct {
			Name                                   string
			KeyPrefix                              *string
			Queryable, Retrieveable, Replicateable bool
			Custom                                 bool
		}
	}
	if err := json.Unmarshal(b.call(http.MethodGet, dataPath+"/sobjects", "").body, &global); err != nil {
		t.Fatal(err)
	}
	for _, o := range global.SObjects {
		var said struct{ Fields []fieldSaid }
		got := b.call(http.MethodGet, dataPath+"/sobjects/"+o.Name+"/describe", "")
		if err := json.Unmarshal(got.body, &said); err != nil || got.status != http.StatusOK || len(said.Fields) < 4 {
			t.Errorf("%s: %d, %v, %d fields", o.Name, got.status, err, len(said.Fields))
			continue
		}
		if !o.Queryable || o.Name == "Contract" {
			continue
		}
		names := map[string]bool{}
		for _, f := range said.Fields {
			names[f.Name] = true
			filter := b.ask("query", "SELECT "+f.Name+" FROM "+o.Name+" WHERE "+f.Name+" != null LIMIT 3")
			if (filter.status == http.StatusOK) != f.Filterable {
				t.Errorf("%s.%s: filterable is %v, but %s", o.Name, f.Name, f.Filterable, filter.body)
			}
			if sort := b.ask("query", "SELECT Id FROM "+o.Name+" ORDER BY "+f.Name+" LIMIT 3"); (sort.status == http.StatusOK) != f.Sortable {
				t.Errorf("%s.%s: sortable is %v, but %s", o.Name, f.Name, f.Sortable, sort.body)
			}
			if (f.Type == "reference") != (len(f.ReferenceTo) > 0 && f.RelationshipName != nil) {
				t.Errorf("%s.%s: %+v", o.Name, f.Name, f)
			}
		}
		for _, f := range said.Fields {
			if f.CompoundFieldName != "" && !names[f.CompoundFieldName] {
				t.Errorf("%s.%s is part of %s, which is not there", o.Name, f.Name, f.CompoundFieldName)
			}
			for _, r := range b.all("query", "SELECT "+f.Name+" FROM "+o.Name+" LIMIT 5") {
				if text, ok := r[f.Name].(string); ok && f.Length > 0 && len([]rune(text)) > f.Length {
					t.Errorf("%s.%s is longer than %d: %q", o.Name, f.Name, f.Length, text)
				}
				if r[f.Name] == nil && !f.Nillable {
					t.Errorf("%s.%s is null and not nillable", o.Name, f.Name)
				}
			}
		}
	}
}
