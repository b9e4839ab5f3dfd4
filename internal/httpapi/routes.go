package httpapi

import (
	"context"
	"net/http"

	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
)

// Tags group the routes of the OpenAPI document.
const (
	tagConnectors  = "connectors"
	tagConnections = "connections"
	tagJobs        = "jobs"
	tagAudit       = "audit"
	tagSystem      = "system"
)

type object = map[string]any

func exampleConfig() object {
	return object{"base_url": "https://your-domain.atlassian.net", "auth_method": "api_key", "api_email": "you@example.com", "api_token": "…"}
}

func (a *api) addRoutes() {
	a.addConnectors()
	a.addConnect()
	a.addListings()
	a.addConnections()
	a.addCredentials()
	a.addSyncState()
	a.addJobs()
	a.addRecords()
	bind(a, operation{method: http.MethodGet, path: "/audit", id: "listAudit", tag: tagAudit, summary: "List the audit log, newest first"}, a.Service.Audit)
}

func (a *api) addConnectors() {
	op := operation{method: http.MethodGet, tag: tagConnectors, path: "/connectors", id: "listConnectors", summary: "List the connectors"}
	op.details = "Every connector, with its status for this tenant."
	bind(a, op, a.Service.Connectors)

	op = operation{method: http.MethodGet, tag: tagConnectors, path: "/connectors/{id}", id: "getConnector", summary: "Show a connector"}
	op.details = "With `config` an example, and `configSchema` the JSON Schema of its configuration, secrets marked."
	bind(a, op, a.Service.Connector)

	op = operation{method: http.MethodPatch, tag: tagConnectors, path: "/connectors/{id}", id: "updateConnector", summary: "Change what the tenant chose for a connector"}
	op.example = object{"extraDetails": true}
	bind(a, op, a.Service.PatchConnector)

	op = operation{method: http.MethodPost, tag: tagConnectors, path: "/connectors/{id}/validate", id: "validateConfig", summary: "Check a configuration without a request"}
	op.details = "Its fields, their formats, the host. Faults are 422 and all listed."
	op.example = object{"config": exampleConfig()}
	bind(a, op, a.Service.Validate)

	op = operation{method: http.MethodPost, tag: tagConnectors, path: "/connectors/{id}/probe", id: "probeConnector", summary: "Call the connected system and tell what answers"}
	op.details = "The body is a configuration, or `{\"connectionId\": …}`, or `{}` for the tenant's only connection."
	op.asks, op.example = true, object{"connectionId": "con_06f0m2vw2rt4x8d3p9k1q5s7ha"}
	bind(a, op, a.Service.Probe)
}

func (a *api) addConnect() {
	op := operation{method: http.MethodPost, tag: tagConnectors, path: "/connectors/{id}/connect", id: "connect", summary: "Begin to connect"}
	op.details = "`api_key`: says which fields a user has to give. `oauth2`: gives the address at which the user consents, and the `state` that completes the flow " +
		"once, within ten minutes, for this tenant and connector. Send a `csrfToken` that your user's own session keeps; with `connectionId` the flow renews that connection."
	op.example = object{"method": "oauth2", "redirectUri": "https://app.example.com/connected", "csrfToken": "…"}
	bind(a, op, a.Service.Connect)

	op = operation{method: http.MethodPost, tag: tagConnectors, path: "/connectors/{id}/connect/callback", id: "completeConnect", summary: "Complete to connect"}
	op.details = "`oauth2`: the `state` and `code` that the browser brought back, with the `csrfToken` and `codeVerifier` of the start, if there were any. " +
		"Where the consent reaches several sites and none was chosen: 409 with `details.sites`; the state stays good for `{state, site}`. " +
		"A state that is missing, used, expired, or another tenant's or connector's is 400, and audited. " +
		"`api_key`: the provider is asked with the key first; only what it accepts is stored."
	op.asks = true
	op.example = object{"apiKey": "…", "config": object{"base_url": "https://your-domain.atlassian.net", "api_email": "you@example.com"}, "label": "main"}
	bind(a, op, a.Service.Connected)

	op = operation{method: http.MethodPost, tag: tagConnectors, path: "/connectors/{id}/revoke", id: "revokeConnector", summary: "Drop the credential of a connection"}
	op.details = "Without `connectionId` that of the tenant's only connection. A consent by OAuth is withdrawn at the provider too, where that can be done and no other connection uses it."
	op.example = object{"reason": "left the company"}
	bind(a, op, a.Service.Revoke)
}

