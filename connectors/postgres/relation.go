package postgres

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unified-connector/ucf/connectors"
)

// userTables selects, of pg_class c and pg_namespace n, what can be a container: ordinary, partitioned and foreign
// tables, views and materialised views outside the system's own schemas.
const userTables = `c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_(catalog$|toast|temp_|toast_temp_)'`

// readable narrows userTables to what the role may read, if only some columns of it. A partition is left out where
// its whole table is readable, since that holds its rows.
const readable = userTables + `
  AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')
  AND NOT (c.relispartition AND EXISTS (
      SELECT FROM pg_catalog.pg_inherits h JOIN pg_catalog.pg_class w ON w.oid = h.inhparent
       WHERE h.inhrelid = c.oid AND has_schema_privilege(w.relnamespace, 'USAGE') AND has_any_column_privilege(w.oid, 'SELECT')))`

// usableKey finds the key by which the rows of pg_class c are paged: the primary key, else the shortest unique index
// over plain columns that are all NOT NULL, readable, and compared there as the column itself is. The names of schemas
// that hold a column type's comparison operators come with it, because a row comparison finds operators by search path.
const usableKey = `
    SELECT x.attnums, x.path
      FROM pg_catalog.pg_index i
     CROSS JOIN LATERAL (
       SELECT string_agg(a.attnum::text, ' ' ORDER BY s.n) AS attnums,
              bool_and(COALESCE(a.attnotnull AND has_column_privilege(c.oid, a.attnum, 'SELECT')
                                AND o.opcdefault AND i.indcollation[s.n] = a.attcollation, false)) AS usable,
              string_agg(DISTINCT quote_ident(opn.nspname), ', ') FILTER (WHERE opn.nspname <> 'pg_catalog') AS path
         FROM generate_series(0, i.indnkeyatts - 1) AS s(n)
         LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[s.n] AND a.attnum > 0
         LEFT JOIN pg_catalog.pg_opclass o ON o.oid = i.indclass[s.n]
         LEFT JOIN pg_catalog.pg_amop ao ON ao.amopfamily = o.opcfamily AND ao.amopstrategy = 5
                   AND ao.amoplefttype = o.opcintype AND ao.amoprighttype = o.opcintype
         LEFT JOIN pg_catalog.pg_operator op ON op.oid = ao.amopopr
         LEFT JOIN pg_catalog.pg_namespace opn ON opn.oid = op.oprnamespace) x
     WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND x.usable
     ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid
     LIMIT 1`

// relationSQL finds a table and its key.
const relationSQL = `
SELECT c.relkind, has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT'), k.attnums, k.path, c.oid,
       (WITH RECURSIVE d AS (
          SELECT h.inhrelid FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid AND c.relkind = 'r'
          UNION SELECT h.inhrelid FROM d JOIN pg_catalog.pg_inherits h ON h.inhparent = d.inhrelid)
        SELECT min(x.oid::regclass::text) FROM d JOIN pg_catalog.pg_class x ON x.oid = d.inhrelid
         WHERE NOT (has_schema_privilege(x.relnamespace, 'USAGE') AND has_any_column_privilege(x.oid, 'SELECT')))
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (
` + usableKey + `) k ON true
 WHERE n.nspname = $1 AND c.relname = $2 AND ` + userTables

// columnsSQL lists the columns of a table that the role may read, with their types seen through domains.
const columnsSQL = `
SELECT a.attnum, a.attname, b.oid, b.typcategory, e.oid, e.typdelim
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 CROSS JOIN LATERAL (` + baseType + `a.atttypid` + baseTypeEnd + `) AS b(oid, typcategory, elem)
  LEFT JOIN LATERAL (
    SELECT eb.oid, et.typdelim
      FROM pg_catalog.pg_type et
     CROSS JOIN LATERAL (` + baseType + `et.oid` + baseTypeEnd + `) AS eb(oid, typcategory, elem)
     WHERE et.oid = b.elem) e ON true
 WHERE n.nspname = $1 AND c.relname = $2 AND has_column_privilege(c.oid, a.attnum, 'SELECT') AND ` + userTables + `
 ORDER BY a.attnum`

