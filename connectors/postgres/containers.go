package postgres

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unified-connector/ucf/connectors"
)

// containerOrder is what containers are ordered by.
var containerOrder = []string{"schema", "table"}

// containersSQL lists tables after ($1, $2), the first $3 of them; only those are looked at closely.
const containersSQL = `
WITH page AS (
  SELECT c.oid, n.nspname, c.relname, c.relkind, c.reltuples, c.relispartition, c.relrowsecurity
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE ` + readable + ` AND (n.nspname, c.relname) > ($1, $2)
   ORDER BY n.nspname, c.relname
   LIMIT $3)
SELECT p.nspname, p.relname, p.relkind, obj_description(p.oid, 'pg_class'),
       CASE WHEN p.relkind <> 'v' AND p.reltuples >= 0 THEN p.reltuples::numeric::text END,
       (SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'nullable', NOT a.attnotnull)
                        ORDER BY a.attnum)
          FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = p.oid AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege(p.oid, a.attnum, 'SELECT')),
       (SELECT json_agg(a.attname ORDER BY s.n)
          FROM pg_catalog.pg_index i
         CROSS JOIN LATERAL generate_series(0, i.indnkeyatts - 1) AS s(n)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[s.n]
         WHERE i.indrelid = p.oid AND i.indisprimary),
       p.relrowsecurity,
       CASE WHEN $4 THEN
         (SELECT json_object_agg(a.attname, col_description(p.oid, a.attnum) ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute a
           WHERE a.attrelid = p.oid AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege(p.oid, a.attnum, 'SELECT')
             AND col_description(p.oid, a.attnum) IS NOT NULL) END
  FROM page p
 ORDER BY p.nspname, p.relname`

// ListContainers returns one page of the tables and views that the role may read, by schema and name.
func (d *Driver) ListContainers(ctx context.Context, q connectors.ContainerQuery) (connectors.Page[connectors.Container], error) {
	none := connectors.Page[connectors.Container]{}
	after, err := parsePosition(q.Cursor, containerOrder, len(containerOrder))
	if err != nil {
		return none, err
	}
	if after == nil {
		after = &position{After: [][]byte{{}, {}}}
	}
	l := containerListing{q: q}
	err = d.read(ctx, []statement{{sql: containersSQL, width: 9, params: []param{
		{oidText, after.After[0]}, {oidText, after.After[1]}, integer(q.Limit + 1), boolean(q.Wide),
	}}}, l.restart, l.take)
	if err != nil {
		return none, err
	}
	return l.page()
}

func boolean(b bool) param {
	if b {
		return param{oidBool, []byte("t")}
	}
	return param{oidBool, []byte("f")}
}

type containerListing struct {
	q    connectors.ContainerQuery
	all  []connectors.Container
	last [][]byte
	more bool
}

func (l *containerListing) restart() { l.all, l.last, l.more = nil, nil, false }

func (l *containerListing) take(_ int, _ []pgconn.FieldDescription, row [][]byte) error {
	if len(l.all) == l.q.Limit {
		l.more = true
		return nil
	}
	c, err := containerOf(row, l.q)
	if err != nil {
		return err
	}
	l.all = append(l.all, c)
	l.last = [][]byte{append([]byte{}, row[0]...), append([]byte{}, row[1]...)}
	return nil
}

func (l *containerListing) page() (connectors.Page[connectors.Container], error) {
	p := connectors.Page[connectors.Container]{Items: l.all}
	var err error
	if l.more {
		p.Next, err = position{Order: containerOrder, After: l.last}.cursor()
	}
	return p, err
}

// kinds names the relkinds of containers.
var kinds = map[string]string{
	"r": "table", "p": "partitioned table", "f": "foreign table", "v": "view", "m": "materialized view",
}

func containerOf(row [][]byte, q connectors.ContainerQuery) (connectors.Container, error) {
	name := tableName{string(row[0]), string(row[1])}
	c := connectors.Container{ID: cleanText([]byte(name.String())), Label: cleanText(row[3]), Type: "table"}
	if c.Label == "" {
		c.Label = cleanText(row[1])
	}
	if k := string(row[2]); k == "v" || k == "m" {
		c.Type = "view"
	}
	c.Meta = connectors.Meta{
		{Name: "columns", Value: jsonOr(row[5], "[]")},
		{Name: "primaryKey", Value: jsonOr(row[6], "[]")},
		{Name: "estimatedRows", Value: jsonOr(row[4], "null")},
	}
	full := append(connectors.Meta{
		{Name: "schema", Value: cleanText(row[0])},
		{Name: "name", Value: cleanText(row[1])},
		{Name: "kind", Value: kinds[string(row[2])]},
		{Name: "rowSecurity", Value: isTrue(row[7])},
	}, c.Meta...)
	if q.Wide {
		c.Meta = append(full, connectors.Attr{Name: "columnComments", Value: jsonOr(row[8], "{}")})
	}
	if !q.Raw {
		return c, nil
	}
	raw, err := full.MarshalJSON()
	c.Raw = raw
	return c, err
}

// jsonOr returns the server's JSON, or what stands for NULL.
func jsonOr(b []byte, null string) json.RawMessage {
	if b == nil {
		return json.RawMessage(null)
	}
	return json.RawMessage(cleanText(b))
}
