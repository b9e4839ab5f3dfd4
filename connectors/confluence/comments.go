package confluence

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

// The kinds of comments, as version 2 calls them in paths.
const (
	footer = "footer-comments"
	inline = "inline-comments"
)

// thread is a position in a listing of comments: footer comments first and inline comments then; of each kind a page of
// those that answer no other, then all replies to these to any depth, then the next page.
type thread struct {
	On      string   `json:"o,omitempty"` // the kind of item
	Kind    string   `json:"k,omitempty"` // the kind of comments
	Cursor  string   `json:"c,omitempty"` // of the page of first comments that comes when no reply is left
	End     bool     `json:"e,omitempty"` // whether there is no such page
	Parents []parent `json:"p,omitempty"` // whose replies are to be listed, the last one first
}

// parent is a comment and where in its replies the listing is.
type parent struct {
	ID     string `json:"i"`
	Cursor string `json:"c,omitempty"`
}

const (
	// maxParents bounds the comments whose replies a cursor keeps in mind.
	maxParents = 5000
	// maxQuiet is how many comments without replies one page goes past.
	maxQuiet = 40
)

func parseThread(c connectors.Cursor) (thread, error) {
	t := thread{Kind: footer}
	if c == "" {
		return t, nil
	}
	odd := func(p parent) bool { return !isID(p.ID) }
	err := json.Unmarshal([]byte(c), &t)
	if err != nil || t.Kind != footer && t.Kind != inline || t.On != pages && t.On != blogPosts || slices.ContainsFunc(t.Parents, odd) {
		return t, badCursor()
	}
	return t, nil
}

// ListComments returns the footer comments and then the inline comments on a page or blog post, with all replies.
func (c *cloud) ListComments(ctx context.Context, q connectors.CommentQuery) (connectors.Page[connectors.Comment], error) {
	var out connectors.Page[connectors.Comment]
	if !isID(q.ItemID) {
		return out, noItem(q.ItemID, nil)
	}
	at, err := parseThread(q.Cursor)
	if err != nil {
		return out, err
	}
	if at.On == "" {
		if at.On, err = c.kindOf(ctx, q.ItemID); err != nil {
			return out, err
		}
	}
	more := true
	for range maxQuiet {
		if more, err = c.turn(ctx, q, &at, &out); err != nil {
			return out, err
		}
		if !more || len(out.Items) > 0 {
			break
		}
	}
	if err := c.nameAuthors(ctx, out.Items); err != nil || !more {
		return out, err
	}
	next, err := json.Marshal(at)
	out.Next = connectors.Cursor(next)
	return out, err
}

func noItem(id string, cause error) error {
	return connectors.Wrap(connectors.NotFound, cause, "Confluence has no page or blog post %s, or the account may not view it", atlassian.Quote(id))
}

// kindOf finds out whether an id is a page's or a blog post's.
func (c *cloud) kindOf(ctx context.Context, id string) (string, error) {
	var last error
	for _, kind := range []string{pages, blogPosts} {
		var p content
		_, err := c.api.Get(ctx, v2+rest.Path(kind, id), nil, &p)
		switch {
		case err == nil && p.ID == id:
			return kind, nil
		case err == nil:
			return "", c.api.Nonsense("another page than the one it was asked for")
		case rest.StatusOf(err) != http.StatusNotFound:
			return "", err
		}
		last = err
	}
	return "", noItem(id, last)
}

// turn adds one page of first comments, or of replies to one comment, to out, and reports whether anything follows.
func (c *cloud) turn(ctx context.Context, q connectors.CommentQuery, at *thread, out *connectors.Page[connectors.Comment]) (bool, error) {
	var path, cursor, parentID string
	if n := len(at.Parents); n > 0 {
		parentID, cursor = at.Parents[n-1].ID, at.Parents[n-1].Cursor
		path = v2 + rest.Path(at.Kind, parentID, "children")
	} else {
		path, cursor = v2+rest.Path(at.On, q.ItemID, at.Kind), at.Cursor
	}
	page, err := c.get(ctx, path, url.Values{"body-format": {"storage"}}, q.Limit, cursor)
	switch {
	case rest.StatusOf(err) == http.StatusNotFound && parentID != "":
		if err := c.wentAway(ctx, at.Kind, parentID); err != nil {
			return false, err
		}
		page = listed{} // its replies went with it
	case rest.StatusOf(err) == http.StatusNotFound:
		return false, noItem(q.ItemID, err)
	case err != nil:
		return false, err
	}
	ids, err := c.addComments(page.Results, q, at.Kind, parentID, out)
	if err != nil {
		return false, err
	}
	if err := at.advance(page.cursor, ids); err != nil {
		return false, err
	}
	return at.goesOn(), nil
}

// wentAway is nil for a comment that is not there any more, and says otherwise that its replies cannot be read.
func (c *cloud) wentAway(ctx context.Context, kind, id string) error {
	var one struct{}
	_, err := c.api.Get(ctx, v2+rest.Path(kind, id), nil, &one)
	switch {
	case rest.StatusOf(err) == http.StatusNotFound:
		return nil
	case err == nil:
		return c.api.Nonsense("a comment whose replies it does not find")
	}
	return err
}

