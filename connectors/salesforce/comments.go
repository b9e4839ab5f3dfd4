package salesforce

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// The objects that hold comments.
const (
	caseComments = "CaseComment"
	feedPosts    = "FeedItem"
	feedAnswers  = "FeedComment"
)

// stage is one kind of comments on a record; a listing goes through them one after the other.
type stage struct {
	object string
	parent string   // the field with the record's id
	fields []string // the fields that a comment is made of, where the object has them
}

func (s stage) where(id string) []string { return []string{s.parent + " = " + quote(id)} }

var (
	caseStage = stage{caseComments, "ParentId", []string{"CommentBody", "IsPublished"}}
	postStage = stage{feedPosts, "ParentId", []string{"Type", "Title", "Body", "LinkUrl", "IsRichText", "Visibility", "Revision", "LastEditDate"}}
	// answerStage are the answers to the posts of a record's feed.
	answerStage = stage{feedAnswers, "ParentId", []string{"FeedItemId", "CommentBody", "CommentType", "IsRichText", "RelatedRecordId", "Revision", "LastEditDate"}}
)

// commonFields are those that comments of all kinds may have.
var commonFields = []string{"ParentId", "CreatedById", "CreatedDate", "LastModifiedDate", "SystemModstamp"}

// subject is the record whose comments are listed.
type subject struct {
	id     string
	object string
	stages []stage
}

// subject finds out which object a record is of and which kinds of comments it can have. The first characters of an id
// tell the object. A record whose object has no feed simply has no posts.
func (d *Driver) subject(ctx context.Context, itemID string) (subject, error) {
	s := subject{}
	id, ok := longID(itemID)
	if !ok {
		return s, noRecord(nil, itemID)
	}
	list, err := d.allObjects(ctx)
	if err != nil {
		return s, err
	}
	o, ok := list.of(id)
	if !ok {
		return s, noRecord(nil, itemID)
	}
	s.id, s.object, s.stages = id, o.Name, stagesOf(o)
	return s, nil
}

func noRecord(cause error, id string) error {
	return connectors.Wrap(connectors.NotFound, cause, "Salesforce has no record %.40q, or the account may not see it: give an id of 15 or 18 characters", id)
}

// exists returns [connectors.NotFound] for a record that is not there.
func (d *Driver) exists(ctx context.Context, s subject) error {
	list, err := d.rows(ctx, live, "SELECT Id FROM "+s.object+" WHERE Id = "+quote(s.id)+" LIMIT 1", 1)
	switch {
	case err != nil:
		return d.ours(s.object, err)
	case len(list) == 0:
		return noRecord(nil, s.id)
	}
	return nil
}

// ListComments returns the comments on a record: those on a case, then the posts in its feed, then the answers to
// those, each the oldest first. q.ItemID has 15 or 18 characters. A kind of comments that the account may not read is
// named in Page.Incomplete. A page may be empty and not the last.
func (d *Driver) ListComments(ctx context.Context, q connectors.CommentQuery) (connectors.Page[connectors.Comment], error) {
	var page connectors.Page[connectors.Comment]
	at, err := parseMark(q.Cursor)
	if err != nil || (at.Stage == "") != (q.Cursor == "") {
		return page, foreignCursor(err)
	}
	s, err := d.subject(ctx, q.ItemID)
	if err != nil {
		return page, err
	}
	i := slices.IndexFunc(s.stages, func(one stage) bool { return one.object == at.Stage })
	if q.Cursor == "" {
		i, err = 0, d.exists(ctx, s)
	} else if i < 0 {
		err = foreignCursor(nil)
	}
	if err != nil {
		return page, err
	}
	for limit := q.Limit; i < len(s.stages); i++ {
		at.Stage, q.Limit = s.stages[i].object, limit-len(page.Items)
		if q.Limit == 0 {
			page.Next = at.cursor()
			break
		}
		more, err := d.listStage(ctx, s, s.stages[i], q, &at, &page)
		if err != nil {
			return connectors.Page[connectors.Comment]{}, err
		}
		if more {
			page.Next = at.cursor()
			break
		}
		at = mark{}
	}
	return page, nil
}

