package engine

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// place is what a [Position] says: where a container was read to, and the listing that is under way, if one is. All its
// times are by the system's own clock.
type place struct {
	// Since is the time up to which every change was read; zero before everything was.
	Since time.Time `json:"since,omitzero"`
	// Census is when the ids were last compared.
	Census time.Time `json:"census,omitzero"`
	// Run is the run that read the container last, or is reading it.
	Run string `json:"run,omitempty"`

	// Counts is what that run met in the container. Who takes the run over counts on from there.
	Counts domain.JobCounts `json:"counts,omitzero"`

	// Begun is when the listing under way began; zero while none is. Page is where it goes on.
	Begun time.Time `json:"begun,omitzero"`
	Page  string    `json:"page,omitempty"`
	// Full says that it reads everything. Stamp is that of what it has met, zero where nothing is stamped.
	Full  bool  `json:"full,omitempty"`
	Stamp int64 `json:"stamp,omitempty"`
	// Comments says that it reads the comments of its items too.
	Comments bool `json:"comments,omitempty"`
}

// atRest reports whether no listing is under way.
func (p place) atRest() bool { return p.Begun.IsZero() }

// rest returns the place without the listing under way.
func (p place) rest() place {
	return place{Since: p.Since, Census: p.Census, Run: p.Run, Counts: p.Counts}
}

// parsePlace reads a position: what a run kept, or a time in RFC 3339 that a client set.
func parsePlace(text string) (place, error) {
	var p place
	if text == "" {
		return p, nil
	}
	if !strings.HasPrefix(text, "{") {
		at, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(text))
		if err != nil {
			return p, foreignPlace(err)
		}
		p.Since = at.UTC()
		return p, nil
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return place{}, foreignPlace(err)
	}
	return p, nil
}

// CheckPosition refuses what is no position of a stream: neither one that [Position.Save] was given nor a time.
func CheckPosition(stream, text string) error {
	if !slices.Contains([]string{Containers, Items, Comments}, stream) {
		return connectors.Errorf(connectors.InvalidRequest, "%.50q is no stream", stream)
	}
	_, err := parsePlace(text)
	return err
}

func foreignPlace(err error) error {
	return connectors.Wrap(connectors.InvalidRequest, err,
		"the sync state is neither a time (RFC 3339) nor one that a sync wrote: set it again, or remove it with `ucf sync-state clear`")
}

func (p place) String() string {
	text, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	return string(text)
}
