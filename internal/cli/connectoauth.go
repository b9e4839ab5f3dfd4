package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
	"github.com/unified-connector/ucf/internal/webpage"
)

// consent is one connect flow by OAuth, from the address to open to the connection.
type consent struct {
	c        *commandLine
	service  *service.Service
	tenant   domain.Tenant
	def      *connectors.Definition
	provider *connectors.OAuthProvider
	options  connectOptions
	ownApp   bool

	csrf   string
	begun  service.ConnectOut
	server *callback // nil where nothing listens
	lines  *lines
}

// connectByConsent connects by OAuth: the operator approves in a browser, which comes back to a loopback address, or
// whose last address is pasted.
func (c *commandLine) connectByConsent(ctx context.Context, s *service.Service, t domain.Tenant, def *connectors.Definition, m connectors.AuthMethod, o connectOptions, cfg map[string]any) (service.ConnectedOut, error) {
	f := &consent{
		c: c, service: s, tenant: t, def: def, provider: m.OAuth.Provider, options: o, csrf: rand.Text(),
		lines: &lines{read: c.readLine}, ownApp: cfg["client_id"] != nil,
	}
	if err := f.checkApp(); err != nil {
		return service.ConnectedOut{}, err
	}
	if err := c.checkName(ctx, s, t, def, c.flags.connection, o.name); err != nil {
		return service.ConnectedOut{}, err
	}
	if err := f.begin(ctx, cfg); err != nil {
		return service.ConnectedOut{}, err
	}
	defer f.server.close()
	out, err := f.run(ctx)
	f.server.show(f.lastPage(ctx, out, err))
	return out, err
}

// checkApp refuses to begin where there is no OAuth app, and names the ways out. A connection that is renewed may have
// brought its own.
func (f *consent) checkApp() error {
	app := f.service.OAuth.Apps[f.provider.ID]
	if f.ownApp || f.c.flags.connection != "" || app.ClientID != "" && !app.ClientSecret.IsZero() {
		return nil
	}
	id := strings.ToUpper(f.provider.ID)
	msg := fmt.Sprintf("there is no OAuth app for %s: set %s_CLIENT_ID and %s_CLIENT_SECRET to one with the redirect address %s",
		f.provider.Name, id, id, callbackAddress(f.c.app.Config.OAuthPort))
	if key, ok := methodOf(f.def, false); ok {
		msg += fmt.Sprintf("; or connect by %s with --api-key", key.Name)
	}
	return connectors.Errorf(connectors.Unsupported, "%s", msg)
}

// begin listens for the browser, so that it has somewhere to come back to, and starts the flow.
func (f *consent) begin(ctx context.Context, cfg map[string]any) error {
	port := f.c.app.Config.OAuthPort
	ln, err := listenForReturn(ctx, port)
	if err != nil && !f.options.noBrowser {
		return err
	}
	in := service.ConnectIn{ConnectorIn: service.ConnectorIn{ID: f.def.ID}, Config: cfg}
	in.Body.Method, in.Body.RedirectURI, in.Body.CSRFToken = connectors.MethodOAuth, callbackAddress(port), f.csrf
	in.Body.ConnectionID, in.Body.Name, in.Body.Site, in.Body.Scopes = f.c.flags.connection, f.options.name, f.wantedSite(cfg), f.wantedScopes(cfg)
	f.begun, err = f.service.Connect(ctx, f.tenant, in)
	if ln == nil {
		return err
	}
	if err != nil {
		_ = ln.Close()
		return err
	}
	f.server = serveCallback(ln, f.c.app.Config.AppName, f.begun.State)
	return nil
}

// wantedSite returns the site that the flags name. An address that is set for the connection is one too; that of the
// environment may be there for other commands.
func (f *consent) wantedSite(cfg map[string]any) string {
	if f.options.site != "" {
		return f.options.site
	}
	env := f.c.fromEnvironment(f.def)
	for _, field := range f.def.Fields {
		if v, given := cfg[field.Name].(string); given && field.Destination && env[field.Name] != v {
			return v
		}
	}
	return ""
}

// wantedScopes returns the scopes that the flags name, or the configuration.
func (f *consent) wantedScopes(cfg map[string]any) []string {
	if len(f.options.scopes) > 0 {
		return f.options.scopes
	}
	switch v := cfg["scopes"].(type) {
	case string:
		return strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' })
	case []string:
		return v
	case []any:
		var scopes []string
		for _, s := range v {
			scopes = append(scopes, fmt.Sprint(s))
		}
		return scopes
	}
	return nil
}

// run waits for the consent and completes the flow with it.
func (f *consent) run(ctx context.Context) (service.ConnectedOut, error) {
	got, err := f.await(ctx)
	if err != nil {
		return service.ConnectedOut{}, err
	}
	if got.refused != "" {
		return service.ConnectedOut{}, f.refusal(got)
	}
	in := service.ConnectedIn{ConnectorIn: service.ConnectorIn{ID: f.def.ID}}
	in.Body.State, in.Body.Code, in.Body.CSRFToken = f.begun.State, got.code, f.csrf
	for {
		out, err := f.service.Connected(ctx, f.tenant, in)
		sites, several := sitesOf(err)
		if !several {
			return out, err
		}
		if !f.c.asks() {
			return out, f.nameSite(err)
		}
		f.server.show(f.choosePage(sites))
		site, err := f.chooseSite(ctx, err, sites)
		if err != nil {
			return out, err
		}
		in.Body.Code, in.Body.Site = "", site.ID
	}
}

