package sandbox

import "context"

// Counts is what a site holds at the moment, as its administrator would count it.
type Counts struct {
	Projects      int   `json:"projects"`
	Issues        int64 `json:"issues"`
	IssueComments int64 `json:"issueComments"` // of those issues

	Spaces           int   `json:"spaces"`
	Pages            int64 `json:"pages"` // that are current
	ArchivedPages    int64 `json:"archivedPages"`
	TrashedPages     int64 `json:"trashedPages"`
	BlogPosts        int64 `json:"blogPosts"` // that are current
	TrashedBlogPosts int64 `json:"trashedBlogPosts"`
	FooterComments   int64 `json:"footerComments"` // with all answers, outside the trash
	InlineComments   int64 `json:"inlineComments"`
	Replies          int64 `json:"replies"` // of both
}

// Counts walks through all content of a site, the first of which is 0. It takes time with the size.
func (s *Server) Counts(site int) Counts {
	return s.sites[site].counts(context.Background())
}

func (s *site) counts(ctx context.Context) Counts {
	c := Counts{Projects: s.jira.world.projects(), Spaces: len(s.confluence.wiki.spaces)}
	s.jira.world.countInto(&c)
	s.confluence.wiki.countInto(ctx, &c)
	return c
}

func (w *wiki) countInto(ctx context.Context, c *Counts) {
	for _, kind := range []struct {
		name   string
		status string
		into   *int64
	}{
		{kindPage, statusCurrent, &c.Pages},
		{kindPage, statusArchived, &c.ArchivedPages},
		{kindPage, statusTrashed, &c.TrashedPages},
		{kindBlog, statusCurrent, &c.BlogPosts},
		{kindBlog, statusTrashed, &c.TrashedBlogPosts},
	} {
		*kind.into = w.count(ctx, &contentFilter{kind: kind.name, status: map[string]bool{kind.status: true}})
	}
	all := w.everyComment(contentOrder{by: "id"}, func(comment) bool { return true })
	for pos, more := all.start(), true; more; {
		var found []comment
		found, pos, more = all.page(ctx, pos, 1000)
		for _, one := range found {
			if one.inline {
				c.InlineComments++
			} else {
				c.FooterComments++
			}
			if one.parent != 0 {
				c.Replies++
			}
		}
		if len(found) > 0 {
			all.after(found[len(found)-1])
		}
	}
}

func (w *world) countInto(c *Counts) {
	for i := range w.issues {
		ref := w.at(i)
		if w.isHidden(ref) {
			continue
		}
		c.Issues++
		c.IssueComments += int64(w.commentCount(ref))
	}
}
