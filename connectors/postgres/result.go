package postgres

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unified-connector/ucf/connectors"
)

// result is what is known of a query's result for a short while. Its columns and its key stand in a relation without a
// name, so that its rows become items as a table's do.
type result struct {
	userSQL
	rel     *relation
	nullKey bool // the key may be null somewhere
}

// declare makes a cursor of a query and does not run it. The server takes one SELECT, WITH … SELECT, VALUES or TABLE
// here and nothing else: no second statement, no statement that writes or sets, not even in WITH.
const declare = "DECLARE ucf NO SCROLL CURSOR FOR "

// result describes the result of a query, from the cache unless fresh is asked for.
func (d *Driver) result(ctx context.Context, text string, fresh bool) (*result, error) {
	if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		return nil, connectors.InvalidFields(connectors.Fault{Field: "query", Message: "is not valid UTF-8"})
	}
	if !fresh {
		if r := d.results.get(text); r != nil {
			return r, nil
		}
	}
	r := &result{userSQL: readSQL(text)}
	fields, err := d.resultFields(ctx, r.text)
	if err != nil {
		return nil, err
	}
	if err := d.describeResult(ctx, r, fields); err != nil {
		return nil, err
	}
	d.results.put(text, r)
	return r, nil
}

// resultFields has the server read a query without running it, and returns the columns of its result.
func (d *Driver) resultFields(ctx context.Context, text string) (fields []pgconn.FieldDescription, err error) {
	fetch := statement{sql: "FETCH 0 FROM ucf", fields: func(f []pgconn.FieldDescription) error {
		fields = slices.Clone(f)
		return nil
	}}
	err = d.do(ctx, work{
		stmts: []statement{{sql: declare + text}, fetch}, foreign: true, restart: func() { fields = nil },
		rows: func(int, []pgconn.FieldDescription, [][]byte) error { return errShape },
	})
	if err != nil {
		return nil, d.ofQuery(ctx, err, text, declare)
	}
	return fields, nil
}

// typesSQL tells of each type of $1, in their order: the type below domains with its category, for a true array its
// elements and what separates them, and the schema that holds its comparison operators if that is not the system's.
const typesSQL = `
SELECT o.n, '', b.oid, b.typcategory, e.oid, e.typdelim,
       (SELECT quote_ident(opn.nspname)
          FROM pg_catalog.pg_opclass c
          JOIN pg_catalog.pg_am am ON am.oid = c.opcmethod AND am.amname = 'btree'
          JOIN pg_catalog.pg_amop ao ON ao.amopfamily = c.opcfamily AND ao.amopstrategy = 5
               AND ao.amoplefttype = c.opcintype AND ao.amoprighttype = c.opcintype
          JOIN pg_catalog.pg_operator op ON op.oid = ao.amopopr
          JOIN pg_catalog.pg_namespace opn ON opn.oid = op.oprnamespace AND opn.nspname <> 'pg_catalog'
         WHERE c.opcdefault AND c.opcintype = b.oid
         LIMIT 1)
  FROM unnest($1) WITH ORDINALITY AS o(oid, n)
 CROSS JOIN LATERAL (` + baseType + `o.oid` + baseTypeEnd + `) AS b(oid, typcategory, elem)
  LEFT JOIN LATERAL (
    SELECT eb.oid, et.typdelim
      FROM pg_catalog.pg_type et
     CROSS JOIN LATERAL (` + baseType + `et.oid` + baseTypeEnd + `) AS eb(oid, typcategory, elem)
     WHERE et.oid = b.elem) e ON true
 ORDER BY o.n`

// keysSQL tells the keys of the tables of $1.
const keysSQL = `
SELECT c.oid, k.attnums
  FROM pg_catalog.pg_class c
 CROSS JOIN LATERAL (` + usableKey + `) k
 WHERE c.oid = ANY($1)`

