package salesforce

import (
	"cmp"
	"context"
	"net/http"
	"net/url"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/connectors/internal/rest"
)

// userAnswer is who is connected.
type userAnswer struct {
	UserID         string `json:"user_id"`
	OrganizationID string `json:"organization_id"`
	Name           string `json:"name"`
	Username       string `json:"preferred_username"`
}

func (u userAnswer) account() connectors.Account {
	return connectors.Account{ID: u.UserID, Name: cmp.Or(u.Name, u.Username, u.UserID)}
}

// userInfo asks who is connected.
func userInfo(ctx context.Context, c *rest.Client) (userAnswer, error) {
	var me userAnswer
	_, err := c.Get(ctx, "/services/oauth2/userinfo", nil, &me)
	if err == nil && me.UserID == "" {
		err = c.Nonsense("a user without an id")
	}
	return me, err
}

// org is what an organization says about itself.
type org struct {
	ID        string `json:"Id"`
	Name      string `json:"Name"`
	Type      string `json:"OrganizationType"`
	IsSandbox bool   `json:"IsSandbox"`
}

// organization asks what the org is called. The header tells how many requests it has used.
func organization(ctx context.Context, c *rest.Client, v version) (org, http.Header, error) {
	var found struct {
		Records []org `json:"records"`
	}
	query := url.Values{"q": {"SELECT Id, Name, OrganizationType, IsSandbox FROM Organization LIMIT 1"}}
	header, err := c.Get(ctx, v.path("query"), query, &found)
	if err != nil {
		return org{}, nil, err
	}
	if len(found.Records) != 1 || found.Records[0].ID == "" {
		return org{}, nil, c.Nonsense("no organization")
	}
	return found.Records[0], header, nil
}

// name returns what people call the org, its host name where it does not say.
func (o org) name(api string) string {
	host := api
	if u, err := url.Parse(api); err == nil && u.Host != "" {
		host = u.Host
	}
	return cmp.Or(o.Name, host)
}

// kind returns the edition.
func (o org) kind() string {
	if o.IsSandbox {
		return "Sandbox, " + o.Type
	}
	return o.Type
}