// listStage adds the next comments of one kind to a page and moves the mark behind them. A kind that cannot be read
// from its beginning on is a gap; one that can no longer be read is an error.
func (d *Driver) listStage(
	ctx context.Context, s subject, one stage, q connectors.CommentQuery, at *mark, page *connectors.Page[connectors.Comment],
) (more bool, err error) {
	var rows []row
	err = d.withObject(ctx, one.object, func(o object) error {
		k := keyset{
			object: o.Name, columns: one.columns(o), where: one.where(s.id), limit: q.Limit,
			by: o.orderField("CreatedDate", "SystemModstamp", "LastModifiedDate"),
		}
		if at.ID != "" && at.By != k.by {
			return foreignCursor(nil)
		}
		next := *at
		var err error
		if rows, next, more, err = d.page(ctx, k, next); err == nil {
			*at = next
		}
		return err
	})
	switch {
	case err != nil && at.ID == "" && isForbidden(err):
		e := connectors.AsError(err)
		page.Incomplete = append(page.Incomplete, connectors.Gap{
			ContainerID: s.object, Code: e.Code, Reason: one.object + " of the record cannot be read: " + e.Message,
		})
		return false, nil
	case err != nil:
		return false, err
	}
	for _, r := range rows {
		if c, ok := one.comment(r, s.id, q.Raw); ok {
			page.Items = append(page.Items, c)
		}
	}
	return more, nil
}

// isForbidden reports whether an object is one that the account or the org cannot read.
func isForbidden(err error) bool {
	code := connectors.CodeOf(err)
	return connectors.IsDenied(err) || code == connectors.NotFound || code == connectors.Unsupported
}

// columns returns what is selected of the comments of a kind.
func (s stage) columns(o object) string {
	names := []string{"Id"}
	for _, name := range slices.Concat(commonFields, s.fields) {
		f, ok := o.field(name)
		if !ok || slices.Contains(names, name) {
			continue
		}
		names = append(names, name)
		if name == "CreatedById" && f.RelationshipName == "CreatedBy" {
			names = append(names, "CreatedBy.Name")
		}
	}
	return strings.Join(names, ", ")
}

// comment returns a record as a comment, false for one without any text, as posts that tell of a changed field are.
func (s stage) comment(r row, itemID string, raw bool) (connectors.Comment, bool) {
	text := s.text(r)
	if text == "" && s.object == feedPosts {
		return connectors.Comment{}, false
	}
	created := r.time("CreatedDate")
	updated := r.time("LastEditDate")
	for _, name := range []string{"LastModifiedDate", "SystemModstamp", "CreatedDate"} {
		if updated == nil {
			updated = r.time(name)
		}
	}
	c := connectors.Comment{
		ID: r.id, ItemID: itemID, Author: r.related("CreatedBy", "Name"), Text: text, CreatedAt: created, UpdatedAt: updated,
		Meta: connectors.Meta{{Name: "kind", Value: s.object}, {Name: "authorId", Value: r.values.Get("CreatedById")}},
	}
	for _, name := range []string{"IsPublished", "Type", "Visibility", "FeedItemId", "CommentType", "RelatedRecordId"} {
		if slices.Contains(s.fields, name) {
			c.Meta = append(c.Meta, connectors.Attr{Name: strings.ToLower(name[:1]) + name[1:], Value: r.values.Get(name)})
		}
	}
	if raw {
		c.Raw = r.raw
	}
	return c, true
}

// text returns what a comment says.
func (s stage) text(r row) string {
	text := cmp.Or(r.text("CommentBody"), r.text("Body"))
	if r.values.Get("IsRichText") == true {
		text = plain(text)
	}
	if s.object != feedPosts {
		return text
	}
	link := strings.TrimSpace(strings.Join([]string{r.text("Title"), r.text("LinkUrl")}, " "))
	return strings.TrimSpace(text + "\n\n" + link)
}