// describeResult fills in what the catalog tells of the columns.
func (d *Driver) describeResult(ctx context.Context, r *result, fields []pgconn.FieldDescription) error {
	var types, tables []string
	for _, f := range fields {
		types = append(types, strconv.FormatUint(uint64(f.DataTypeOID), 10))
		if f.TableOID != 0 {
			tables = append(tables, strconv.FormatUint(uint64(f.TableOID), 10))
		}
	}
	names := uniqueNames(fields)
	var paths []string
	keys := map[string]string{}
	restart := func() {
		r.rel, paths = &relation{oid: "query"}, nil
		clear(keys)
	}
	err := d.read(ctx, []statement{
		{sql: typesSQL, params: []param{oids(types)}, width: 7}, {sql: keysSQL, params: []param{oids(tables)}, width: 2},
	}, restart, func(stmt int, _ []pgconn.FieldDescription, row [][]byte) error {
		if stmt == 1 {
			keys[string(row[0])] = string(row[1])
			return nil
		}
		if len(paths) == len(names) {
			return errShape
		}
		row[1] = []byte(names[len(paths)])
		paths = append(paths, string(row[6]))
		return r.rel.add(row)
	})
	if err != nil {
		return err
	}
	if len(r.rel.columns) != len(fields) {
		return errStale // a type was dropped between the two
	}
	d.keyOf(r, fields, keys, paths)
	return nil
}

// oids returns a parameter of type oid[].
func oids(list []string) param { return param{oidOIDs, []byte("{" + strings.Join(list, ",") + "}")} }

// uniqueNames returns the names of the columns, numbered where one comes again: meta is an object.
func uniqueNames(fields []pgconn.FieldDescription) []string {
	used := map[string]bool{}
	for _, f := range fields {
		used[f.Name] = true
	}
	seen := map[string]bool{}
	names := make([]string, len(fields))
	for i, f := range fields {
		name := f.Name
		for n := 2; seen[name]; n++ {
			if next := f.Name + "_" + strconv.Itoa(n); !used[next] {
				name = next
			}
		}
		seen[name], used[name] = true, true
		names[i] = name
	}
	return names
}

// keyOf finds the columns to page by: those of query_key, else the key of the first table whose whole key is there.
// Whether they tell the rows of this result apart is checked when it is read.
func (d *Driver) keyOf(r *result, fields []pgconn.FieldDescription, keys map[string]string, paths []string) {
	key := positions(d.queryKey, func(name string) int {
		return slices.IndexFunc(fields, func(f pgconn.FieldDescription) bool { return f.Name == name })
	})
	r.nullKey = key != nil || r.userSQL.nullKey
	for i := 0; key == nil && i < len(fields); i++ {
		table := fields[i].TableOID
		key = positions(strings.Fields(keys[strconv.FormatUint(uint64(table), 10)]), func(attnum string) int {
			return slices.IndexFunc(fields, func(f pgconn.FieldDescription) bool {
				return f.TableOID == table && strconv.Itoa(int(f.TableAttributeNumber)) == attnum
			})
		})
	}
	r.rel.key = key
	var path []string
	for _, k := range key {
		if p := paths[k]; p != "" && !slices.Contains(path, p) {
			path = append(path, p)
		}
	}
	r.rel.path = strings.Join(path, ", ")
	if byKey := orderByKey(fields, key); byKey != "" && r.orderBy == byKey && !r.picks {
		r.ordered = false // the order of the key is the query's own
	}
}

// orderByKey returns what [userSQL] has for an ORDER BY of the key's columns by their names, where they have such.
func orderByKey(fields []pgconn.FieldDescription, key []int) string {
	out := ""
	for i, k := range key {
		for at, f := range fields {
			if at != k && f.Name == fields[k].Name {
				return ""
			}
		}
		if i > 0 {
			out += " ,"
		}
		out += " " + fields[k].Name
	}
	return out
}

// positions looks up every name; it returns nil unless all are there.
func positions(names []string, find func(string) int) []int {
	var out []int
	for _, name := range names {
		i := find(name)
		if i < 0 {
			return nil
		}
		out = append(out, i)
	}
	return out
}