// refusal is what the vendor's answer without a code means.
func (f *consent) refusal(r returned) error {
	name, why := f.provider.Name, r.refused
	if r.why != "" {
		why += " (" + clip(r.why) + ")"
	}
	switch r.refused {
	case "access_denied":
		return connectors.Errorf(connectors.Reauthorize, "the consent was denied at %s, and nothing was connected; `%s` asks again", name, f.again())
	case "server_error", "temporarily_unavailable":
		return connectors.Errorf(connectors.Unavailable, "%s could not ask for the consent: %s; try again later", name, why)
	}
	return connectors.Errorf(connectors.InvalidRequest, "%s does not ask for this consent: %s; check the OAuth app, its redirect address %s and its scopes",
		name, why, callbackAddress(f.c.app.Config.OAuthPort))
}

// again is the command that starts over.
func (f *consent) again() string { return "ucf connect " + f.def.ID }

// sitesOf returns the sites to choose from, where an error says that one has to be named.
func sitesOf(err error) ([]connectors.Site, bool) {
	if connectors.CodeOf(err) != connectors.Conflict {
		return nil, false
	}
	sites, ok := connectors.AsError(err).Details["sites"].([]connectors.Site)
	return sites, ok && len(sites) > 0
}

// nameSite tells where no one can be asked how a site is named.
func (f *consent) nameSite(err error) error {
	e := *connectors.AsError(err)
	e.Message += ": " + f.again() + " --site …"
	return &e
}

// chooseSite asks which of several sites is meant, by its number, address, id or name.
func (f *consent) chooseSite(ctx context.Context, why error, sites []connectors.Site) (connectors.Site, error) {
	c, p := f.c, f.c.errPainter()
	v := view{wrap: true}
	for i, site := range sites {
		v.rows = append(v.rows, []string{strconv.Itoa(i + 1), site.Name, site.URL})
	}
	head, _, _ := strings.Cut(connectors.AsError(why).Message, ":")
	c.say("", head+":")
	fmt.Fprintf(c.io.Err, "%s", newLayout(v, c.io.Width).render(v, p))
	for {
		fmt.Fprintf(c.io.Err, "%s%s: ", p.head("Site"), p.colour(mutedColour, fmt.Sprintf(" (1 to %d)", len(sites))))
		text, err := c.line(ctx, f.lines)
		if err != nil {
			return connectors.Site{}, err
		}
		if n, err := strconv.Atoi(text); err == nil && n >= 1 && n <= len(sites) {
			return sites[n-1], nil
		}
		i := slices.IndexFunc(sites, func(s connectors.Site) bool {
			return text != "" && (s.ID == text || strings.EqualFold(s.Name, text) || strings.EqualFold(strings.TrimRight(s.URL, "/"), strings.TrimRight(text, "/")))
		})
		if i >= 0 {
			return sites[i], nil
		}
		fmt.Fprintln(c.io.Err, p.colour(badColour, "Site")+" must be one of the numbers")
	}
}

// choosePage sends the operator to the terminal.
func (f *consent) choosePage(sites []connectors.Site) webpage.Page {
	return webpage.Page{
		Status: http.StatusOK, Kind: webpage.Info, Title: "One more question", Text: fmt.Sprintf("The consent reaches %d sites.", len(sites)),
		Next: "Go back to the terminal and choose one. You can close this window.",
	}
}

// lastPage shows the browser how the flow ended.
func (f *consent) lastPage(ctx context.Context, out service.ConnectedOut, err error) webpage.Page {
	if err == nil {
		p := webpage.Page{Status: http.StatusOK, Kind: webpage.OK, Title: f.def.Name + " is connected", Text: "The credential is sealed and stored.", Next: "You can close this window and go back to the terminal."}
		if out.Warning != "" {
			p.Kind, p.Text = webpage.Warn, out.Warning
		}
		p.Facts = []webpage.Fact{{Name: "Account", Value: out.Probe.Account.Name}}
		if out.Site != nil {
			p.Facts = append(p.Facts, webpage.Fact{Name: "Site", Value: out.Site.Name}, webpage.Fact{Name: "Address", Value: out.Site.URL})
		}
		return p
	}
	e := connectors.AsError(err)
	p := webpage.Page{Status: http.StatusOK, Kind: webpage.Bad, Title: f.def.Name + " is not connected", Text: sentence(e.Message), Next: "The terminal says the same. You can close this window."}
	if ctx.Err() != nil {
		p.Text = "The command in the terminal was ended before the connection was made."
	}
	if e.Code == connectors.Reauthorize {
		p.Kind, p.Title = webpage.Warn, "Consent denied"
	}
	return p
}

// sentence begins a message with a capital letter and ends it with a stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