func (a *api) addListings() {
	op := operation{method: http.MethodGet, tag: tagConnectors, path: "/connectors/{id}/containers", id: "listContainers", asks: true, summary: "List containers: projects, spaces, objects, tables"}
	bind(a, op, a.Service.Containers)

	op = operation{method: http.MethodGet, tag: tagConnectors, path: "/connectors/{id}/items", id: "listItems", asks: true, summary: "List items: issues, pages, records, rows"}
	bind(a, op, a.Service.Items)

	op = operation{method: http.MethodGet, tag: tagConnectors, path: "/connectors/{id}/comments", id: "listComments", asks: true, summary: "List the comments on an item"}
	bind(a, op, a.Service.Comments)
}

func (a *api) addConnections() {
	op := operation{method: http.MethodGet, tag: tagConnections, path: "/connections", id: "listConnections", summary: "List the connections"}
	bind(a, op, a.Service.Connections)

	op = operation{method: http.MethodPost, tag: tagConnections, path: "/connections", id: "putConnection", summary: "Create a connection, or update the one of that name"}
	op.details = "Secrets in `config` are moved into a sealed token. On an update secrets that are not given stay, unless they would be sent to another place than before."
	op.example = object{"connectorId": "jira", "name": "main", "config": exampleConfig()}
	bind(a, op, a.Service.PutConnection)

	op = operation{method: http.MethodGet, tag: tagConnections, path: "/connections/{id}", id: "getConnection", summary: "Show a connection"}
	bind(a, op, a.Service.Connection)

	op = operation{method: http.MethodPatch, tag: tagConnections, path: "/connections/{id}", id: "renameConnection", summary: "Rename a connection"}
	op.example = object{"name": "payments"}
	bind(a, op, a.Service.PatchConnection)

	op = operation{method: http.MethodDelete, tag: tagConnections, path: "/connections/{id}", id: "deleteConnection", summary: "Delete a connection with its credential, jobs, cursors and records"}
	bind(a, op, a.Service.DeleteConnection)

	op = operation{method: http.MethodPost, tag: tagConnections, path: "/connections/validate", id: "validateConnection", summary: "Check a stored connection without a request"}
	op.details = "The stored configuration is sound and the credential opens."
	op.example = object{"connectionId": "con_06f0m2vw2rt4x8d3p9k1q5s7ha"}
	bind(a, op, a.Service.ValidateConnection)
}

// revokeIn names the connection in the body alone.
type revokeIn struct {
	Body service.RevokeBody
}

// Workspace returns the tenant named beside the header.
func (in revokeIn) Workspace() string { return in.Body.WorkspaceID }

func (a *api) addCredentials() {
	op := operation{method: http.MethodPost, tag: tagConnections, path: "/connections/token", id: "setToken", summary: "Give a connection a new credential"}
	op.details = "The provider is not asked; a probe tells whether it accepts it."
	op.example = object{"connectionId": "con_06f0m2vw2rt4x8d3p9k1q5s7ha", "token": "…"}
	bind(a, op, a.Service.SetToken)

	op = operation{method: http.MethodPost, tag: tagConnections, path: "/connections/revoke", id: "revokeConnection", summary: "Drop the credential of a connection"}
	op.example = object{"connectionId": "con_06f0m2vw2rt4x8d3p9k1q5s7ha", "reason": "left the company"}
	bind(a, op, func(ctx context.Context, t domain.Tenant, in revokeIn) (service.RevokedOut, error) {
		return a.Service.Revoke(ctx, t, service.RevokeIn{Body: in.Body})
	})

	op = operation{method: http.MethodGet, tag: tagConnections, path: "/connections/{id}/token", id: "getToken", asks: true, summary: "Read a credential in the clear"}
	op.details = "Refreshed first where the provider does that. The reading is in the audit log before it is answered."
	bind(a, op, a.Service.GetToken)

	op = operation{method: http.MethodPost, tag: tagConnections, path: "/connections/{id}/refresh", id: "refreshToken", asks: true, summary: "Refresh a credential now"}
	bind(a, op, a.Service.RefreshToken)
}

func (a *api) addSyncState() {
	op := operation{method: http.MethodGet, tag: tagConnections, path: "/connections/{id}/sync-state", id: "getSyncState", summary: "Read the cursor of a stream"}
	bind(a, op, a.Service.SyncState)

	op = operation{method: http.MethodPost, tag: tagConnections, path: "/connections/{id}/sync-state", id: "setSyncState", summary: "Set the cursor of a stream"}
	op.details = "It is kept verbatim."
	op.example = object{"cursor": "2026-01-31T12:00:00Z", "stream": "items"}
	bind(a, op, a.Service.SetSyncState)
}
