package sandbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
)

func (c *confluence) currentUser(w http.ResponseWriter, r *wikiRequest) {
	if isAnonymous(r.Request) {
		writeValue(w, http.StatusOK, map[string]any{
			"type": "anonymous", "displayName": "Anonymous", "publicName": "Anonymous", "profilePicture": picture(),
			"_links": c.userLinks(r, ""),
		})
		return
	}
	user := c.firstUser(r, c.people[r.caller])
	user["_links"] = c.userLinks(r, c.people[r.caller].id)
	writeValue(w, http.StatusOK, user)
}

func picture() map[string]any {
	return map[string]any{"path": "/wiki/aa-avatar/0", "width": 48, "height": 48, "isDefault": true}
}

func (c *confluence) userLinks(r *wikiRequest, id string) map[string]string {
	links := map[string]string{"base": c.site(r), "context": "/wiki", "self": r.base + "/wiki/rest/api/user"}
	if id != "" {
		links["self"] += "?accountId=" + url.QueryEscape(id)
	}
	return links
}

// firstUser is a user as version 1 shows one.
func (c *confluence) firstUser(r *wikiRequest, who account) map[string]any {
	kind := who.kind
	if kind == "customer" { // version 1 knows none
		kind = ""
	}
	return map[string]any{
		"type": "known", "accountId": who.id, "accountType": kind, "email": who.email, "publicName": who.name,
		"displayName": who.name, "timeZone": who.zone, "profilePicture": picture(), "isExternalCollaborator": false, "isGuest": false,
		"_expandable": map[string]string{"operations": "", "personalSpace": ""},
		"_links":      map[string]string{"self": r.base + "/wiki/rest/api/user?accountId=" + url.QueryEscape(who.id)},
	}
}

func (c *confluence) account(id string) (account, bool) {
	i := slices.IndexFunc(c.world.accounts, func(a account) bool { return a.id == id })
	if i < 0 {
		return account{}, false
	}
	return c.world.accounts[i], true
}

func (c *confluence) showUser(w http.ResponseWriter, r *wikiRequest) {
	id := r.URL.Query().Get("accountId")
	who, ok := c.account(id)
	if !ok || isAnonymous(r.Request) {
		writeFirstError(w, http.StatusNotFound, "No user found with account id "+id+".")
		return
	}
	user := c.firstUser(r, who)
	user["_links"] = c.userLinks(r, who.id)
	writeValue(w, http.StatusOK, user)
}

const usersPageCap = 250

// firstUsersBulk leaves out the accounts that do not exist, as Confluence does.
func (c *confluence) firstUsersBulk(w http.ResponseWriter, r *wikiRequest) {
	ids := commaList(r.URL.Query()["accountId"])
	if len(ids) == 0 || len(ids) > usersPageCap {
		writeFirstError(w, http.StatusBadRequest, "accountId must be given 1 to 250 times")
		return
	}
	found := []map[string]any{}
	for _, id := range ids {
		if who, ok := c.account(id); ok && !isAnonymous(r.Request) {
			found = append(found, c.firstUser(r, who))
		}
	}
	writeValue(w, http.StatusOK, map[string]any{
		"results": found, "start": 0, "limit": usersPageCap, "size": len(found),
		"_links": map[string]string{"base": c.site(r), "context": "/wiki", "self": r.base + "/wiki/rest/api/user/bulk"},
	})
}

// usersBulk is the bulk read of version 2.
func (c *confluence) usersBulk(w http.ResponseWriter, r *wikiRequest) {
	var asked struct {
		AccountIDs []string `json:"accountIds"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBytes)).Decode(&asked)
	if err != nil || len(asked.AccountIDs) == 0 || len(asked.AccountIDs) > usersPageCap {
		writeV2Error(w, http.StatusBadRequest, badParameter, "accountIds must hold 1 to 250 ids")
		return
	}
	found := []map[string]any{}
	for _, id := range asked.AccountIDs {
		who, ok := c.account(id)
		if !ok || isAnonymous(r.Request) {
			continue
		}
		state := "active"
		if !who.active {
			state = "inactive"
		}
		found = append(found, map[string]any{
			"displayName": who.name, "publicName": who.name, "timeZone": who.zone, "isExternalCollaborator": false,
			"accountStatus": state, "accountId": who.id, "email": who.email, "accountType": who.kind, "profilePicture": picture(),
			"personalSpaceId": nil,
		})
	}
	writeValue(w, http.StatusOK, map[string]any{"results": found, "_links": map[string]string{"base": c.site(r)}})
}
