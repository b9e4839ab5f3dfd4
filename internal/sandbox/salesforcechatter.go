package sandbox

import (
	"strings"
)

// commentBlock is how many cases share one pattern of comments: none, the average, twice that, the average.
const commentBlock = 4

// crowdedCase is the row of the case whose comments are many.
const crowdedCase = crowdedNumber - 1

// caseComments deals the comments to the cases.
type caseComments struct {
	each   int64 // comments of a case on average
	blocks int64
	crowd  int64 // more of them, for one case
}

func newCaseComments(cases, each int64) caseComments {
	c := caseComments{each: each, blocks: cases / commentBlock}
	if each > 0 && cases > crowdedCase {
		c.crowd = crowdedComments
	}
	return c
}

func (c caseComments) regular() int64 { return c.blocks * commentBlock * c.each }
func (c caseComments) total() int64   { return clampRows(c.regular() + c.crowd) }

// parent returns the case of a comment.
func (c caseComments) parent(row int64) int64 {
	if row >= c.regular() {
		return crowdedCase
	}
	size := commentBlock * c.each
	block, o := row/size, row%size/c.each
	return block*commentBlock + []int64{1, 2, 2, 3}[o]
}

// of returns the comments of a case.
func (c caseComments) of(row int64) []int64 {
	var rows []int64
	if block := row / commentBlock; block < c.blocks {
		from := block * commentBlock * c.each
		span := [][2]int64{{0, 0}, {0, 1}, {1, 3}, {3, 4}}[row%commentBlock]
		rows = appendRange(rows, from+span[0]*c.each, from+span[1]*c.each)
	}
	if row == crowdedCase {
		rows = appendRange(rows, c.regular(), c.regular()+c.crowd)
	}
	return rows
}

func appendRange(rows []int64, from, until int64) []int64 {
	for ; from < until; from++ {
		rows = append(rows, from)
	}
	return rows
}

func caseCommentObject(deal caseComments) *sobject {
	parent := reference("ParentId", "Parent", func(v *view) datum {
		return textDatum(v.object1("Case").table.id(deal.parent(v.row)))
	}, []string{"Case"}, without(nillable|updateable))
	o := newObject("CaseComment", "00a", everyday&^searchable, together([]*sfield{
		parent, filling("boolean", "IsPublished", 0, truthFill(2), labeled("Published")),
		filled(longText("CommentBody", 4_000, nil, labeled("Body")), sentenceFill),
	}, audited())...)
	o.children = map[string]childRows{"ParentId": func(to *sobject, row int64) []int64 {
		if to.name != "Case" {
			return nil
		}
		return deal.of(row)
	}}
	return o
}

// feedParents are the objects with posts: every second record has one.
var feedParents = []string{"Account", "Case", "Opportunity"}

func feedItems(records int64) int64 { return clampRows((records + 1) / 2 * int64(len(feedParents))) }

func feedParent(v *view, item int64) string {
	n := int64(len(feedParents))
	return v.object1(feedParents[item%n]).table.id(item / n * 2)
}

// feedOf returns the posts of a record.
func feedOf(to *sobject, row int64) []int64 {
	for i, name := range feedParents {
		if name == to.name && row%2 == 0 {
			return []int64{row/2*int64(len(feedParents)) + int64(i)}
		}
	}
	return nil
}

// feedCommentsOf returns the comments of a post: every second has two.
func feedCommentsOf(item int64) []int64 {
	if item%2 == 0 {
		return nil
	}
	return []int64{item - 1, item}
}

func feedFields() []*sfield {
	return together([]*sfield{
		reference("ParentId", "Parent", func(v *view) datum { return textDatum(feedParent(v, v.row)) }, feedParents, without(nillable|updateable)),
		picklist("Type", []string{"TextPost", "LinkPost", "ContentPost"}, readOnly),
		filling("string", "Title", 255, pickFill([]string{"Q&A", "Läuft"}, 2)), longFilling("Body", 10_000, with(htmlText)),
		newField("int", "CommentCount", 0, func(v *view) datum { return numberDatum(float64(len(feedCommentsOf(v.row)))) }, readOnly, digits(9, 0)),
		filling("int", "LikeCount", 0, amountFill(9, false), readOnly, digits(9, 0)),
		byUser("InsertedById", "InsertedBy"),
	}, withoutField("LastModifiedById", audited()))
}

func feedItemObject() *sobject {
	o := newObject("FeedItem", "0D5", readable|replicateable|createable|deletable, feedFields()...)
	o.children = map[string]childRows{"ParentId": feedOf}
	return o
}

// feedObject is the posts of one kind of records, as CaseFeed.
func feedObject(parent string) *sobject {
	o := newObject(parent+"Feed", "0D5", readable|deletable, feedFields()...)
	o.children = map[string]childRows{"ParentId": feedOf}
	o.shows = func(v *view) bool {
		to := v.object1(parent)
		return strings.HasPrefix(v.value(v.object.field("ParentId")).text, to.keyPrefix)
	}
	return o
}

func feedCommentObject() *sobject {
	item := func(v *view) int64 { return v.row | 1 }
	o := newObject("FeedComment", "0D7", readable|replicateable|createable|deletable, together([]*sfield{
		reference("FeedItemId", "FeedItem", func(v *view) datum { return textDatum(v.object1("FeedItem").table.id(item(v))) },
			[]string{"FeedItem"}, without(nillable|updateable)),
		reference("ParentId", "Parent", func(v *view) datum { return textDatum(feedParent(v, item(v))) }, feedParents, readOnly, without(nillable)),
		filled(longText("CommentBody", 10_000, nil, with(htmlText)), sentenceFill), picklist("CommentType", []string{"TextComment", "ContentComment"}, readOnly),
		byUser("InsertedById", "InsertedBy"),
	}, withoutField("LastModifiedById", withoutField("LastModifiedDate", audited())))...)
	o.children = map[string]childRows{
		"FeedItemId": func(to *sobject, row int64) []int64 {
			if to.name != "FeedItem" {
				return nil
			}
			return feedCommentsOf(row)
		},
		"ParentId": func(to *sobject, row int64) []int64 {
			var rows []int64
			for _, post := range feedOf(to, row) {
				rows = append(rows, feedCommentsOf(post)...)
			}
			return rows
		},
	}
	return o
}
