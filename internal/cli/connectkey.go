package cli

import (
	"cmp"
	"context"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
)

// connectByKey connects with a credential that the operator has: it is gathered, asked for where it is missing, and
// stored when the system accepts it.
func (c *commandLine) connectByKey(ctx context.Context, s *service.Service, t domain.Tenant, def *connectors.Definition, m connectors.AuthMethod, o connectOptions, cfg map[string]any) (service.ConnectedOut, error) {
	in := service.ConnectedIn{ConnectorIn: service.ConnectorIn{ID: def.ID}}
	in.Body.Config, in.Body.Label, in.Body.ConnectionID = c.forMethod(def, m, cfg), o.name, c.flags.connection
	if c.asks() {
		if err := c.checkName(ctx, s, t, def, in.Body.ConnectionID, o.name); err != nil {
			return service.ConnectedOut{}, err
		}
	}
	if err := c.askRest(ctx, def, m, o, &in.Body); err != nil {
		return service.ConnectedOut{}, err
	}
	return s.Connected(ctx, t, in)
}

// forMethod returns a configuration for an auth method. What the environment holds for another one is not meant: it
// may be there for other commands.
func (c *commandLine) forMethod(def *connectors.Definition, m connectors.AuthMethod, cfg map[string]any) map[string]any {
	used := map[string]bool{}
	for _, f := range def.FieldsOf(m.ID) {
		used[f.Name] = true
	}
	for name, v := range c.fromEnvironment(def) {
		if f, ok := def.Field(name); ok && !used[name] && !f.Shorthand && cfg[name] == v {
			delete(cfg, name)
		}
	}
	cfg["auth_method"] = m.ID
	return cfg
}

// checkName finds out, before anybody is asked for anything, whether the connection to renew exists, or the name of
// the new one is free.
func (c *commandLine) checkName(ctx context.Context, s *service.Service, t domain.Tenant, def *connectors.Definition, renewed, name string) error {
	if renewed != "" {
		_, err := renewable(ctx, s, t, def, renewed)
		return err
	}
	k, found, err := connectionOf(ctx, s, t, def, cmp.Or(name, service.DefaultName))
	if err != nil || !found {
		return err
	}
	e := connectors.Errorf(connectors.Conflict, "%s is connected as %q already (%s): renew it with --connection %s, or name another with --name", def.Name, k.Name, k.ID, k.ID)
	e.Details = map[string]any{"connectionId": k.ID}
	return e
}

// renewable returns the connection of the connector that is to be renewed.
func renewable(ctx context.Context, s *service.Service, t domain.Tenant, def *connectors.Definition, ref string) (service.ConnectionOut, error) {
	k, found, err := connectionOf(ctx, s, t, def, ref)
	if err == nil && !found {
		err = connectors.Errorf(connectors.NotFound, "there is no connection %q to %s; `ucf connections list` shows them", clip(ref), def.Name)
	}
	return k, err
}

// connectionOf finds a connection of the connector by its name or id.
func connectionOf(ctx context.Context, s *service.Service, t domain.Tenant, def *connectors.Definition, ref string) (k service.ConnectionOut, found bool, err error) {
	in := service.ConnectionsIn{ConnectorID: def.ID, Limit: connectors.MaxLimit}
	for {
		page, err := s.Connections(ctx, t, in)
		if err != nil {
			return k, false, err
		}
		for _, k := range page.Items {
			if k.Name == ref || k.ID == ref || k.ConnectorID+"/"+k.Name == ref {
				return k, true, nil
			}
		}
		if page.Next == "" {
			return k, false, nil
		}
		in.Cursor = string(page.Next)
	}
}

// askRest fills in what is still missing: the secret from standard input, the rest from the operator. A renewal only
// needs the secret; everything else is kept.
func (c *commandLine) askRest(ctx context.Context, def *connectors.Definition, m connectors.AuthMethod, o connectOptions, b *service.ConnectedBody) error {
	secret, _ := def.Field(m.Secret)
	if o.tokenStdin {
		token, err := c.readToken(ctx, secret)
		if err != nil {
			return err
		}
		b.Config[secret.Name] = token
	}
	if b.ConnectionID == "" {
		return c.ask(ctx, def, m, b.Config)
	}
	if _, have := b.Config[secret.Name]; have || !c.asks() || coveredByShorthand(def, b.Config) {
		return nil
	}
	return c.askField(ctx, def, secret, b.Config)
}
