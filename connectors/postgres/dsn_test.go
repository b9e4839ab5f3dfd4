package postgres

import (
	"maps"
	"strings"
	"testing"
)

func TestParseDSN(t *testing.T) {
	type fields = map[string]string
	full := fields{"host": "db.example.com", "port": "6432", "database": "app", "user": "ucf", "password": "s3cret", "sslmode": "verify-full"}
	tests := map[string]struct {
		dsn   string
		want  fields
		fault string // a part of it
	}{
		"url":                    {dsn: "postgres://ucf:s3cret@db.example.com:6432/app?sslmode=verify-full", want: full},
		"long scheme":            {dsn: "postgresql://ucf:s3cret@db.example.com:6432/app?sslmode=verify-full", want: full},
		"blanks around":          {dsn: " postgres://ucf:s3cret@db.example.com:6432/app?sslmode=verify-full\n", want: full},
		"keywords":               {dsn: "host=db.example.com port=6432 dbname=app user=ucf password=s3cret sslmode=verify-full", want: full},
		"keywords spaced":        {dsn: "host = db.example.com\tport =6432 dbname= app user=ucf password='s3cret' sslmode=verify-full ", want: full},
		"url parameters":         {dsn: "postgres:///app?host=db.example.com&port=6432&user=ucf&password=s3cret&sslmode=verify-full", want: full},
		"percent":                {dsn: "postgres://u%40x:p%2F%23%3F%25%20%27@h/d%20b", want: fields{"host": "h", "database": "d b", "user": "u@x", "password": "p/#?% '"}},
		"quoted":                 {dsn: `host=h password='a \'b\' \\ =c' user=u`, want: fields{"host": "h", "user": "u", "password": `a 'b' \ =c`}},
		"escaped blank":          {dsn: `host=h password=a\ b`, want: fields{"host": "h", "password": "a b"}},
		"empty value":            {dsn: `host=h password='' user=u`, want: fields{"host": "h", "user": "u"}},
		"IPv6":                   {dsn: "postgres://u:p@[::1]:5432/d", want: fields{"host": "::1", "port": "5432", "database": "d", "user": "u", "password": "p"}},
		"harmless parameters":    {dsn: "postgres://u:p@h/d?application_name=x&connect_timeout=10&pgbouncer=true", want: fields{"host": "h", "database": "d", "user": "u", "password": "p"}},
		"channel binding":        {dsn: "postgres://u:p@h/d?sslmode=require&channel_binding=require", want: fields{"host": "h", "database": "d", "user": "u", "password": "p", "sslmode": "require", "channel_binding": "require"}},
		"no password":            {dsn: "postgres://u@h/d", want: fields{"host": "h", "database": "d", "user": "u"}},
		"same twice":             {dsn: "postgres://u:p@h/d?user=u", want: fields{"host": "h", "database": "d", "user": "u", "password": "p"}},
		"contradiction":          {dsn: "postgres://u:p@h/d?host=other", fault: "names host twice"},
		"keyword contradiction":  {dsn: "host=a host=b", fault: "names host twice"},
		"other scheme":           {dsn: "mysql://u:hunter2@h/d", fault: "postgres://"},
		"http":                   {dsn: "https://u:hunter2@h/d", fault: "postgres://"},
		"empty":                  {dsn: "  ", fault: "is empty"},
		"socket folder":          {dsn: "host=/var/run/postgresql dbname=d", fault: "socket"},
		"socket in url":          {dsn: "postgres://u:hunter2@%2Fvar%2Frun/d", fault: ""},
		"socket as parameter":    {dsn: "postgres:///d?host=/tmp", fault: "socket"},
		"abstract socket":        {dsn: "host=@x", fault: "socket"},
		"hosts in url":           {dsn: "postgres://u:hunter2@a,b/d", fault: "several hosts"},
		"hosts with ports":       {dsn: "postgres://u:hunter2@a:1,b:2/d", fault: "several hosts"},
		"hosts as keyword":       {dsn: "host=a,b", fault: "several hosts"},
		"ports as keyword":       {dsn: "host=a port=1,2", fault: "several hosts"},
		"hostaddr":               {dsn: "host=a hostaddr=127.0.0.1", fault: "hostaddr"},
		"service":                {dsn: "service=prod", fault: "service reads a file"},
		"servicefile":            {dsn: "servicefile=/etc/passwd", fault: "servicefile reads a file"},
		"passfile":               {dsn: "host=h passfile=/etc/passwd", fault: "passfile reads a file"},
		"sslrootcert":            {dsn: "postgres://u:hunter2@h/d?sslrootcert=/etc/passwd", fault: "ssl_root_cert"},
		"sslkey":                 {dsn: "host=h sslkey=/etc/passwd", fault: "client certificates"},
		"options":                {dsn: "postgres://u:hunter2@h/d?options=-c%20x", fault: "run-time parameters"},
		"unknown":                {dsn: "host=h hunter2=1", fault: "unknown parameter"},
		"prefer":                 {dsn: "postgres://u:hunter2@h/d?sslmode=prefer", fault: "fall back to plaintext"},
		"allow":                  {dsn: "host=h sslmode=allow", fault: "fall back to plaintext"},
		"fragment":               {dsn: "postgres://u:hun#ter2@h/d", fault: "percent-encode"},
		"at in password":         {dsn: "postgres://u:hun@ter2@h/d", fault: "percent-encode"},
		"slash in password":      {dsn: "postgres://u:hun/ter2@h/d", fault: "percent-encode"},
		"bad percent":            {dsn: "postgres://u:hunter2%zz@h/d", fault: "percent-encode"},
		"bad port":               {dsn: "postgres://u:p@h:hunter2/d", fault: "percent-encode"},
		"no equals":              {dsn: "hunter2", fault: "is not host="},
		"unterminated":           {dsn: "host=h password='hunter2", fault: "is not host="},
		"text after quote":       {dsn: "host=h password='a'hunter2", fault: "is not host="},
		"quote within":           {dsn: "host=h password=hun'ter2", fault: "is not host="},
		"ends with backslash":    {dsn: `host=h password=hunter2\`, fault: "is not host="},
		"blank in password":      {dsn: "host=h password=my hunter2 user=u", fault: "is not host="},
		"blank keyword password": {dsn: "host=h password=my hunter2=x", fault: "unknown parameter"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, fault := parseDSN(tt.dsn)
			if strings.Contains(fault, "hunter2") || strings.Contains(fault, "ter2") {
				t.Errorf("the fault %q tells a part of the string", fault)
			}
			if tt.want != nil {
				if fault != "" || !maps.Equal(got, tt.want) {
					t.Errorf("got %v, fault %q, want %v", got, fault, tt.want)
				}
				return
			}
			if fault == "" || !strings.Contains(fault, tt.fault) {
				t.Errorf("got fault %q of %v, want one with %q", fault, got, tt.fault)
			}
		})
	}
}

// FuzzDSN checks that no string makes the parser fail badly, smuggle a host list or socket in, or tell of its text.
func FuzzDSN(f *testing.F) {
	f.Add("postgres://u:p@h:5432/d?sslmode=require")
	f.Add(`host=h password='a \'b' user=u`)
	f.Add("postgres://u:p@a,b/d")
	f.Add("host=/tmp")
	f.Fuzz(func(t *testing.T, s string) {
		parts, fault := parseDSN(s)
		if fault != "" {
			if len(s) > 12 && strings.Contains(fault, s) {
				t.Errorf("fault %q tells the string", fault)
			}
			return
		}
		for name := range parts {
			if _, ok := Definition.Field(name); !ok {
				t.Errorf("%q is no field", name)
			}
		}
		if h := parts["host"]; strings.ContainsAny(h, ",") || strings.HasPrefix(h, "/") {
			t.Errorf("host %q was let through", h)
		}
		if _, err := Definition.ParseConfig(map[string]any{"dsn": s}); err != nil && len(parts["password"]) > 20 &&
			strings.Contains(err.Error(), parts["password"]) {
			t.Errorf("error tells the password: %v", err)
		}
	})
}
