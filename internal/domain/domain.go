// Package domain holds the records that ucf keeps: connections, sealed tokens, sync states, connector settings and
// audit entries, all of one tenant each, and their identifiers.
package domain

import (
	"crypto/rand"
	"encoding/base32"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/unified-connector/ucf/connectors"
)

// Tenant is the customer or workspace that a record belongs to. It is made by [ParseTenant] only.
type Tenant string

// DefaultTenant is the tenant of a command line that names none.
const DefaultTenant = "default"

var tenantForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// ParseTenant checks a tenant's name. An empty one is [connectors.TenantRequired], a malformed one
// [connectors.InvalidRequest].
func ParseTenant(s string) (Tenant, error) {
	if s == "" {
		return "", connectors.Errorf(connectors.TenantRequired, "no tenant was named")
	}
	if !tenantForm.MatchString(s) {
		return "", connectors.InvalidFields(connectors.Fault{
			Field: "tenant", Message: "must be 1 to 64 letters, digits, dots, underscores or hyphens",
		})
	}
	return Tenant(s), nil
}

// Status is the state of a connection.
type Status string

// The states of a connection.
const (
	Connected   Status = "connected"
	Reauthorize Status = "reauthorize" // the provider refused the credential
	Failed      Status = "error"       // the last call failed; Reason tells why
	Revoked     Status = "revoked"
)

// Meta is what every record carries. Revision counts its writes from 1; a write names the revision that it read.
type Meta struct {
	Tenant    Tenant
	Revision  int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Connection is one tenant's configured, named use of a connector, unique by (tenant, connector, name).
type Connection struct {
	Meta
	ID          string // con_…
	ConnectorID string
	Name        string
	Status      Status
	Reason      string
	AuthMethod  string
	Account     connectors.Account
	Site        *Site
	Config      map[string]any // checked, without secrets
	Scopes      []string
	TokenID     string // the sealed credential; empty when there is none
	LastUsedAt  time.Time
	// OperatorHost says that an operator set the host on the command line: there it may be a private one.
	OperatorHost bool
}

// Site is the one of an account's sites that a connection is bound to.
type Site struct {
	ID   string `json:"id"`
	URL  string `json:"url"`
	Name string `json:"name"`
}

// Token is a sealed credential record. What Sealed opens to is known to the service alone.
type Token struct {
	Meta
	ID        string // tok_…
	Kind      string // the auth method it serves
	KeyID     string // the encryption key that sealed it
	Sealed    string // a Fernet token bound to tenant and record
	ExpiresAt time.Time
}

// SyncState is the cursor of one connection, stream and container. Generation counts the sets by a client; a sync
// advances only the generation that it started from.
type SyncState struct {
	Meta
	ConnectionID string
	Stream       string
	ContainerID  string // empty for the whole stream
	Cursor       string
	Generation   int64
}

// ConnectorSetting is what a tenant chose for a connector.
type ConnectorSetting struct {
	Meta
	ConnectorID  string
	ExtraDetails bool
}

// AuditEntry says who did what to which record. Entries are only ever added.
type AuditEntry struct {
	ID         string // aud_…, ascending in time
	Tenant     Tenant
	Actor      string
	Action     string // as in "connection.create"
	TargetType string
	TargetID   string
	Outcome    string // "intent" before a change; "ok" or an error code after it
	Meta       map[string]any
	RequestID  string
	CreatedAt  time.Time
}

var idCoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// lastID is the last identifier that this process made, so that those of one millisecond keep their order.
var lastID struct {
	sync.Mutex
	b [16]byte
}

// NewID returns a new identifier with the prefix, as in con_06ewq…. Identifiers sort by the time of their making, to
// the millisecond, and within a process in the order of their making. They carry 80 bits that begin at random in each
// millisecond; they are names, not secrets.
func NewID(prefix string, now time.Time) string {
	var b [16]byte
	ms := now.UnixMilli()
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	lastID.Lock()
	defer lastID.Unlock()
	if [6]byte(b[:6]) == [6]byte(lastID.b[:6]) {
		b = lastID.b
		for i := 15; i >= 6; i-- {
			if b[i]++; b[i] != 0 {
				break
			}
		}
	} else {
		_, _ = rand.Read(b[6:])
	}
	lastID.b = b
	return prefix + "_" + idCoding.EncodeToString(b[:])
}

// IsID reports whether s has the form of an identifier with the prefix.
func IsID(prefix, s string) bool {
	rest, ok := strings.CutPrefix(s, prefix+"_")
	return ok && len(rest) == 26 && !strings.ContainsFunc(rest, func(r rune) bool {
		return !strings.ContainsRune("0123456789abcdefghjkmnpqrstvwxyz", r)
	})
}

// The prefixes of identifiers.
const (
	ConnectionPrefix = "con"
	TokenPrefix      = "tok"
	AuditPrefix      = "aud"
	RequestPrefix    = "req"
)
