package connectors

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestMetaRoundTrip(t *testing.T) {
	for name, in := range map[string]string{
		"empty":           `{}`,
		"order":           `{"z":1,"a":2,"m":3}`,
		"digits":          `{"n":123456789012345678901234567890.123456789012345678901234567890,"e":1.50e+400,"z":-0.0,"f":1.0}`,
		"nested":          `{"o":{"n":9007199254740993},"l":[1.10,null,true,"x"]}`,
		"repeated":        `{"a":1,"a":2}`,
		"odd names":       `{"":0,"\u0000":1,"ä🦆":2,"\"":3}`,
		"texts":           `{"s":"\u2028\u003c\u0026\u003e\u007f\t","b":false,"x":null}`,
		"not a character": `{"s":"\ufffd"}`,
	} {
		t.Run(name, func(t *testing.T) {
			var m Meta
			if err := json.Unmarshal([]byte(in), &m); err != nil {
				t.Fatal(err)
			}
			out, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			if name == "digits" || name == "order" || name == "repeated" {
				if string(out) != in {
					t.Errorf("got %s, want %s", out, in)
				}
			}
			var again Meta
			if err := json.Unmarshal(out, &again); err != nil || !reflect.DeepEqual(again, m) {
				t.Errorf("got %#v and error %v, want %#v", again, err, m)
			}
		})
	}
}

func TestMetaReads(t *testing.T) {
	var m Meta
	if err := json.Unmarshal([]byte(`null`), &m); err != nil || len(m) != 0 {
		t.Errorf("null: got %v and error %v", m, err)
	}
	for _, bad := range []string{``, `[]`, `"x"`, `1`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a" 1}`, `{1:2}`} {
		if err := m.UnmarshalJSON([]byte(bad)); err == nil {
			t.Errorf("%q is taken for %v", bad, m)
		}
	}
	m = Meta{{"a", 1}, {"a", 2}}
	if m.Get("a") != 1 || m.Get("b") != nil || Meta(nil).Get("a") != nil {
		t.Errorf("Get: got %v", m.Get("a"))
	}
}

// values are what drivers put into a Meta.
var values = map[string]any{
	"nil": nil, "text": "x", "empty": "", "HTML": `<a href="x">&</a>`, "separators": "\u2028\u2029", "invalid UTF-8": "a\xff\xfeb\xed\xa0\x80",
	"control": "\x00\x01\t\n\r\x1f\x7f\u0085", "quotes": `"\/'`, "emoji": "🦆e\u0301", "true": true, "false": false,
	"int": 42, "int64": int64(math.MinInt64), "uint64": uint64(math.MaxUint64), "float": 1.5e-9, "float32": float32(0.1),
	"number": json.Number("9007199254740993"), "fraction": json.Number("-1.50"), "exponent": json.Number("1E+5"), "zero": json.Number("-0"),
	"no number": json.Number(""), "raw": json.RawMessage(`{"b":1,"a":[1.10]}`), "raw lines": json.RawMessage("{\n  \"a\": [\r\n1]\n}"),
	"raw carriage return": json.RawMessage("[1,\r2]"), "raw nil": json.RawMessage(nil), "meta": Meta{{"z", Meta{{"y", "<"}}}}, "meta nil": Meta(nil), "list": []any{"<", 1, nil},
	"texts": []string{"a", "b"}, "map": map[string]any{"b": 1, "a": "<"}, "bytes": []byte("abc"), "time": time.Unix(1, 5).UTC(),
	"time pointer": Time(time.Unix(1, 0)), "nil pointer": (*int)(nil), "secret": NewSecret("x"),
}

func TestAppendJSONMeansTheSame(t *testing.T) {
	for name, v := range values {
		t.Run(name, func(t *testing.T) {
			sameMeaning(t, Meta{{name, v}, {"next", 1}}, v)
		})
	}
}

