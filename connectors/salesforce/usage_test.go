package salesforce

import (
	"net/http"
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	tests := []struct {
		header     []string
		used, most int64
		ok         bool
	}{
		{[]string{"api-usage=10018/100000"}, 10018, 100000, true},
		{[]string{"api-usage=10018/100000; per-app-api-usage=17/250(appName=sample-connected-app)"}, 10018, 100000, true},
		{[]string{"per-app-api-usage=17/250(appName=x); api-usage=1/2"}, 1, 2, true},
		{[]string{"api-bursts=1/750", "api-usage=3/4"}, 3, 4, true},
		{[]string{"per-app-api-usage=17/250(appName=x)"}, 0, 0, false},
		{[]string{"api-usage=1/0"}, 0, 0, false},
		{[]string{"api-usage=-1/5"}, 0, 0, false},
		{[]string{"api-usage=1/5x"}, 0, 0, false},
		{[]string{"api-usage=99999999999999999999/5"}, 0, 0, false},
		{nil, 0, 0, false},
	}
	for _, tt := range tests {
		used, most, ok := usage(http.Header{"Sforce-Limit-Info": tt.header})
		if used != tt.used || most != tt.most || ok != tt.ok {
			t.Errorf("%q: got %d of %d, %t", tt.header, used, most, ok)
		}
	}
}

func FuzzUsage(f *testing.F) {
	f.Add("api-usage=10018/100000; per-app-api-usage=17/250(appName=x)")
	f.Add("api-usage=1/")
	f.Fuzz(func(t *testing.T, header string) {
		used, most, ok := usage(http.Header{"Sforce-Limit-Info": {header}})
		if ok && (used < 0 || most <= 0 || !strings.Contains(header, "api-usage=")) || !ok && (used != 0 || most != 0) {
			t.Errorf("%q: got %d of %d, %t", header, used, most, ok)
		}
	})
}

// FuzzMark checks that what is taken for a cursor is one that was written, and holds nothing that leaves a condition.
func FuzzMark(f *testing.F) {
	f.Add(`{"b":"SystemModstamp","s":"2024-05-06T09:49:19.000Z","i":"001000000000001AAA"}`)
	f.Add(`{"k":"CaseComment"}`)
	f.Add(`{"i":"001"} `)
	f.Add(`{"i":"001' OR Id != '"}`)
	f.Fuzz(func(t *testing.T, cursor string) {
		m, err := parseMark(cursorOf(cursor))
		if err != nil || cursor == "" {
			return
		}
		if m.cursor() != cursorOf(cursor) {
			t.Errorf("%q reads as %+v", cursor, m)
		}
		words, _, fault := scan(keyset{object: "A", columns: "Id", by: m.By, limit: 1}.soql(m))
		if fault != "" || find(words, 0, "LIMIT") != len(words)-2 {
			t.Errorf("%q leaves its condition: %v %s", cursor, words, fault)
		}
	})
}
