package connectors

import (
	"io"
	"slices"
)

// Groups of connectors.
const (
	GroupSaaS = "saas"
	GroupDB   = "db"
)

// Capabilities that a connector can have.
const (
	CapContainers   = "containers"
	CapItems        = "items"
	CapComments     = "comments"
	CapUpdatedAfter = "updatedAfter"
	CapQuery        = "query"
)

// Definition describes a connector. It is data: flags, JSON Schema, prompts, documentation, validation and masking
// derive from it.
type Definition struct {
	ID      string // lower case, as in "jira"
	Name    string // as people write it, "Jira"
	Group   string // [GroupSaaS] or [GroupDB]
	Summary string // one sentence
	Help    string // Markdown for the connector's page: how to get credentials, limits, what is unsupported

	Fields []Field      // the configuration, in the order in which people are asked
	Auth   []AuthMethod // at least one; the first is the default

	Container string // what a container is called, "project"
	Item      string // what an item is called, "issue"
	ItemKey   string // the meta attribute that people know an item by, shown instead of its id; may be empty

	// Filters are the item filters that the driver honours: [CapUpdatedAfter], [CapQuery].
	Filters []string

	// PerContainer says that the driver lists the items of one container at a time. A [Conn] that is asked for the
	// items of all goes through its containers; only a query reaches the driver without one.
	PerContainer bool

	// LocalItemIDs says that an item's id tells it from others of its container alone, as a table's keys do.
	LocalItemIDs bool

	// Limits are the rate limits that the provider documents for its own hosts.
	Limits []Limit
	// Usage reads from an answer what the provider says of a limit; nil where it says nothing.
	Usage UsageReader

	// Expand turns shorthand fields of a raw configuration (a DSN) into others before it is checked. It may be nil,
	// changes its argument only by returning another map, and makes no request.
	Expand func(raw map[string]any) (map[string]any, []Fault)

	// Driver is a nil pointer of the driver's type; what the connector can do is read from its methods.
	Driver Driver

	// New builds a driver. It makes no request and starts nothing.
	New func(Env) (Driver, error)
}

// Kind is the type of a field's value.
type Kind string

// The kinds of fields.
const (
	KindString Kind = "string" // text without control characters
	KindSecret Kind = "secret" // a [Secret]
	KindURL    Kind = "url"    // http or https, without user info, query and fragment; a trailing slash is dropped
	KindHost   Kind = "host"   // a host name or address, without port
	KindInt    Kind = "int"    // a whole number within Min and Max
	KindBool   Kind = "bool"   // true or false
	KindList   Kind = "list"   // texts; in the environment separated by commas
)

// Field is one field of a connector's configuration.
type Field struct {
	Name     string // snake_case, as users write it
	Label    string // for prompts and forms
	Help     string // one sentence
	Example  string
	Kind     Kind
	Required bool     // must be given, for the methods that use the field
	Methods  []string // ids of the auth methods that use it; empty for all
	Default  string
	Enum     []string // the only values allowed, if any
	Pattern  string   // a regular expression that fits the whole of a KindString, if any
	Min, Max int      // bounds of a KindInt, inclusive; both zero for none
	// Destination marks a field that decides where secrets are sent: changing it demands the secret again.
	Destination bool
	// Shorthand marks a field that Expand replaces by others; it is never stored.
	Shorthand bool
}

// Scheme is how a credential is added to a request.
type Scheme string

// The schemes.
const (
	SchemeBasic  Scheme = "basic"  // HTTP Basic with AuthMethod.User and AuthMethod.Secret
	SchemeBearer Scheme = "bearer" // Authorization: Bearer
	SchemeDriver Scheme = "driver" // the driver presents the credential itself, as database drivers do
)

// AuthMethod is one way to authenticate.
type AuthMethod struct {
	ID     string // "api_key", "password"
	Name   string // "API token"
	Help   string // where to get the credential
	Scheme Scheme
	User   string // the field with the user name, for SchemeBasic
	Secret string // the KindSecret field that is the credential
	// OAuth is how the credential is got and renewed by OAuth 2.0; nil for all other methods.
	OAuth *OAuth
	// Via is the provider to whose API requests go, rather than to the configuration's own destination; nil for a
	// method that goes there. A method with OAuth goes through its provider anyway.
	Via *OAuthProvider
}

// APIProvider returns the provider to whose API requests go, nil where they go to the configuration's destination.
func (m AuthMethod) APIProvider() *OAuthProvider {
	if m.OAuth != nil {
		return m.OAuth.Provider
	}
	return m.Via
}

// Method returns the auth method with that id.
func (d *Definition) Method(id string) (AuthMethod, bool) {
	i := slices.IndexFunc(d.Auth, func(m AuthMethod) bool { return m.ID == id })
	if i < 0 {
		return AuthMethod{}, false
	}
	return d.Auth[i], true
}

// Field returns the field with that name.
func (d *Definition) Field(name string) (Field, bool) {
	i := slices.IndexFunc(d.Fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return Field{}, false
	}
	return d.Fields[i], true
}

// usedBy reports whether the auth method uses the field.
func (f Field) usedBy(method string) bool {
	return len(f.Methods) == 0 || slices.Contains(f.Methods, method)
}

// AuthMethods returns the ids of the auth methods, the default first.
func (d *Definition) AuthMethods() []string {
	ids := make([]string, len(d.Auth))
	for i, m := range d.Auth {
		ids[i] = m.ID
	}
	return ids
}

// Capabilities returns what the connector can do beyond a probe, from its driver's methods and its filters.
func (d *Definition) Capabilities() []string {
	caps := []string{}
	if _, ok := d.Driver.(ContainerLister); ok {
		caps = append(caps, CapContainers)
	}
	if _, ok := d.Driver.(ItemLister); ok {
		caps = append(caps, CapItems)
		caps = append(caps, d.Filters...)
	}
	if _, ok := d.Driver.(CommentLister); ok {
		caps = append(caps, CapComments)
	}
	return caps
}

// closer returns the driver's Close, if it has one.
func closer(d Driver) func() error {
	if c, ok := d.(io.Closer); ok {
		return c.Close
	}
	return func() error { return nil }
}

// FieldsOf returns the fields that people fill in for an auth method, without shorthands.
func (d *Definition) FieldsOf(method string) []Field {
	var out []Field
	for _, f := range d.Fields {
		if f.usedBy(method) && !f.Shorthand {
			out = append(out, f)
		}
	}
	return out
}
