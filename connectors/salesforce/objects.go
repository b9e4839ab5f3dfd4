package salesforce

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// sobject is an object as the list of all objects (describeGlobal) has it.
type sobject struct {
	Name                string  `json:"name"`
	Label               string  `json:"label"`
	LabelPlural         string  `json:"labelPlural"`
	KeyPrefix           *string `json:"keyPrefix"`
	Queryable           bool    `json:"queryable"`
	Custom              bool    `json:"custom"`
	CustomSetting       bool    `json:"customSetting"`
	DeprecatedAndHidden bool    `json:"deprecatedAndHidden"`
	Replicateable       bool    `json:"replicateable"`
	Retrieveable        bool    `json:"retrieveable"`
	Createable          bool    `json:"createable"`
	Updateable          bool    `json:"updateable"`
	Deletable           bool    `json:"deletable"`
	Undeletable         bool    `json:"undeletable"`
	Mergeable           bool    `json:"mergeable"`
	Searchable          bool    `json:"searchable"`
	Layoutable          bool    `json:"layoutable"`
	Triggerable         bool    `json:"triggerable"`
	FeedEnabled         bool    `json:"feedEnabled"`

	raw json.RawMessage
}

// objects are all objects of an org, by API name.
type objects []sobject

// of returns the object whose records have ids that begin like id. The posts in an object's feed are listed by several
// objects, and belong to FeedItem.
func (o objects) of(id string) (sobject, bool) {
	for _, s := range o {
		if strings.HasSuffix(s.Name, "Feed") {
			continue
		}
		if s.KeyPrefix != nil && len(*s.KeyPrefix) == prefixLen && strings.HasPrefix(id, *s.KeyPrefix) && s.isListed() {
			return s, true
		}
	}
	return sobject{}, false
}

// isListed reports whether the object is one that listings show.
func (s sobject) isListed() bool { return s.Queryable && !s.DeprecatedAndHidden }

// nameForm is how API names of objects and fields are written.
var nameForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,127}$`)

// askObjects asks for all objects.
func (d *Driver) askObjects(ctx context.Context) (objects, error) {
	v, err := d.version(ctx)
	if err != nil {
		return nil, err
	}
	var found struct {
		Objects []json.RawMessage `json:"sobjects"`
	}
	if _, err := d.api.Get(ctx, v.path("sobjects"), nil, &found); err != nil {
		return nil, err
	}
	if len(found.Objects) == 0 {
		return nil, d.api.Nonsense("a list of objects without any")
	}
	list := make(objects, len(found.Objects))
	for i, raw := range found.Objects {
		if err := json.Unmarshal(raw, &list[i]); err != nil || !nameForm.MatchString(list[i].Name) {
			return nil, d.api.Nonsense("an object without an API name")
		}
		list[i].raw = raw
	}
	slices.SortFunc(list, func(a, b sobject) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(list); i++ {
		if list[i].Name == list[i-1].Name {
			return nil, d.api.Nonsense("the object " + list[i].Name + " twice")
		}
	}
	d.known.objects.put(list, d.now())
	return list, nil
}

// allObjects returns all objects as they were a few minutes ago at the earliest.
func (d *Driver) allObjects(ctx context.Context) (objects, error) {
	if list, ok := d.known.objects.get(d.now()); ok {
		return list, nil
	}
	return d.askObjects(ctx)
}

// containerCursor begins the cursors of listings of containers; the API name of the last one follows.
const containerCursor = "after:"

// ListContainers returns the objects that can be queried and are not hidden, by API name. Salesforce gives all of them
// in one answer, which every page asks for: an object that appears or vanishes meanwhile moves no other one.
func (d *Driver) ListContainers(ctx context.Context, q connectors.ContainerQuery) (connectors.Page[connectors.Container], error) {
	var page connectors.Page[connectors.Container]
	after, ok := strings.CutPrefix(string(q.Cursor), containerCursor)
	if q.Cursor != "" && (!ok || !nameForm.MatchString(after)) {
		return page, foreignCursor(nil)
	}
	list, err := d.askObjects(ctx)
	if err != nil {
		return page, err
	}
	for _, s := range list {
		switch {
		case !s.isListed() || s.Name <= after:
		case len(page.Items) == q.Limit:
			page.Next = containerCursor + connectors.Cursor(page.Items[q.Limit-1].ID)
			return page, nil
		default:
			page.Items = append(page.Items, s.container(q))
		}
	}
	return page, nil
}

func (s sobject) container(q connectors.ContainerQuery) connectors.Container {
	c := connectors.Container{ID: s.Name, Label: s.Label, Type: "object", Meta: connectors.Meta{
		{Name: "queryable", Value: s.Queryable}, {Name: "custom", Value: s.Custom},
	}}
	if q.Wide {
		c.Meta = append(c.Meta, connectors.Meta{
			{Name: "keyPrefix", Value: s.prefix()},
			{Name: "labelPlural", Value: s.LabelPlural},
			{Name: "createable", Value: s.Createable},
			{Name: "updateable", Value: s.Updateable},
			{Name: "deletable", Value: s.Deletable},
			{Name: "undeletable", Value: s.Undeletable},
			{Name: "mergeable", Value: s.Mergeable},
			{Name: "replicateable", Value: s.Replicateable},
			{Name: "retrieveable", Value: s.Retrieveable},
			{Name: "searchable", Value: s.Searchable},
			{Name: "layoutable", Value: s.Layoutable},
			{Name: "triggerable", Value: s.Triggerable},
			{Name: "feedEnabled", Value: s.FeedEnabled},
			{Name: "customSetting", Value: s.CustomSetting},
		}...)
	}
	if q.Raw {
		c.Raw = s.raw
	}
	return c
}

// prefix returns the key prefix, nil where the object has none.
func (s sobject) prefix() any {
	if s.KeyPrefix == nil {
		return nil
	}
	return *s.KeyPrefix
}

func foreignCursor(cause error) error {
	return connectors.Wrap(connectors.InvalidRequest, cause, "the cursor is not one of this listing: start without one")
}
