package service

import (
	"context"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/store"
)

// listed is a listing of the store, paged for callers.
type listed[R, O any] struct {
	tenant domain.Tenant
	op     string // what the cursor is bound to
	cursor string
	limit  int
	list   func(store.Store, store.List) ([]R, error)
	id     func(R) string
	out    func(store.Store, R) O
}

// page returns one page of a listing of the store. It asks for one record more than the page holds, to know whether there is a
// next page.
func page[R, O any](ctx context.Context, s *Service, l listed[R, O]) (connectors.Page[O], error) {
	out := connectors.Page[O]{Items: []O{}}
	if err := checkLimit(l.limit); err != nil {
		return out, err
	}
	st, err := s.Store(ctx)
	if err != nil {
		return out, err
	}
	purpose := "list|" + string(l.tenant) + "|" + l.op
	after := ""
	if l.cursor != "" {
		plain, err := s.Keeper.Open(purpose, l.cursor)
		if err != nil {
			return out, connectors.Wrap(connectors.InvalidRequest, err, "the cursor is damaged or belongs to another listing: start without one")
		}
		after = string(plain)
	}
	records, err := l.list(st, store.List{After: after, Limit: l.limit + 1})
	if err != nil {
		return out, err
	}
	if len(records) > l.limit {
		records = records[:l.limit]
		next, err := s.Keeper.Seal(purpose, []byte(l.id(records[l.limit-1])))
		if err != nil {
			return out, err
		}
		out.Next = connectors.Cursor(next)
	}
	for _, r := range records {
		out.Items = append(out.Items, l.out(st, r))
	}
	return out, nil
}

// matches holds an If-Match header against a revision; an empty header matches.
func matches(header string, revision int64) error {
	v := strings.Trim(strings.TrimSpace(header), `"`)
	if v == "" || v == "*" || v == strconv.FormatInt(revision, 10) {
		return nil
	}
	if _, err := strconv.ParseInt(v, 10, 64); err != nil {
		return connectors.Errorf(connectors.InvalidRequest, "If-Match must be a revision")
	}
	return connectors.Errorf(connectors.Conflict, "the record is at revision %d, not %s: read it again", revision, v)
}

// maxNameLen bounds the name of a connection, in characters.
const maxNameLen = 100

// checkName refuses names that a terminal or a log line would choke on, and ones that look like an id.
func checkName(name string) error {
	msg := ""
	switch {
	case strings.TrimSpace(name) == "":
		msg = "is required"
	case strings.TrimSpace(name) != name:
		msg = "must not begin or end with a space"
	case !utf8.ValidString(name):
		msg = "is not valid UTF-8"
	case utf8.RuneCountInString(name) > maxNameLen:
		msg = "is longer than 100 characters"
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		msg = "holds a character that does not print"
	case strings.HasPrefix(name, domain.ConnectionPrefix+"_"):
		msg = "must not begin with con_, as ids do"
	}
	if msg == "" {
		return nil
	}
	return connectors.InvalidFields(connectors.Fault{Field: "name", Message: msg})
}
