package sandbox

import (
	"fmt"
	"strings"
	"time"
)

// DefaultRecords is how many records an object of the Salesforce org has.
const DefaultRecords = 1_000

// MaxRecords bounds Options.Records.
const MaxRecords = 10_000_000

// recordCounts says how many records the objects have.
func recordCounts(o Options, users int) (map[string]int64, caseComments) {
	n := int64(max(0, o.Records))
	deal := newCaseComments(n, int64(max(0, o.Comments)))
	posts := feedItems(n)
	return map[string]int64{
		"Account": n, "Contact": n, "Case": n, "Opportunity": n, "Lead": n, "Task": n, "Invoice__c": n, "Contract": n, "Salary__c": n,
		"AccountHistory": n, "CaseComment": deal.total(), "FeedItem": posts, "FeedComment": posts / 2 * 2, "User": int64(users), "Organization": 1,
	}, deal
}

// fillOrg makes the objects and their records, the last of which changed at until.
func (g *org) fillOrg(o Options, until time.Time) {
	counts, deal := recordCounts(o, len(g.people))
	g.objects = append([]*sobject{
		accountObject(), historyObject(), caseObject(), caseCommentObject(deal), contactObject(), feedCommentObject(), feedItemObject(),
		invoiceObject(), leadObject(), opportunityObject(), organizationObject(), taskObject(), userObject(),
	}, unreadableObjects()...)
	r := newRNG(o.Seed, domainOrg, 0)
	g.pod = fmt.Sprintf("%c%c0", idLetters[r.below(62)], idLetters[r.below(62)])
	g.byName = map[string]*sobject{}
	for i, object := range g.objects {
		object.number = i
		if n, ok := counts[object.name]; ok {
			object.table = newTable(object, object.keyPrefix+g.pod, n, until.UnixMilli()/1000*1000)
		}
	}
	for _, parent := range feedParents {
		feed := feedObject(parent)
		feed.table = g.named("FeedItem").table
		g.objects = append(g.objects, feed)
	}
	for _, object := range g.objects {
		object.index()
		g.byName[strings.ToLower(object.name)] = object
	}
}

// named finds an object before they are known by their names.
func (g *org) named(name string) *sobject {
	for _, object := range g.objects {
		if object.name == name {
			return object
		}
	}
	panic("sandbox: no object " + name)
}

// object returns the object of that name that the user sees.
func (g *org) object(name string) (*sobject, bool) {
	o, ok := g.byName[strings.ToLower(name)]
	return o, ok && !o.is(hidden)
}
