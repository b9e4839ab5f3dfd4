package sandbox

import (
	"strings"
	"unicode"
)

// trait is what may be done with a field or an object.
type trait uint32

const (
	filterable trait = 1 << iota
	sortable
	groupable
	createable
	updateable
	nillable
	custom
	unique
	externalID
	nameField
	autoNumber
	htmlText
	idLookup
	computed // from other fields or from the row, never stored

	queryable
	retrieveable
	replicateable
	searchable
	deletable
	feedEnabled
	hidden // from the user: as if the object did not exist
	denied // the user sees that it exists and may not read it
)

// sfield is a field of an object.
type sfield struct {
	name, label  string
	kind         string // the type in the describe result
	length       int
	precision    int
	scale        int
	flags        trait
	referenceTo  []string
	relationship string // name of the way to the record that a reference names
	picklist     []string
	compound     string // the field of which this is a part
	number       int    // its place in the object
	orderedBy    rowOrder
	fill         func(v *view) datum
}

func (f *sfield) is(t trait) bool { return f.flags&t == t }

func (f *sfield) isID() bool { return f.kind == "id" || f.kind == "reference" }

// isText reports whether the values are text that LIKE can look at.
func (f *sfield) isText() bool {
	switch f.kind {
	case "string", "textarea", "email", "phone", "url", "picklist", "multipicklist", "combobox":
		return true
	}
	return false
}

// isNumber reports whether the values are numbers.
func (f *sfield) isNumber() bool {
	return f.kind == "int" || f.kind == "double" || f.kind == "currency" || f.kind == "percent"
}

// fieldOption changes a field as it is made.
type fieldOption func(*sfield)

func with(t trait) fieldOption    { return func(f *sfield) { f.flags |= t } }
func without(t trait) fieldOption { return func(f *sfield) { f.flags &^= t } }
func labeled(l string) fieldOption {
	return func(f *sfield) { f.label = l }
}
func partOf(compound string) fieldOption { return func(f *sfield) { f.compound = compound } }
func ordered(by rowOrder) fieldOption    { return func(f *sfield) { f.orderedBy = by } }

// digits sets the places of a number, and those after the point.
func digits(precision, scale int) fieldOption {
	return func(f *sfield) { f.precision, f.scale = precision, scale }
}

// readOnly is for fields that only the system writes.
var readOnly = without(createable | updateable)

// newField makes a field as most are: everything may be done with it. Names ending in __c are custom.
func newField(kind, name string, length int, fill func(v *view) datum, options ...fieldOption) *sfield {
	f := &sfield{
		name: name, label: labelOf(name), kind: kind, length: length, fill: fill,
		flags: filterable | sortable | groupable | createable | updateable | nillable,
	}
	switch kind {
	case "datetime", "currency", "double", "percent":
		f.flags &^= groupable
	case "multipicklist":
		f.flags &^= groupable | sortable
	case "address":
		f.flags |= computed
		f.flags &^= groupable | sortable | filterable | createable | updateable
	case "boolean":
		f.flags &^= nillable
	}
	if strings.HasSuffix(name, "__c") {
		f.flags |= custom
	}
	for _, option := range options {
		option(f)
	}
	return f
}

// longText is text that can be neither filtered nor sorted nor grouped.
func longText(name string, length int, fill func(v *view) datum, options ...fieldOption) *sfield {
	return newField("textarea", name, length, fill, append(options, without(filterable|sortable|groupable))...)
}

// reference is a field that names another record.
func reference(name, relationship string, fill func(v *view) datum, to []string, options ...fieldOption) *sfield {
	f := newField("reference", name, longID, fill, options...)
	f.relationship, f.referenceTo = relationship, to
	return f
}

func picklist(name string, values []string, options ...fieldOption) *sfield {
	f := newField("picklist", name, 255, nil, options...)
	f.picklist = values
	f.fill = func(v *view) datum { return textDatum(v.pick(f, values)) }
	return f
}

// labelOf puts spaces between the words of a name.
func labelOf(name string) string {
	name = strings.TrimSuffix(name, "__c")
	if base, ok := strings.CutSuffix(name, "Id"); ok && base != "" {
		name = base + "ID"
	}
	var b strings.Builder
	for i, c := range name {
		switch {
		case c == '_':
			b.WriteByte(' ')
			continue
		case i > 0 && unicode.IsUpper(c) && unicode.IsLower(rune(name[i-1])):
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}
