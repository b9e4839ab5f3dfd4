package mongostore

import (
	"encoding/json"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// timeLayout has a fixed width, so that texts sort as their times do. A date of BSON has milliseconds only.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

// textOf returns a time as it is kept: "" for the zero time.
func textOf(t time.Time) string {
	t = t.UTC()
	if t.IsZero() {
		return ""
	}
	return t.Format(timeLayout)
}

// timeOf returns a time that was kept.
func timeOf(text string) time.Time {
	t, err := time.Parse(timeLayout, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

// keepable refuses a time that the layout does not hold.
func keepable(times ...time.Time) error {
	for _, t := range times {
		if y := t.UTC().Year(); y < 0 || y > 9999 {
			return connectors.Errorf(connectors.Internal, "the year %d cannot be kept", y)
		}
	}
	return nil
}

// jsonOf returns a value as JSON: the digits of its numbers and the names of its keys are nobody's business but its own.
func jsonOf(v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", connectors.Wrap(connectors.Internal, err, "a record does not encode")
	}
	return string(text), nil
}

// ofJSON decodes what [jsonOf] encoded; "" leaves the value as it is. Numbers keep their digits.
func ofJSON(text string, into any) error {
	if text == "" {
		return nil
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		return connectors.Wrap(connectors.Internal, err, "what MongoDB holds of a record makes no sense: restore it from a backup")
	}
	return nil
}

// field is a value that was kept as JSON, and where it goes.
type field struct {
	text string
	into any
}

// ofJSONs decodes several values.
func ofJSONs(fields ...field) error {
	for _, f := range fields {
		if err := ofJSON(f.text, f.into); err != nil {
			return err
		}
	}
	return nil
}

// withJSON adds fields whose values are kept as JSON.
func withJSON(d bson.D, fields ...bson.E) (bson.D, error) {
	for _, f := range fields {
		text, err := jsonOf(f.Value)
		if err != nil {
			return nil, err
		}
		d = append(d, bson.E{Key: f.Key, Value: text})
	}
	return d, nil
}

// Head is what every document carries.
type Head struct {
	Tenant    string `bson:"tenant"`
	Revision  int64  `bson:"revision"`
	CreatedAt string `bson:"createdAt"`
	UpdatedAt string `bson:"updatedAt"`
}

func (m Head) domain() domain.Meta {
	return domain.Meta{Tenant: domain.Tenant(m.Tenant), Revision: m.Revision, CreatedAt: timeOf(m.CreatedAt), UpdatedAt: timeOf(m.UpdatedAt)}
}

// created returns the fields of a new document's head.
func created(m domain.Meta) bson.D {
	return bson.D{
		{Key: "tenant", Value: string(m.Tenant)},
		{Key: "revision", Value: int64(1)},
		{Key: "createdAt", Value: textOf(m.CreatedAt)},
		{Key: "updatedAt", Value: textOf(m.UpdatedAt)},
	}
}

// slashes keeps the parts of an id apart.
var slashes = strings.NewReplacer("%", "%25", "/", "%2F")

// key returns the id of a document of a tenant.
func key(t domain.Tenant, parts ...string) string {
	id := string(t)
	for _, p := range parts {
		id += "/" + slashes.Replace(p)
	}
	return id
}

// ofTenant is the condition that a document is a tenant's. It stands in every filter that may: sharded collections are
// sharded by it, and without it each shard would be asked.
func ofTenant(t domain.Tenant) bson.E { return bson.E{Key: "tenant", Value: string(t)} }

// byID is the place of a tenant's document.
func byID(t domain.Tenant, parts ...string) bson.D {
	return bson.D{ofTenant(t), {Key: "_id", Value: key(t, parts...)}}
}

// sorted is an ascending order.
func sorted(fields ...string) bson.D {
	var d bson.D
	for _, f := range fields {
		d = append(d, bson.E{Key: f, Value: 1})
	}
	return d
}

// literal keeps a value of an update by pipeline from being read as an expression.
func literal(v any) bson.D { return bson.D{{Key: "$literal", Value: v}} }
