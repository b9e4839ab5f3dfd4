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
	Site        *connectors.Site
	Config      map[string]any // checked, without secrets
	Scopes      []string
	TokenID     string // the sealed credential; empty when there is none
	LastUsedAt  time.Time
	// OperatorHost says that an operator set the host on the command line: there it may be a private one.
	OperatorHost bool
}

// Token is a sealed credential record: an API key, a password, or an OAuth grant. What Sealed opens to are the secrets
// by their field name.
type Token struct {
	Meta
	ID        string // tok_…
	Kind      string // the auth method it serves
	KeyID     string // the encryption key that sealed it
	Sealed    string // a Fernet token bound to tenant and record
	ExpiresAt time.Time
	// DueAt is when a grant has to be refreshed although nobody uses it; zero for never.
	DueAt time.Time
	// Grant is what an OAuth grant has beside its secrets; nil for every other credential.
	Grant *Grant
}

// Grant is an OAuth grant: an account's consent to a client. Its secrets are the access token, the refresh token and,
// where it is not the operator's, the client secret.
type Grant struct {
	// Key is unique within the tenant: one account's consent to one client is kept once, because a refresh token that
	// rotates lives in one place only. Empty where nobody could tell the account.
	Key      string             `json:"key"`
	Provider string             `json:"provider"`
	ClientID string             `json:"clientId"`
	Account  connectors.Account `json:"account"`
	Scopes   []string           `json:"scopes"`
	API      string             `json:"api,omitempty"` // where the token answer names the API's address
	// Generation counts the refresh tokens and consents of the grant, from 1.
	Generation int64 `json:"generation"`
	// RefreshedAt is when the provider last gave a token; the idle limit runs from then.
	RefreshedAt time.Time `json:"refreshedAt"`
	// SpentAt is when the current refresh token was first sent to a provider whose answer was never seen; zero while no
	// answer is missing.
	SpentAt time.Time `json:"spentAt,omitzero"`
	// Refused is why the provider refused the refresh token for good, empty while it did not.
	Refused string `json:"refused,omitempty"`
	// Fence counts the claims; Claim is the one that is held, nil when nobody refreshes.
	Fence int64  `json:"fence"`
	Claim *Claim `json:"claim,omitempty"`
}

// Claim is held by the one who may spend a grant's refresh token. Beat rises while its holder lives.
type Claim struct {
	Owner   string `json:"owner"`
	Attempt string `json:"attempt"`
	Beat    int64  `json:"beat"`
}

// OAuthState is a connect flow between its start and its end. ID is a hash of the state that the browser carries.
type OAuthState struct {
	Meta
	ID        string
	KeyID     string
	Sealed    string // the rest of the flow, bound to tenant and ID
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

// Budget is what is known of one rate limit of a provider's, over all tenants.
type Budget struct {
	Key       string // the provider's own key, such as "atlassian/CLIENT_ID"
	Revision  int64
	UpdatedAt time.Time
	BudgetState
}

// BudgetState is a budget without what identifies it.
type BudgetState struct {
	// Points may be spent in the window from Start to End; Leased is what each tenant's processes took of them.
	Points int64            `json:"points,omitempty"`
	Start  time.Time        `json:"start,omitzero"`
	End    time.Time        `json:"end,omitzero"`
	Leased map[string]int64 `json:"leased,omitempty"`
	// PausedUntil is when the provider takes requests again.
	PausedUntil time.Time `json:"pausedUntil,omitzero"`
	// Said is how much of a limit of its own a provider said is used, of how much, and when.
	Said   int64     `json:"said,omitempty"`
	SaidOf int64     `json:"saidOf,omitempty"`
	SaidAt time.Time `json:"saidAt,omitzero"`
}

// Used returns what all tenants leased.
func (b BudgetState) Used() int64 {
	var sum int64
	for _, n := range b.Leased {
		sum += n
	}
	return sum
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
