package jira

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/unified-connector/ucf/connectors"
)

// serverInfo is what a site says about itself.
type serverInfo struct {
	BaseURL        string `json:"baseUrl"`
	Version        string `json:"version"`
	DeploymentType string `json:"deploymentType"`
	ServerTitle    string `json:"serverTitle"`
	ServerTime     string `json:"serverTime"`
}

// user is an account; nil pointers of it stand for nobody. Server and Data Center know it by key and name.
type user struct {
	AccountID   string `json:"accountId"`
	Key         string `json:"key"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
	Active      *bool  `json:"active"`
}

// name returns the display name, nil for nobody.
func (u *user) name() any {
	if u == nil {
		return nil
	}
	return u.DisplayName
}

func (u *user) id() any {
	if u == nil || u.ident() == "" {
		return nil
	}
	return u.ident()
}

// ident returns what identifies the account, "" where nothing does.
func (u *user) ident() string { return cmp.Or(u.AccountID, u.Key, u.Name) }

// named is anything of which only the name counts.
type named struct {
	Name string `json:"name"`
}

// value returns the name, nil where there is nothing.
func (n *named) value() any {
	if n == nil {
		return nil
	}
	return n.Name
}

func names(list []named) []string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = n.Name
	}
	return out
}

// keyed is anything of which only the key counts.
type keyed struct {
	Key string `json:"key"`
}

// value returns the key, nil where there is nothing.
func (k *keyed) value() any {
	if k == nil {
		return nil
	}
	return k.Key
}

// project is a project of the project search.
type project struct {
	ID              string `json:"id"`
	Key             string `json:"key"`
	Name            string `json:"name"`
	ProjectTypeKey  string `json:"projectTypeKey"`
	Style           string `json:"style"`
	Description     string `json:"description"`
	URL             string `json:"url"`
	IsPrivate       bool   `json:"isPrivate"`
	Lead            *user  `json:"lead"`
	ProjectCategory *named `json:"projectCategory"`
}

// searchRequest asks for one page of the issue search.
type searchRequest struct {
	JQL           string   `json:"jql"`
	NextPageToken string   `json:"nextPageToken,omitempty"`
	MaxResults    int      `json:"maxResults"`
	Fields        []string `json:"fields"`
	Expand        string   `json:"expand,omitempty"`
}

// searchPage is one page of the issue search. StartAt and Total are what the removed search had instead of a token.
type searchPage struct {
	Issues        []json.RawMessage `json:"issues"`
	NextPageToken string            `json:"nextPageToken"`
	IsLast        *bool             `json:"isLast"`
	// Warnings say, among other things, that the result was cut off.
	Warnings []struct {
		Message string `json:"message"`
	} `json:"warnings"`
	StartAt json.RawMessage `json:"startAt"`
	Total   json.RawMessage `json:"total"`
}

// fault says what makes a page of at most size issues not one of the search that was asked.
func (p *searchPage) fault(size int) string {
	switch {
	case p.Issues == nil:
		return "a search result without issues"
	case len(p.Issues) > size:
		return "more issues than it was asked for"
	case p.NextPageToken != "":
		return ""
	case p.IsLast == nil && (p.Total != nil || p.StartAt != nil):
		return "a result of the search that was removed in 2025"
	case p.IsLast != nil && !*p.IsLast:
		return "a search result that has more pages and names none"
	}
	return ""
}

// warning returns what the search warns of, "" for nothing: a result that was cut off, a clause that it left out.
func (p *searchPage) warning() string {
	var said []string
	for _, w := range p.Warnings {
		said = append(said, strings.TrimSpace(w.Message))
	}
	return strings.Join(said, "; ")
}

// issue is an issue of the issue search.
type issue struct {
	ID     string      `json:"id"`
	Key    string      `json:"key"`
	Fields issueFields `json:"fields"`

	Changelog *counted `json:"changelog"`
}

// counted is a list of which only its length counts.
type counted struct {
	Total *int64 `json:"total"`
}

// value returns the length, nil where Jira does not tell.
func (c *counted) value() any {
	if c == nil || c.Total == nil {
		return nil
	}
	return *c.Total
}

type issueFields struct {
	Summary   string   `json:"summary"`
	Project   *project `json:"project"`
	Status    *named   `json:"status"`
	IssueType *named   `json:"issuetype"`
	Priority  *named   `json:"priority"`
	Assignee  *user    `json:"assignee"`
	Reporter  *user    `json:"reporter"`
	Created   string   `json:"created"`
	Updated   string   `json:"updated"`

	Description json.RawMessage `json:"description"`
	Labels      []string        `json:"labels"`
	Components  []named         `json:"components"`
	FixVersions []named         `json:"fixVersions"`
	Resolution  *named          `json:"resolution"`
	DueDate     *string         `json:"duedate"`
	Creator     *user           `json:"creator"`
	Parent      *keyed          `json:"parent"`
	Worklog     *counted        `json:"worklog"`

	ArchivedDate *string `json:"archiveddate"`
}

// fieldNames are the fields that an item is made of.
var fieldNames = []string{"summary", "project", "status", "issuetype", "priority", "assignee", "reporter", "created", "updated"}

// wideFieldNames are the further fields of a wide listing.
var wideFieldNames = []string{"description", "labels", "components", "fixVersions", "resolution", "duedate", "creator", "parent", "worklog"}

// fieldsFor returns the fields to ask for.
func fieldsFor(q connectors.ItemQuery) []string {
	switch {
	case q.Raw:
		return []string{"*all"}
	case q.Wide:
		return slices.Concat(fieldNames, wideFieldNames)
	}
	return fieldNames
}

// expandFor returns what to ask for beside the fields.
func expandFor(q connectors.ItemQuery) string {
	if q.Wide {
		return "changelog"
	}
	return ""
}

// comment is a comment on an issue.
type comment struct {
	ID           string          `json:"id"`
	Self         string          `json:"self"`
	Author       *user           `json:"author"`
	UpdateAuthor *user           `json:"updateAuthor"`
	Body         json.RawMessage `json:"body"`
	Created      string          `json:"created"`
	Updated      string          `json:"updated"`
	Visibility   *visibility     `json:"visibility"`
	JSDPublic    *bool           `json:"jsdPublic"`
}

// visibility is the role or group that a comment is limited to.
type visibility struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// meta returns who may see the comment, nil for everybody.
func (v *visibility) meta() any {
	if v == nil {
		return nil
	}
	return connectors.Meta{{Name: "type", Value: v.Type}, {Name: "value", Value: v.Value}}
}

// public returns whether customers of a service project see the comment, nil where Jira does not say.
func (c *comment) public() any {
	if c.JSDPublic == nil {
		return nil
	}
	return *c.JSDPublic
}