// advance moves behind a page whose comments have those ids; their replies come next.
func (t *thread) advance(next string, ids []string) error {
	if n := len(t.Parents); n > 0 {
		t.Parents[n-1].Cursor = next
		if next == "" {
			t.Parents = t.Parents[:n-1]
		}
	} else {
		t.Cursor, t.End = next, next == ""
	}
	for _, id := range slices.Backward(ids) {
		t.Parents = append(t.Parents, parent{ID: id})
	}
	if len(t.Parents) > maxParents {
		return connectors.Errorf(connectors.ProviderError, "the replies are nested in a way that has no end: more than %d are open at once", maxParents)
	}
	return nil
}

// goesOn reports whether anything follows, and turns to the inline comments when the footer comments are done.
func (t *thread) goesOn() bool {
	if len(t.Parents) > 0 || !t.End {
		return true
	}
	if t.Kind == inline {
		return false
	}
	*t = thread{On: t.On, Kind: inline}
	return true
}

func (c *cloud) addComments(results []json.RawMessage, q connectors.CommentQuery, kind, parentID string, out *connectors.Page[connectors.Comment]) ([]string, error) {
	var ids []string
	for _, raw := range results {
		var k comment
		if err := c.read(raw, &k); err != nil {
			return nil, err
		}
		if !isID(k.ID) {
			return nil, c.api.Nonsense("a comment without an id")
		}
		if k.ParentID == "" {
			k.ParentID = parentID
		}
		ids = append(ids, k.ID)
		out.Items = append(out.Items, c.comment(k, raw, q, kind))
	}
	return ids, nil
}

func (c *cloud) comment(k comment, raw json.RawMessage, q connectors.CommentQuery, kind string) connectors.Comment {
	changed := parseTime(k.Version.CreatedAt)
	out := connectors.Comment{
		ID: k.ID, ItemID: q.ItemID, Text: k.Body.text(), UpdatedAt: changed,
		Meta: connectors.Meta{
			{Name: "kind", Value: strings.TrimSuffix(kind, "-comments")},
			{Name: "parentCommentId", Value: orNull(k.ParentID)},
			{Name: "authorId", Value: orNull(k.Version.AuthorID)},
			{Name: "version", Value: number(k.Version.Number)},
			{Name: "status", Value: orNull(k.Status)},
			{Name: "resolutionStatus", Value: orNull(k.ResolutionStatus)},
			{Name: "selection", Value: orNull(k.Properties.Selection)},
		},
	}
	if k.Version.Number == "1" {
		out.CreatedAt = changed // of later versions only the time of the last change is told
	}
	if q.Raw {
		out.Raw = raw
	}
	return out
}

// maxPeople is how many accounts are asked about at a time.
const maxPeople = 90

// nameAuthors fills in the names of authors. A consent that does not cover that leaves them out.
func (c *cloud) nameAuthors(ctx context.Context, list []connectors.Comment) error {
	named, unknown := map[string]string{}, []string(nil)
	for _, k := range list {
		id, _ := k.Meta.Get("authorId").(string)
		name, known := c.people.of(id)
		if named[id] = name; !known && id != "" && !slices.Contains(unknown, id) {
			unknown = append(unknown, id)
		}
	}
	for chunk := range slices.Chunk(unknown, maxPeople) {
		if err := c.learnNames(ctx, chunk, named); err != nil {
			return err
		}
	}
	for i := range list {
		id, _ := list[i].Meta.Get("authorId").(string)
		list[i].Author = cmp.Or(named[id], list[i].Author)
	}
	return nil
}

// displayNames remembers names by account. It is safe for concurrent use; its zero value knows none.
type displayNames struct {
	mu   sync.Mutex
	byID map[string]string
}

// maxNames bounds how many are remembered.
const maxNames = 50_000

func (n *displayNames) of(id string) (name string, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	name, known = n.byID[id]
	return name, known
}

func (n *displayNames) remember(id, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.byID == nil || len(n.byID) >= maxNames {
		n.byID = map[string]string{}
	}
	n.byID[id] = name
}

// learnNames finds out the names of accounts, and remembers who has none: whoever is not told now is not asked about again.
func (c *cloud) learnNames(ctx context.Context, ids []string, named map[string]string) error {
	var answer struct {
		Results []user `json:"results"`
	}
	_, err := c.api.Get(ctx, v1+"/user/bulk", url.Values{"accountId": ids}, &answer)
	switch {
	case connectors.IsDenied(err):
	case err != nil:
		return err
	case answer.Results == nil:
		return c.api.Nonsense("a list without accounts")
	}
	for _, u := range answer.Results {
		named[u.AccountID] = u.name()
	}
	for _, id := range ids {
		c.people.remember(id, named[id])
	}
	return nil
}
