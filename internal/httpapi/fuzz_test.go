package httpapi_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/httpapi"
)

// A body that passes decodes, and its texts come through unchanged.
func FuzzCheckJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":{"b":[1,"x",null,true]},"c":"\ud83d\ude00\\ud800"}`, `{"a":1,"a":2}`, `"\ud800"`, `"\udc00\ud800"`, "\"\xff\"", `[[[[`, ``, `1e999`, `{"a":1} 2`, `"\u"`, `"\\"`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		err := httpapi.CheckJSON(body)
		if err != nil {
			if code := connectors.CodeOf(err); code != connectors.InvalidRequest {
				t.Errorf("refused with %q", code)
			}
			return
		}
		var v any
		if err := json.Unmarshal(body, &v); err != nil || !utf8.Valid(body) {
			t.Fatalf("%q passes and does not decode: %v", body, err)
		}
		given := bytes.Contains(body, []byte("\ufffd")) || bytes.Contains(bytes.ToLower(body), []byte(`\ufffd`))
		text, err := json.Marshal(v)
		if err != nil || !given && strings.Contains(string(text), "\ufffd") {
			t.Errorf("%q is changed into %q, %v", body, text, err)
		}
	})
}
