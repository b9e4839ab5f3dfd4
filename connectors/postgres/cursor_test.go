package postgres

import (
	"bytes"
	"testing"

	"github.com/unified-connector/ucf/connectors"
)

func TestParsePosition(t *testing.T) {
	order := []string{"23:id", "25:name"}
	tests := map[string]struct{ cursor, want string }{
		"other columns": {`{"o":["23:id"],"a":["MQ=="]}`, "changed"},
		"other type":    {`{"o":["20:id","25:name"],"a":["MQ==","eA=="]}`, "changed"},
		"no values":     {`{"o":["23:id","25:name"]}`, "damaged"},
		"few values":    {`{"o":["23:id","25:name"],"a":["MQ=="]}`, "damaged"},
		"null value":    {`{"o":["23:id","25:name"],"a":["MQ==",null]}`, "damaged"},
		"not base64":    {`{"o":["23:id","25:name"],"a":["?","eA=="]}`, "damaged"},
		"no JSON":       {`23`, "damaged"},
		"cut off":       {`{"o":["23:id"`, "damaged"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parsePosition(connectors.Cursor(tt.cursor), order, len(order))
			if e := wantCode(t, err, connectors.InvalidRequest); !bytes.Contains([]byte(e.Message), []byte(tt.want)) {
				t.Errorf("got %q, want %q in it", e.Message, tt.want)
			}
		})
	}
}

func FuzzPosition(f *testing.F) {
	f.Add([]byte("1"), []byte{0xff, 0}, `{"o":["25:a","17:b"],"a":["","AA=="]}`)
	f.Fuzz(func(t *testing.T, a, b []byte, foreign string) {
		order := []string{"25:a", "17:b"}
		if p, err := parsePosition(connectors.Cursor(foreign), order, 2); err == nil && p != nil && len(p.After) != 2 {
			t.Errorf("%q was taken as %+v", foreign, p)
		}
		p := position{Order: order, After: [][]byte{append([]byte{}, a...), append([]byte{}, b...)}}
		c, err := p.cursor()
		if err != nil {
			t.Fatal(err)
		}
		got, err := parsePosition(c, order, 2)
		if err != nil || !bytes.Equal(got.After[0], a) || !bytes.Equal(got.After[1], b) {
			t.Errorf("%q reads back as %+v, %v", c, got, err)
		}
	})
}
