package postgres

import (
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unified-connector/ucf/connectors"
)

// oldestVersion is the oldest server_version_num that the statements of this package are written for.
const oldestVersion = 120000

const probeSQL = `
SELECT current_setting('server_version'), current_setting('server_version_num'), current_user, current_database(),
       pg_is_in_recovery(),
       COALESCE((SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user), false),
       EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE ` + readable + `)`

// probe is what the server tells of itself and of the role.
type probe struct {
	version, number, user, database string
	replica, superuser, reads       bool
}

func (p *probe) take(_ int, _ []pgconn.FieldDescription, row [][]byte) error {
	*p = probe{
		version: cleanText(row[0]), number: string(row[1]), user: cleanText(row[2]), database: cleanText(row[3]),
		replica: isTrue(row[4]), superuser: isTrue(row[5]), reads: isTrue(row[6]),
	}
	return nil
}

func isTrue(text []byte) bool { return string(text) == "t" }

func (p *probe) kind() string {
	if p.replica {
		return "replica"
	}
	return "primary"
}

func (p *probe) warnings() []connectors.Warning {
	var w []connectors.Warning
	if n, err := strconv.Atoi(p.number); err == nil && n < oldestVersion {
		w = append(w, connectors.Warning{Code: "old_version", Message: "PostgreSQL " + p.version + " is older than 12, the oldest that ucf is made for"})
	}
	if p.superuser {
		w = append(w, connectors.Warning{Code: "superuser", Message: "the role " + p.user + " is a superuser; give ucf a role that may only read"})
	}
	if !p.reads {
		w = append(w, connectors.Warning{Code: "nothing_readable", Message: "the role " + p.user + " may read no table; GRANT USAGE on a schema and SELECT on its tables to it"})
	}
	return w
}

func (d *Driver) transportWarnings() []connectors.Warning {
	switch d.sslmode {
	case "disable":
		return []connectors.Warning{{Code: "plaintext", Message: "sslmode is disable: everything travels unencrypted; use verify-full"}}
	case "require":
		if !d.pool.to.verified() {
			return []connectors.Warning{{Code: "unverified_server", Message: "sslmode is require: the server is not verified; use verify-full"}}
		}
	}
	return nil
}
