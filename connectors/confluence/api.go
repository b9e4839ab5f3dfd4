package confluence

import (
	"cmp"
	"encoding/json"
)

// user is an account.
type user struct {
	Type        string `json:"type"`
	AccountID   string `json:"accountId"`
	DisplayName string `json:"displayName"`
	PublicName  string `json:"publicName"`
}

// anonymous is the type of the account of whoever has no credential, or one that is not known.
const anonymous = "anonymous"

// name returns what people call the account.
func (u user) name() string { return cmp.Or(u.DisplayName, u.PublicName, u.AccountID) }

// spaces is a page of spaces, of version 1 or 2.
type spaces struct {
	Results []json.RawMessage `json:"results"`
	Links   struct {
		Base string `json:"base"`
	} `json:"_links"`
}
