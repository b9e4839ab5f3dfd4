package sandbox

import (
	"cmp"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// datumKind says which part of a datum counts.
type datumKind byte

const (
	datumNull datumKind = iota
	datumText
	datumNumber
	datumBool
	datumTime // at, in milliseconds since 1970
	datumDate // at, the first moment of the day
	datumJSON // text, as it is
)

// datum is the value of a field of a record.
type datum struct {
	kind   datumKind
	text   string
	number float64
	at     int64
	yes    bool
}

var nothing = datum{}

func textDatum(s string) datum {
	if s == "" {
		return nothing // Salesforce has no empty text
	}
	return datum{kind: datumText, text: s}
}

func numberDatum(n float64) datum { return datum{kind: datumNumber, number: n} }
func boolDatum(yes bool) datum    { return datum{kind: datumBool, yes: yes} }
func timeDatum(ms int64) datum    { return datum{kind: datumTime, at: ms} }
func dateDatum(ms int64) datum {
	return datum{kind: datumDate, at: ms - ((ms%day)+day)%day}
}

// compareData orders two values of one field: nothing is before everything, letter case does not count in text but in
// ids.
func compareData(a, b datum, f *sfield) int {
	if a.kind == datumNull || b.kind == datumNull {
		return cmp.Compare(min(a.kind, 1), min(b.kind, 1))
	}
	switch a.kind {
	case datumText:
		if f.isID() {
			return strings.Compare(a.text, b.text)
		}
		return strings.Compare(strings.ToLower(a.text), strings.ToLower(b.text))
	case datumNumber:
		return cmp.Compare(a.number, b.number)
	case datumBool:
		if a.yes == b.yes {
			return 0
		}
		if b.yes {
			return -1
		}
		return 1
	default:
		return cmp.Compare(a.at, b.at)
	}
}

// salesforceTime is how the API writes a moment.
const salesforceTime = "2006-01-02T15:04:05.000-0700"

func appendMoment(b []byte, ms int64) []byte {
	b = append(b, '"')
	b = time.UnixMilli(ms).UTC().AppendFormat(b, salesforceTime)
	return append(b, '"')
}

// appendDatum writes the value as the API does for a field of that type.
func appendDatum(b []byte, d datum, f *sfield) []byte {
	switch d.kind {
	case datumText:
		return appendString(b, d.text)
	case datumNumber:
		return appendNumber(b, d.number, f)
	case datumBool:
		return strconv.AppendBool(b, d.yes)
	case datumTime:
		return appendMoment(b, d.at)
	case datumDate:
		return append(time.UnixMilli(d.at).UTC().AppendFormat(append(b, '"'), time.DateOnly), '"')
	case datumJSON:
		return append(b, d.text...)
	}
	return append(b, "null"...)
}

// appendNumber writes whole numbers of fields that may have decimals with one, as in 23.0.
func appendNumber(b []byte, n float64, f *sfield) []byte {
	if f.kind == "int" || math.Abs(n) >= 1e15 {
		return strconv.AppendFloat(b, n, 'f', 0, 64)
	}
	if n == math.Trunc(n) {
		return strconv.AppendFloat(b, n, 'f', 1, 64)
	}
	return strconv.AppendFloat(b, n, 'f', -1, 64)
}

// errBadValue says that a value does not fit its field.
const errBadValue = refusal("the value does not fit the field")

// readDatum reads what a client wrote into a field.
func readDatum(raw json.RawMessage, f *sfield) (datum, error) {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nothing, err
	}
	if v == nil {
		return nothing, nil
	}
	text, isText := v.(string)
	switch {
	case f.kind == "boolean":
		return readBool(v, text)
	case f.isNumber():
		return readNumber(v, text)
	case f.kind == "datetime":
		ms, ok := parseMoment(text)
		return timeDatum(ms), badUnless(ok)
	case f.kind == "date":
		t, err := time.Parse(time.DateOnly, text[:min(len(text), len(time.DateOnly))])
		return dateDatum(t.UnixMilli()), badUnless(err == nil)
	case f.isID():
		full, ok := fullID(text)
		return textDatum(full), badUnless(ok)
	}
	return textDatum(strings.ToValidUTF8(text, "\uFFFD")), badUnless(isText)
}

func readBool(v any, text string) (datum, error) {
	if yes, ok := v.(bool); ok {
		return boolDatum(yes), nil
	}
	yes := strings.EqualFold(text, "true")
	return boolDatum(yes), badUnless(yes || strings.EqualFold(text, "false"))
}

func readNumber(v any, text string) (datum, error) {
	if n, ok := v.(float64); ok {
		return numberDatum(n), nil
	}
	n, err := strconv.ParseFloat(text, 64)
	return numberDatum(n), badUnless(err == nil && !math.IsNaN(n) && !math.IsInf(n, 0))
}

func badUnless(ok bool) error {
	if ok {
		return nil
	}
	return errBadValue
}

// parseMoment reads the forms of a moment that the API takes.
func parseMoment(text string) (ms int64, ok bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05-0700"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UnixMilli(), true
		}
	}
	return 0, false
}
