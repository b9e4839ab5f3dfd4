package sandbox

import (
	"strings"
)

// sobject is a kind of records.
type sobject struct {
	name, label, plural string
	keyPrefix           string
	flags               trait
	number              int
	fields              []*sfield
	byName              map[string]*sfield // in lower case
	relations           map[string]*sfield // references by the lower-case name of the relationship
	table               *table             // shared by objects that show the same records
	shows               func(v *view) bool // which of the table's records it has; nil for all
	children            map[string]childRows
}

// childRows returns the generated rows whose reference is to that record, in ascending order.
type childRows func(parent *sobject, row int64) []int64

func (o *sobject) is(t trait) bool { return o.flags&t == t }

func (o *sobject) field(name string) *sfield { return o.byName[strings.ToLower(name)] }

// nameField returns what people call a record by, nil where they cannot.
func (o *sobject) nameField() *sfield {
	for _, f := range o.fields {
		if f.is(nameField) {
			return f
		}
	}
	return nil
}

// index makes the fields known by their names.
func (o *sobject) index() {
	o.byName, o.relations = map[string]*sfield{}, map[string]*sfield{}
	for i, f := range o.fields {
		f.number = i
		o.byName[strings.ToLower(f.name)] = f
		if f.relationship != "" {
			o.relations[strings.ToLower(f.relationship)] = f
		}
	}
}

// view is one record as somebody looks at it.
type view struct {
	*org
	object  *sobject
	row     int64
	changed *change // nil for a record as it was generated
	snap    *snapshot
}

// look returns the record of a row.
func (g *org) look(snap *snapshot, object *sobject, row int64) view {
	return view{org: g, object: object, row: row, changed: snap.change(object.table, row), snap: snap}
}

// find returns the record of an id, deleted ones too.
func (g *org) find(snap *snapshot, object *sobject, id string) (view, bool) {
	if object.table == nil {
		return view{}, false
	}
	row, ok := object.table.row(id)
	if !ok || (row >= object.table.rows && snap.change(object.table, row) == nil) {
		return view{}, false
	}
	v := g.look(snap, object, row)
	return v, object.shows == nil || object.shows(&v)
}

// lookup finds the record of an id by its prefix.
func (g *org) lookup(snap *snapshot, id string) (view, bool) {
	for _, o := range g.objects {
		if len(id) >= 3 && o.keyPrefix == id[:3] && o.shows == nil {
			return g.find(snap, o, id)
		}
	}
	return view{}, false
}

func (v *view) id() string { return v.object.table.id(v.row) }

func (v *view) deleted() bool {
	if v.changed != nil {
		return v.changed.deleted
	}
	return v.object.table.inBin(v.row)
}

// value returns what a field holds.
func (v *view) value(f *sfield) datum {
	if v.changed != nil {
		if d, ok := v.changed.values[f.name]; ok {
			return d
		}
		if v.changed.made && !f.is(computed) {
			return nothing
		}
	}
	return f.fill(v)
}

// of returns what the field of that name holds.
func (v *view) of(name string) datum { return v.value(v.object.field(name)) }

// chance is the stream of a field of a record.
func (v *view) chance(f *sfield) rng {
	return newRNG(v.seed, domainRecord+uint64(v.object.table.object.number), v.row*128+int64(f.number))
}

func (v *view) pick(f *sfield, from []string) string {
	r := v.chance(f)
	return from[r.below(len(from))]
}
