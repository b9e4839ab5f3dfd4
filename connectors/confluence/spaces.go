package confluence

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
)

// ListContainers returns the spaces that the account may view, by key.
func (c *cloud) ListContainers(ctx context.Context, q connectors.ContainerQuery) (connectors.Page[connectors.Container], error) {
	var out connectors.Page[connectors.Container]
	query := url.Values{"sort": {"key"}}
	if q.Wide {
		query.Set("description-format", "plain")
	}
	page, err := c.get(ctx, v2+"/spaces", query, q.Limit, string(q.Cursor))
	if err == nil && page.cursor == "" {
		err = c.vouchEnd(ctx, len(page.Results), q.Cursor != "")
	}
	if err != nil {
		return out, err
	}
	out.Next = connectors.Cursor(page.cursor)
	for _, raw := range page.Results {
		k, err := c.container(raw, q)
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, k)
	}
	return out, nil
}

func (c *cloud) container(raw json.RawMessage, q connectors.ContainerQuery) (connectors.Container, error) {
	var s space
	if err := c.read(raw, &s); err != nil {
		return connectors.Container{}, err
	}
	if s.ID == "" || s.Key == "" {
		return connectors.Container{}, c.api.Nonsense("a space without an id and key")
	}
	c.spaces.remember(s.ID, s.Key)
	k := connectors.Container{ID: s.Key, Label: s.Name, Type: "space", Meta: connectors.Meta{
		{Name: "type", Value: s.Type}, {Name: "status", Value: s.Status},
	}}
	if q.Wide {
		k.Meta = append(k.Meta, connectors.Meta{
			{Name: "id", Value: s.ID},
			{Name: "description", Value: s.Description.Plain.Value},
			{Name: "homepageId", Value: orNull(s.HomepageID)},
			{Name: "authorId", Value: orNull(s.AuthorID)},
			{Name: "createdAt", Value: timeValue(parseTime(s.CreatedAt))},
		}...)
	}
	if q.Raw {
		k.Raw = raw
	}
	return k, nil
}

// spaceNames remembers which key a space's id has. It is safe for concurrent use.
type spaceNames struct {
	mu    sync.Mutex
	byID  map[string]string
	byKey map[string]string
}

func newSpaceNames() *spaceNames {
	return &spaceNames{byID: map[string]string{}, byKey: map[string]string{}}
}

// maxSpaceNames bounds how many are remembered.
const maxSpaceNames = 50_000

func (n *spaceNames) remember(id, key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.byID) >= maxSpaceNames {
		clear(n.byID)
		clear(n.byKey)
	}
	n.byID[id], n.byKey[key] = key, id
}

func (n *spaceNames) id(key string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.byKey[key]
}

func (n *spaceNames) key(id string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.byID[id]
}

// isKey reports whether s can be the key of a space.
func isKey(s string) bool {
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("~_-.", r)
	}
	return strings.Trim(s, ".") != "" && len(s) <= 255 && !strings.ContainsFunc(s, odd)
}

func noSpace(key string) error {
	return connectors.Errorf(connectors.NotFound, "Confluence has no space %s, or the account may not view it", atlassian.Quote(key))
}

// spaceID returns the id of a space.
func (c *cloud) spaceID(ctx context.Context, key string) (string, error) {
	if !isKey(key) {
		return "", noSpace(key)
	}
	if id := c.spaces.id(key); id != "" {
		return id, nil
	}
	page, err := c.get(ctx, v2+"/spaces", url.Values{"keys": {key}}, 1, "")
	if err != nil {
		return "", err
	}
	if len(page.Results) == 0 {
		if err := c.vouch(ctx, true); err != nil {
			return "", err
		}
		return "", noSpace(key)
	}
	k, err := c.container(page.Results[0], connectors.ContainerQuery{})
	if err != nil {
		return "", err
	}
	if !strings.EqualFold(k.ID, key) {
		return "", c.api.Nonsense("another space than the one it was asked for")
	}
	return c.spaces.id(k.ID), nil
}

// learnKeys finds out the keys of spaces that are not known yet, in one request as a rule.
func (c *cloud) learnKeys(ctx context.Context, entries []content) error {
	var unknown []string
	for _, p := range entries {
		if isID(p.SpaceID) && c.spaces.key(p.SpaceID) == "" && !slices.Contains(unknown, p.SpaceID) {
			unknown = append(unknown, p.SpaceID)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	results, err := c.every(ctx, v2+"/spaces", url.Values{"ids": unknown})
	if err != nil {
		return err
	}
	for _, raw := range results {
		if _, err := c.container(raw, connectors.ContainerQuery{}); err != nil {
			return err
		}
	}
	return nil
}

// keyOf returns the key of a page's space: as the list of spaces has it, else as the page's own address does.
func (c *cloud) keyOf(p content) string {
	if key := c.spaces.key(p.SpaceID); key != "" {
		return key
	}
	_, rest, _ := strings.Cut(p.Links.WebUI, "/spaces/")
	key, _, _ := strings.Cut(rest, "/")
	if key, err := url.PathUnescape(key); err == nil {
		return key
	}
	return ""
}
