package sandbox

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// written is the fields that a client sent.
type written map[string]json.RawMessage

func badRequest(code, message string, fields ...string) *dataError {
	return &dataError{status: http.StatusBadRequest, code: code, message: message, fields: append([]string{}, fields...)}
}

func readFields(w http.ResponseWriter, r *http.Request) (written, *dataError) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBytes))
	var fields written
	if err != nil || json.Unmarshal(body, &fields) != nil || fields == nil {
		return nil, &dataError{status: http.StatusBadRequest, code: "JSON_PARSER_ERROR", message: "The HTTP entity body is required to be a JSON object of fields"}
	}
	return fields, nil
}

// readValues checks what a client sent against the fields that may be written.
func (o *sobject) readValues(fields written, need trait) (map[string]datum, *dataError) {
	values := map[string]datum{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name == "attributes" {
			continue
		}
		f := o.field(name)
		if f == nil {
			return nil, badRequest("INVALID_FIELD", "No such column '"+clipText(name, 80)+"' on sobject of type "+o.name)
		}
		if !f.is(need) {
			return nil, badRequest("INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: "+f.name+
				". Please check the security settings of this field and verify that it is read/write for your profile or permission set.", f.name)
		}
		d, err := readDatum(fields[name], f)
		switch {
		case err != nil:
			return nil, badRequest("JSON_PARSER_ERROR", "Cannot deserialize instance of "+f.kind+" from the value of the field "+f.name)
		case d.kind == datumNull && !f.is(nillable):
			return nil, badRequest("REQUIRED_FIELD_MISSING", "Required fields are missing: ["+f.name+"]", f.name)
		case d.kind == datumText && f.length > 0 && utf8.RuneCountInString(d.text) > f.length:
			return nil, badRequest("STRING_TOO_LONG", f.label+": data value too large: "+clipText(d.text, 40)+" (max length="+textOf(f.length)+")", f.name)
		}
		values[f.name] = d
	}
	return values, nil
}

// newValues checks the fields of a new record and completes them.
func (g *org) newValues(o *sobject, fields written, by int) (map[string]datum, *dataError) {
	values, err := o.readValues(fields, createable)
	if err == nil {
		err = g.complete(o, values, by)
	}
	if err == nil {
		err = g.checkReferences(o, values)
	}
	return values, err
}

// makeRecord adds a record and returns its id. by is the number of the account.
func (g *org) makeRecord(o *sobject, fields written, by int) (string, *dataError) {
	values, err := g.newValues(o, fields, by)
	if err != nil {
		return "", err
	}
	row, full := g.changes.add(o.table, &change{values: values})
	if full != nil {
		return "", badRequest("STORAGE_LIMIT_EXCEEDED", full.Error())
	}
	return o.table.id(row), nil
}

// complete puts in what a new record has without being asked, and refuses one that lacks a field.
func (g *org) complete(o *sobject, values map[string]datum, by int) *dataError {
	var missing []string
	for _, f := range o.fields {
		if _, ok := values[f.name]; ok || f.is(computed) {
			continue
		}
		d, ok := g.initial(f, by)
		switch {
		case ok:
			values[f.name] = d
		case !f.is(nillable) && f.is(createable):
			missing = append(missing, f.name)
		}
	}
	if missing != nil {
		return badRequest("REQUIRED_FIELD_MISSING", "Required fields are missing: ["+strings.Join(missing, ", ")+"]", missing...)
	}
	if item, ok := values["FeedItemId"]; ok {
		if post, ok := g.lookup(g.changes.snapshot(), item.text); ok && post.object.name == "FeedItem" {
			values["ParentId"] = post.of("ParentId")
		}
	}
	return nil
}

// initial returns what a field of a new record holds that the client left out, false for nothing.
func (g *org) initial(f *sfield, by int) (datum, bool) {
	switch f.name {
	case "CreatedDate", "LastModifiedDate", "SystemModstamp":
		return timeDatum(g.stampNow()), true
	case "OwnerId", "CreatedById", "LastModifiedById", "InsertedById":
		return textDatum(g.users[by]), true
	}
	switch {
	case f.kind == "boolean":
		return boolDatum(false), true
	case f.kind == "picklist" && len(f.picklist) > 0 && (!f.is(nillable) || !f.is(createable)):
		return textDatum(f.picklist[0]), true
	}
	return nothing, false
}

// checkReferences refuses values that name no record of the right object.
func (g *org) checkReferences(o *sobject, values map[string]datum) *dataError {
	snap := g.changes.snapshot()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		f, d := o.field(name), values[name]
		if f.kind != "reference" || d.kind == datumNull {
			continue
		}
		to, ok := g.lookup(snap, d.text)
		switch {
		case !ok:
			return badRequest("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", f.name)
		case !slices.Contains(f.referenceTo, to.object.name):
			return badRequest("FIELD_INTEGRITY_EXCEPTION", f.label+": id value of incorrect type: "+d.text, f.name)
		case to.deleted():
			return badRequest("ENTITY_IS_DELETED", "entity is deleted", f.name)
		}
	}
	return nil
}

// stampNow is the time of a write: whole seconds of the org's clock.
func (g *org) stampNow() int64 { return g.clock().UnixMilli() / 1000 * 1000 }

// editedValues checks fields that are to be written.
func (g *org) editedValues(o *sobject, fields written) (map[string]datum, *dataError) {
	values, err := o.readValues(fields, updateable)
	if err == nil {
		err = g.checkReferences(o, values)
	}
	return values, err
}

// editRecord writes fields of a record.
func (g *org) editRecord(o *sobject, row int64, fields written, by int) *dataError {
	values, err := g.editedValues(o, fields)
	if err != nil {
		return err
	}
	return g.rewrite(o, row, func(next *change) *dataError {
		maps.Copy(next.values, values)
		g.stampChange(o, next, by)
		return nil
	})
}

// dropRecord puts a record into the recycle bin.
func (g *org) dropRecord(o *sobject, row int64, by int) *dataError {
	return g.rewrite(o, row, func(next *change) *dataError {
		next.deleted = true
		g.stampChange(o, next, by)
		return nil
	})
}

func (g *org) stampChange(o *sobject, next *change, by int) {
	for _, name := range []string{"LastModifiedDate", "SystemModstamp"} {
		if o.field(name) != nil {
			next.values[name] = timeDatum(g.stampNow())
		}
	}
	if o.field("LastModifiedById") != nil {
		next.values["LastModifiedById"] = textDatum(g.users[by])
	}
}

// rewrite changes a record that is not deleted.
func (g *org) rewrite(o *sobject, row int64, edit func(next *change) *dataError) *dataError {
	var refused *dataError
	err := g.changes.write(o.table, row, func(snap *snapshot, now *change) (*change, error) {
		v := g.look(snap, o, row)
		if v.deleted() {
			refused = &dataError{status: http.StatusNotFound, code: "ENTITY_IS_DELETED", message: "entity is deleted", fields: []string{}}
			return nil, refused
		}
		next := &change{row: row, values: map[string]datum{}}
		if now != nil {
			next.values, next.made = maps.Clone(now.values), now.made
		}
		if refused = edit(next); refused != nil {
			return nil, refused
		}
		return next, nil
	})
	if refused != nil {
		return refused
	}
	if err != nil {
		return badRequest("STORAGE_LIMIT_EXCEEDED", err.Error())
	}
	return nil
}
