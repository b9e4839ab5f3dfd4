package connectors

// meanings tell people what a code says and what to do about it.
var meanings = map[Code][2]string{
	InvalidRequest:   {"The request cannot be read, or a parameter, a field, an address or a cursor is faulty.", "Correct what the message names. `details.fields` lists every faulty field."},
	TenantRequired:   {"No tenant was named.", "Send `X-Tenant-Id`, or use `--tenant`."},
	Unauthenticated:  {"ucf does not know who calls.", "Send a valid key or token of ucf itself."},
	Forbidden:        {"The caller may not do this, or not for this tenant.", "Use a key with the scope and the tenant, or drop the other `workspaceId`."},
	NotFound:         {"It does not exist, or belongs to another tenant.", "Check the id; `ucf connections list` shows what there is."},
	MethodNotAllowed: {"The route exists, but not with this method.", "Use one of the methods in the `Allow` header."},
	Conflict:         {"The record changed meanwhile, the name is taken, or several fit.", "Read it again and retry, or choose one of those in `details`."},
	PayloadTooLarge:  {"The body is over the limit.", "Send less at a time."},
	Reauthorize:      {"The provider refused the credential, or it may not read this.", "Connect again, with an account that may; `ucf connect ID --connection NAME` keeps id and cursors."},
	RateLimited:      {"Our limit or the provider's is used up.", "Wait as long as `Retry-After` says."},
	Incomplete:       {"The work is done, but something could not be read; it is named.", "Look at `incomplete`: each entry tells what and why."},
	Unsupported:      {"This connector, or this version, cannot do that.", "The connector's page tells what it can do."},
	ProviderError:    {"The provider failed or answered nonsense, after reads were tried several times.", "Check `base_url` and the provider's status page, then try again."},
	Unavailable:      {"The store is away, locked or full, or ucf is shutting down.", "Try again; `ucf doctor` tells what is wrong."},
	Timeout:          {"An answer did not come in time.", "Try again, or allow more with `--timeout`."},
	Internal:         {"Our own fault.", "Report it with the request id; the log has the cause."},
}

// Meaning returns one sentence that says what the code means.
func (c Code) Meaning() string { return meanings[c][0] }

// Advice returns one sentence that says what to do about it.
func (c Code) Advice() string { return meanings[c][1] }
