package sqlitestore

import (
	"bytes"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// timeLayout has a fixed width, so that texts sort as their times do, and holds what 64 bits of nanoseconds cannot: a credential
// that expires in the year 9999.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

// instant is a time as it is kept: a text in UTC, NULL for the zero time.
type instant time.Time

// Value implements [driver.Valuer].
func (i instant) Value() (driver.Value, error) {
	t := time.Time(i).UTC()
	if t.IsZero() {
		return nil, nil
	}
	if t.Year() < 0 || t.Year() > 9999 {
		return nil, connectors.Errorf(connectors.Internal, "the year %d cannot be kept", t.Year())
	}
	return t.Format(timeLayout), nil
}

// timeInto scans an [instant].
type timeInto struct{ t *time.Time }

// Scan implements [database/sql.Scanner].
func (d timeInto) Scan(src any) error {
	*d.t = time.Time{}
	if src == nil {
		return nil
	}
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("a time is kept as %T", src)
	}
	var err error
	*d.t, err = time.Parse(timeLayout, text)
	return err
}

// document is a value kept as JSON. nil is kept as null, and comes back as nil.
type document struct{ v any }

// Value implements [driver.Valuer].
func (d document) Value() (driver.Value, error) {
	text, err := json.Marshal(d.v)
	return string(text), err
}

// jsonInto scans a [document] into what a pointer points to. Numbers keep their digits, as [json.Number].
type jsonInto struct{ v any }

// Scan implements [database/sql.Scanner].
func (d jsonInto) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("a JSON value is kept as %T", src)
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	return dec.Decode(d.v)
}

// metaColumns are those of [domain.Meta], in the order of metaInto.
const metaColumns = "tenant, revision, created_at, updated_at, "

// metaInto returns where the columns of metaColumns go, followed by more.
func metaInto(m *domain.Meta, more ...any) []any {
	return append([]any{&m.Tenant, &m.Revision, timeInto{&m.CreatedAt}, timeInto{&m.UpdatedAt}}, more...)
}

// page checks the bounds of a listing: SQLite takes a negative limit for none, and no rows would look like the end.
func page(l store.List) error {
	if l.Limit < 1 {
		return connectors.Errorf(connectors.Internal, "a listing of %d records was asked for; at least 1 is needed", l.Limit)
	}
	return nil
}
