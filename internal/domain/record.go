package domain

import (
	"encoding/json"
	"time"
)

// Kind is the kind of a record.
type Kind string

// The kinds of records.
const (
	ContainerRecord Kind = "container"
	ItemRecord      Kind = "item"
	CommentRecord   Kind = "comment"
)

// Record is a container, item or comment as it was last read, or the tombstone of one. It is unique by (connection, kind,
// ID), and carries the number of its last change: numbers of one connection rise, and each is used once.
type Record struct {
	Kind        Kind
	ID          string
	ContainerID string // of a container its own ID
	ItemID      string // of a comment; empty for the others
	Change      int64
	Deleted     bool
	Reason      string // why it was deleted: deleted, archived, moved, gone
	SyncedAt    time.Time
	Hash        string // of value and raw; a put of the same hash changes nothing
	Seen        int64  // the stamp of the last census that met it
	// Value is the unified form without raw, null for a tombstone; Raw the provider's own, byte for byte.
	Value json.RawMessage
	Raw   json.RawMessage
}

// Feed is the head of a connection's records: who may write them, and how far readers may read.
type Feed struct {
	Tenant       Tenant
	ConnectionID string
	// Epoch names this history of numbers. It changes when a restore makes numbers mean something else.
	Epoch string
	// Published is the highest number below which no write is missing; Oldest the highest number of a tombstone that was
	// swept away.
	Published int64
	Oldest    int64
	// Fence counts the leases; Owner holds the last one, and is empty when it was given back.
	Fence int64
	Owner string
}

// Outcome is what a put did to a record.
type Outcome string

// The outcomes.
const (
	Created   Outcome = "created"
	Updated   Outcome = "updated"
	Tombstone Outcome = "deleted"
	Unchanged Outcome = "unchanged"
)