// A type seen through domains: its oid, category and, for a true array, the element type.
const (
	baseType = `WITH RECURSIVE d AS (
      SELECT t.* FROM pg_catalog.pg_type t WHERE t.oid = `
	baseTypeEnd = `
      UNION ALL
      SELECT t.* FROM d JOIN pg_catalog.pg_type t ON t.oid = d.typbasetype WHERE d.typtype = 'd')
    SELECT d.oid, d.typcategory, CASE WHEN d.typoutput = 'pg_catalog.array_out'::regproc THEN d.typelem END
      FROM d WHERE d.typtype <> 'd'`
)

// relation is what is known of a table for a short while.
type relation struct {
	name    tableName
	kind    string // relkind
	oid     string // changes when another table takes its name
	columns []column
	key     []int  // positions in columns; empty without a usable key
	path    string // schemas to add to the search path for comparing keys
	text    []int  // positions of the columns that hold text
	hidden  string // an inheritance child whose rows the role may read through this table alone, which nothing lists
	fits    atomic.Int32
}

type column struct {
	name string
	oid  uint32 // of the type below domains
	as   form
	elem form // of an array's elements
	sep  byte // between them
}

// from returns the FROM clause. A table's inheritance children are containers of their own, so only its own rows are
// read; partitions are not, and views have none.
func (r *relation) from() string {
	if r.kind == "r" {
		return " FROM ONLY " + r.name.sql() + " AS t"
	}
	return " FROM " + r.name.sql() + " AS t"
}

// describe reads what the catalog says of a table.
func (d *Driver) describe(ctx context.Context, name tableName) (*relation, error) {
	var rel *relation
	var attnums []string
	var key string
	readable := false
	params := []param{text(name.schema), text(name.table)}
	restart := func() { rel, attnums, key = nil, nil, "" }
	err := d.read(ctx, []statement{
		{sql: relationSQL, params: params, width: 6}, {sql: columnsSQL, params: params, width: 6},
	}, restart,
		func(stmt int, _ []pgconn.FieldDescription, row [][]byte) error {
			if stmt == 0 {
				rel = &relation{name: name, kind: string(row[0]), oid: string(row[4]), path: string(row[3]), hidden: cleanText(row[5])}
				readable, key = isTrue(row[1]), string(row[2])
				return nil
			}
			if rel == nil {
				return nil // made between the two statements; seen with the next page
			}
			attnums = append(attnums, string(row[0]))
			return rel.add(row)
		})
	switch {
	case err != nil:
		return nil, err
	case rel == nil:
		return nil, gone(name)
	case !readable:
		return nil, d.forbidden(name)
	}
	rel.setKey(key, attnums)
	return rel, nil
}

// add takes a row of columnsSQL.
func (r *relation) add(row [][]byte) error {
	oid, err := strconv.ParseUint(string(row[2]), 10, 32)
	if err != nil {
		return err
	}
	c := column{name: string(row[1]), oid: uint32(oid), as: formOf(uint32(oid))}
	if row[4] != nil {
		elem, err := strconv.ParseUint(string(row[4]), 10, 32)
		if err != nil {
			return err
		}
		if len(row[5]) != 1 {
			return errShape
		}
		c.as, c.elem, c.sep = formArray, formOf(uint32(elem)), row[5][0]
	}
	if string(row[3]) == "S" {
		r.text = append(r.text, len(r.columns))
	}
	r.columns = append(r.columns, c)
	return nil
}

func (r *relation) setKey(key string, attnums []string) {
	for _, k := range strings.Fields(key) {
		i := slices.Index(attnums, k)
		if i < 0 {
			r.key = nil // the table changed between the two statements
			return
		}
		r.key = append(r.key, i)
	}
}

func gone(name tableName) error {
	return connectors.Errorf(connectors.NotFound, "there is no table or view %s (any more); list the tables again, and mind that case counts", name)
}

func (d *Driver) forbidden(name tableName) error {
	schema, table := pgx.Identifier{name.schema}.Sanitize(), name.sql()
	return connectors.Denied(nil,
		"the role %s may not read %s: GRANT USAGE ON SCHEMA %s and GRANT SELECT ON %s to it, or connect with another role", d.user, name, schema, table)
}

// relation returns the description of a table, from the cache unless fresh is asked for.
func (d *Driver) relation(ctx context.Context, name tableName, fresh bool) (*relation, error) {
	if !fresh {
		if r := d.tables.get(name); r != nil {
			return r, nil
		}
	}
	r, err := d.describe(ctx, name)
	if err == nil {
		d.tables.put(name, r)
	}
	return r, err
}
