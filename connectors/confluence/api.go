package confluence

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/atlassian"
)

// user is an account. A data center knows it by key and name.
type user struct {
	Type        string `json:"type"`
	AccountID   string `json:"accountId"`
	UserKey     string `json:"userKey"`
	Username    string `json:"username"`
	DisplayName string `json:"displayName"`
	PublicName  string `json:"publicName"`
}

// anonymous is the type of the account of whoever has no credential, or one that is not known.
const anonymous = "anonymous"

// name returns what people call the account.
func (u user) name() string { return cmp.Or(u.DisplayName, u.PublicName, u.Username, u.AccountID) }

// listed is a page of a listing, of either version.
type listed struct {
	Results []json.RawMessage `json:"results"`
	Start   *int64            `json:"start"`
	Size    *int64            `json:"size"`
	Total   *int64            `json:"totalSize"`
	Links   struct {
		Base string `json:"base"`
		Next string `json:"next"`
	} `json:"_links"`

	cursor string // of the next page, in the cloud
}

// space is a space of version 2.
type space struct {
	ID          string `json:"id"`
	Key         string `json:"key"`
	Name        string `json:"name"`
	Type        string `json:"type"`
	Status      string `json:"status"`
	HomepageID  string `json:"homepageId"`
	AuthorID    string `json:"authorId"`
	CreatedAt   string `json:"createdAt"`
	Description struct {
		Plain struct {
			Value string `json:"value"`
		} `json:"plain"`
	} `json:"description"`
}

// version is a version of a page or comment, of either API: when and by are version 1's.
type version struct {
	CreatedAt string      `json:"createdAt"`
	When      string      `json:"when"`
	Number    json.Number `json:"number"`
	AuthorID  string      `json:"authorId"`
	By        *user       `json:"by"`
}

// body is the text of a page or comment.
type body struct {
	Storage *struct {
		Value string `json:"value"`
	} `json:"storage"`
	ADF *struct {
		Value string `json:"value"`
	} `json:"atlas_doc_format"`
}

// text returns the body as Markdown.
func (b body) text() string {
	switch {
	case b.Storage != nil:
		return atlassian.Storage(b.Storage.Value)
	case b.ADF != nil: // JSON within a string
		return atlassian.Text(json.RawMessage(b.ADF.Value))
	}
	return ""
}

// content is a page or blog post of version 2.
type content struct {
	ID        string  `json:"id"`
	Status    string  `json:"status"`
	Title     string  `json:"title"`
	SpaceID   string  `json:"spaceId"`
	ParentID  string  `json:"parentId"`
	AuthorID  string  `json:"authorId"`
	OwnerID   string  `json:"ownerId"`
	CreatedAt string  `json:"createdAt"`
	Version   version `json:"version"`
	Body      body    `json:"body"`
	Links     struct {
		WebUI string `json:"webui"`
	} `json:"_links"`
}

// comment is a comment of version 2.
type comment struct {
	ID               string  `json:"id"`
	Status           string  `json:"status"`
	ParentID         string  `json:"parentCommentId"`
	Version          version `json:"version"`
	Body             body    `json:"body"`
	ResolutionStatus string  `json:"resolutionStatus"`
	Properties       struct {
		Selection string `json:"inlineOriginalSelection"`
		Marker    string `json:"inlineMarkerRef"`
	} `json:"properties"`
	Links struct {
		WebUI string `json:"webui"`
	} `json:"_links"`
}

// read decodes one entry of a listing.
func (c *cloud) read(raw json.RawMessage, out any) error {
	if err := json.Unmarshal(raw, out); err != nil {
		return connectors.Wrap(connectors.ProviderError, err, "Confluence sent an entry of another shape than its API promises")
	}
	return nil
}

// parseTime returns a time, nil for one that cannot be read.
func parseTime(s string) *time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.000-0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return connectors.Time(t)
		}
	}
	return nil
}

// orNull returns nil for the empty text.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func timeValue(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.Format(time.RFC3339Nano)
}

// number returns a number as it was sent, nil where there is none.
func number(n json.Number) any {
	if n == "" {
		return nil
	}
	return n
}
