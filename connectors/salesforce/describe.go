package salesforce

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// object is what the description of an object (describe) tells of it.
type object struct {
	Name          string  `json:"name"`
	Queryable     bool    `json:"queryable"`
	Replicateable bool    `json:"replicateable"`
	Fields        []field `json:"fields"`
}

// field is a field that the user may see.
type field struct {
	Name             string `json:"name"`
	Type             string `json:"type"`
	NameField        bool   `json:"nameField"`
	Filterable       bool   `json:"filterable"`
	Sortable         bool   `json:"sortable"`
	Compound         string `json:"compoundFieldName"`
	RelationshipName string `json:"relationshipName"`
}

// describe returns an object as it was a few minutes ago at the earliest. An unknown one is [connectors.NotFound], one
// that cannot be queried [connectors.Unsupported].
func (d *Driver) describe(ctx context.Context, name string) (object, error) {
	if !nameForm.MatchString(name) {
		return object{}, noObject(nil, name)
	}
	place := d.known.object(objectKey(name))
	o, ok := place.get(d.now())
	if !ok {
		var err error
		if o, err = d.askObject(ctx, name); err != nil {
			return o, err
		}
		place.put(o, d.now())
	}
	if !o.Queryable {
		return o, connectors.Errorf(connectors.Unsupported, "the object %s cannot be queried, so its records cannot be listed", o.Name)
	}
	return o, nil
}

func (d *Driver) askObject(ctx context.Context, name string) (object, error) {
	v, err := d.version(ctx)
	if err != nil {
		return object{}, err
	}
	var o object
	_, err = d.api.Get(ctx, v.path("sobjects", name, "describe"), nil, &o)
	switch {
	case connectors.CodeOf(err) == connectors.NotFound:
		return o, noObject(err, name)
	case err != nil:
		return o, err
	case !strings.EqualFold(o.Name, name) || len(o.Fields) == 0:
		return o, d.api.Nonsense("no description of the object " + name)
	}
	o.Fields = slices.DeleteFunc(o.Fields, func(f field) bool { return !nameForm.MatchString(f.Name) })
	return o, nil
}

// objectKey is what an object is remembered by; Salesforce takes names in any case.
func objectKey(name string) string { return strings.ToLower(name) }

func noObject(cause error, name string) error {
	return connectors.Wrap(connectors.NotFound, cause, "Salesforce has no object %.80q, or the account may not see it", name)
}

// field returns a field by name.
func (o object) field(name string) (field, bool) {
	i := slices.IndexFunc(o.Fields, func(f field) bool { return f.Name == name })
	if i < 0 {
		return field{}, false
	}
	return o.Fields[i], true
}

func (o object) has(name string) bool {
	_, ok := o.field(name)
	return ok
}

// nameField returns the field with what people call a record, "" where there is none.
func (o object) nameField() string {
	i := slices.IndexFunc(o.Fields, func(f field) bool { return f.NameField })
	if i < 0 {
		return ""
	}
	return o.Fields[i].Name
}

// changeFields are the fields that tell when a record changed, the best first.
var changeFields = []string{"SystemModstamp", "LastModifiedDate", "CreatedDate"}

// orderField returns the first of the fields that records can be filtered and sorted by, "" where the object has none.
func (o object) orderField(names ...string) string {
	for _, name := range names {
		if f, ok := o.field(name); ok && f.Filterable && f.Sortable && f.Type == "datetime" {
			return name
		}
	}
	return ""
}

// maxQuery is the length in bytes of an escaped query up to which Salesforce takes it: address and headers together may
// have 16,384 bytes. The limit of SOQL itself, 100,000 characters, lies beyond.
const maxQuery = 12_000

// allFields asks for every field at once. It is allowed with a LIMIT of up to 200 only.
const allFields = "FIELDS(ALL)"

// columns returns what a listing selects: everything that is not binary, or what items are made of.
func (o object) columns(everything bool) string {
	names := []string{"Id"}
	for _, f := range o.Fields {
		switch {
		case f.Name == "Id":
		case everything && o.isSelectable(f), f.NameField,
			slices.Contains(changeFields, f.Name), f.Name == "OwnerId":
			names = append(names, f.Name)
		}
	}
	list := strings.Join(names, ", ")
	if everything && len(url.QueryEscape(list)) > maxQuery {
		return allFields
	}
	return list
}

// isSelectable reports whether a field belongs into a record: binary ones do not, and compound ones only where their
// parts are not there.
func (o object) isSelectable(f field) bool {
	switch f.Type {
	case "base64":
		return false
	case "address", "location":
		return !slices.ContainsFunc(o.Fields, func(part field) bool { return part.Compound == f.Name && part.Name != f.Name })
	}
	return true
}