// sameMeaning compares the JSON of a Meta with what encoding/json writes for its first value.
func sameMeaning(t *testing.T, m Meta, first any) {
	t.Helper()
	got, err := m.AppendJSON([]byte("before "))
	if err != nil {
		t.Fatal(err)
	}
	line := bytes.TrimPrefix(got, []byte("before "))
	if bytes.ContainsAny(line, "\r\n") {
		t.Errorf("more than one line: %q", line)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil {
		t.Fatalf("%v: %q", err, line)
	}
	want, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	name, err := json.Marshal(m[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(decoded(t, object[decoded(t, name).(string)]), decoded(t, want)) {
		t.Errorf("got %s, want %s", line, want)
	}
	viaMarshal, err := json.Marshal(m)
	if err != nil || !reflect.DeepEqual(decoded(t, viaMarshal), decoded(t, line)) {
		t.Errorf("json.Marshal gives %s and error %v, AppendJSON %s", viaMarshal, err, line)
	}
}

func decoded(t *testing.T, data []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v: %q", err, data)
	}
	return v
}

func TestAppendJSONRefuses(t *testing.T) {
	for name, v := range map[string]any{
		"NaN": math.NaN(), "infinity": math.Inf(-1), "a function": func() {}, "nested NaN": Meta{{"x", math.NaN()}},
		"NaN as number": json.Number("NaN"), "a word as number": json.Number("abc"), "a number cut short": json.Number("1."),
		"leading zero": json.Number("01"), "plus": json.Number("+1"), "exponent cut short": json.Number("1e"), "only a sign": json.Number("-"),
		"raw lines cut off": json.RawMessage("{\n\"a\":"),
	} {
		if got, err := (Meta{{"a", v}}).AppendJSON(nil); err == nil || !strings.Contains(err.Error(), `"a"`) {
			t.Errorf("%s: got %s and error %v, want an error that names the attribute", name, got, err)
		}
	}
}

func TestItemAppendJSON(t *testing.T) {
	odd := time.Date(2026, 4, 28, 15, 33, 15, 120_000_000, time.FixedZone("", 7200))
	for name, it := range map[string]Item{
		"empty": {},
		"whole": {
			ID: "1", Name: "<b>\u2028\xff", ContainerID: "PAY", Type: "issue", URL: "https://x/?a=1&b=2", CreatedAt: Time(odd), UpdatedAt: &odd,
			Meta: Meta{{"key", "PAY-1"}, {"n", json.Number("1.10")}}, Raw: json.RawMessage(`{"a" : [1.10, "\u003c"]}`),
		},
		"raw over lines": {Raw: json.RawMessage("{\n\t\"a\": \"x\\n\"\r\n}\n")},
		"empty raw":      {Raw: json.RawMessage{}},
	} {
		t.Run(name, func(t *testing.T) {
			want, err := json.Marshal(it)
			if err != nil {
				t.Fatal(err)
			}
			got, err := it.AppendJSON(nil)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(decoded(t, got), decoded(t, want)) || bytes.ContainsAny(got, "\r\n") {
				t.Errorf("got %s, want %s", got, want)
			}
			if !reflect.DeepEqual(keysOf(t, got), keysOf(t, want)) {
				t.Errorf("got keys %v, want %v", keysOf(t, got), keysOf(t, want))
			}
		})
	}
}

// keysOf returns the keys of an object in their order.
func keysOf(t *testing.T, data []byte) []string {
	t.Helper()
	var m Meta
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, a := range m {
		keys = append(keys, a.Name)
	}
	return keys
}

func TestItemAppendJSONRefuses(t *testing.T) {
	far := time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, it := range map[string]Item{
		"created in another era": {CreatedAt: &far}, "updated in another era": {UpdatedAt: &far},
		"meta": {Meta: Meta{{"x", math.NaN()}}}, "raw": {Raw: json.RawMessage("{\n")},
	} {
		if _, err := json.Marshal(it); err == nil {
			t.Errorf("%s: encoding/json takes it", name)
		}
		if got, err := it.AppendJSON(nil); err == nil {
			t.Errorf("%s: got %s, want an error", name, got)
		}
	}
}

func TestTime(t *testing.T) {
	local := time.Date(2026, 4, 28, 15, 33, 15, 0, time.FixedZone("", 7200))
	if got := Time(local); got.Location() != time.UTC || !got.Equal(local) {
		t.Errorf("got %v", got)
	}
	for _, none := range []time.Time{{}, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200))} {
		if got := Time(none); got != nil {
			t.Errorf("%v: got %v, want nil", none, got)
		}
	}
}

func TestPageJSON(t *testing.T) {
	for want, page := range map[string]Page[Item]{
		`{"items":[],"next":null}`: {Items: []Item{}},
		`{"items":[],"next":"a\"b","incomplete":[{"containerId":"X","code":"not_found","reason":"gone"}]}`: {
			Items: []Item{}, Next: `a"b`, Incomplete: []Gap{{"X", NotFound, "gone"}},
		},
	} {
		if got, err := json.Marshal(page); err != nil || string(got) != want {
			t.Errorf("got %s and error %v, want %s", got, err, want)
		}
	}
}

func FuzzMeta(f *testing.F) {
	f.Add("name", "value", "1.5")
	f.Add("<", "\u2028\xff\n", "-0")
	f.Add("", "\x00", "1e5")
	f.Fuzz(func(t *testing.T, name, text, number string) {
		sameMeaning(t, Meta{{name, text}, {name + "2", 1}}, text)
		want, wantErr := json.Marshal(json.Number(number))
		got, err := Meta{{"n", json.Number(number)}}.AppendJSON(nil)
		if (err == nil) != (wantErr == nil) || err == nil && string(got) != `{"n":`+string(want)+`}` {
			t.Errorf("%q: got %s and error %v, want %s and %v", number, got, err, want, wantErr)
		}
	})
}
