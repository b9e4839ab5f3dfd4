package sandbox

import (
	"slices"
	"strings"
)

// column is a field of a record, or of a record that it names.
type column struct {
	hops  []*sfield // the references on the way
	names []string  // of the relationships on the way, as the API writes them
	field *sfield
	last  string // for records of any object: id, name or type; empty otherwise
}

// anyFields stand for the fields that all records that a reference to several objects names have.
var anyFields = map[string]*sfield{
	"id":   {name: "Id", kind: "id", length: longID, flags: filterable | sortable | groupable | nillable},
	"name": {name: "Name", kind: "string", length: 255, flags: filterable | sortable | groupable | nillable},
	"type": {name: "Type", kind: "picklist", length: 40, flags: filterable | sortable | groupable | nillable},
}

// maxHops is how many relationships a path may go along.
const maxHops = 5

// column finds what a path means on the object.
func (c *soqlCompiler) column(path soqlPath) (*column, *dataError) {
	object, parts := c.object, path.parts
	if len(parts) > 1 && strings.EqualFold(parts[0], object.name) && object.relations[strings.ToLower(parts[0])] == nil {
		parts = parts[1:]
	}
	col := &column{}
	for i, part := range parts[:len(parts)-1] {
		f := object.relations[strings.ToLower(part)]
		if f == nil || i == maxHops {
			return nil, c.refuse(path.at, "INVALID_FIELD", "Didn't understand relationship '%s' in field path. If you are attempting to use a custom "+
				"relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call "+
				"for the appropriate names.", clipText(part, 80))
		}
		col.hops, col.names = append(col.hops, f), append(col.names, f.relationship)
		if len(f.referenceTo) == 1 {
			object = c.org.object1(f.referenceTo[0])
			continue
		}
		name := strings.ToLower(parts[len(parts)-1])
		if i < len(parts)-2 || anyFields[name] == nil {
			return nil, c.noColumn(path.at, parts[i+1], "Name")
		}
		col.field, col.last = anyFields[name], name
		return col, nil
	}
	name := parts[len(parts)-1]
	if col.field = object.field(name); col.field == nil {
		return nil, c.noColumn(path.at, name, object.name)
	}
	return col, nil
}

func (c *soqlCompiler) noColumn(at int, name, entity string) *dataError {
	return c.refuse(at, "INVALID_FIELD", "No such column '%s' on entity '%s'. If you are attempting to use a custom field, be sure to append "+
		"the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.", clipText(name, 80), entity)
}

// own reports whether the field is the object's own.
func (c *column) own() bool { return len(c.hops) == 0 }

// value follows the path from a record.
func (c *column) value(v *view) datum {
	if c.own() {
		return v.value(c.field)
	}
	at := *v
	for _, hop := range c.hops {
		next, ok := at.follow(hop)
		if !ok {
			return nothing
		}
		at = next
	}
	return at.valueIn(c.last, c.field)
}

// valueIn returns what a field holds, or for records of any object what is called last.
func (v *view) valueIn(last string, f *sfield) datum {
	switch last {
	case "":
		return v.value(f)
	case "id":
		return textDatum(v.id())
	case "type":
		return textDatum(v.object.name)
	}
	if name := v.object.nameField(); name != nil {
		return v.value(name)
	}
	return nothing
}

// follow returns the record that a reference names.
func (v *view) follow(reference *sfield) (view, bool) {
	id := v.value(reference).text
	if id == "" {
		return view{}, false
	}
	if len(reference.referenceTo) == 1 {
		return v.find(v.snap, v.object1(reference.referenceTo[0]), id)
	}
	return v.lookup(v.snap, id)
}

// output is how a selected field, or a record with selected fields, is written.
type output struct {
	name   string
	field  *sfield
	last   string
	hop    *sfield // of a record
	inside []*output
}

// addOutput adds a column to what is written. A field that is asked for twice is refused.
func (c *soqlCompiler) addOutput(to *[]*output, col *column, at int) *dataError {
	for i, name := range col.names {
		k := slices.IndexFunc(*to, func(o *output) bool { return o.name == name })
		if k < 0 {
			*to = append(*to, &output{name: name, hop: col.hops[i]})
			k = len(*to) - 1
		}
		to = &(*to)[k].inside
	}
	if slices.ContainsFunc(*to, func(o *output) bool { return o.name == col.field.name }) {
		return c.refuse(at, "INVALID_FIELD", "duplicate field selected: %s", col.field.name)
	}
	*to = append(*to, &output{name: col.field.name, field: col.field, last: col.last})
	return nil
}

// appendRecord writes a record with its selected fields; version is that of the API, as v67.0.
func (v *view) appendRecord(b []byte, version string, fields []*output) []byte {
	b = append(b, `{"attributes":{"type":"`+v.object.name+`","url":"/services/data/`+version+`/sobjects/`+v.object.name+`/`...)
	b = append(b, v.id()...)
	b = append(b, `"}`...)
	for _, f := range fields {
		b = append(b, `,"`+f.name+`":`...)
		if f.hop == nil {
			b = appendDatum(b, v.valueIn(f.last, f.field), f.field)
			continue
		}
		if to, ok := v.follow(f.hop); ok {
			b = to.appendRecord(b, version, f.inside)
		} else {
			b = append(b, "null"...)
		}
	}
	return append(b, '}')
}
