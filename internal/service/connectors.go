package service

import (
	"context"
	"maps"
	"slices"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
)

// ConnectorOut is a connector as a tenant sees it.
type ConnectorOut struct {
	ID           string          `json:"id" example:"jira"`
	Group        string          `json:"group" enum:"saas,db"`
	Name         string          `json:"name" example:"Jira"`
	Summary      string          `json:"summary"`
	Status       string          `json:"status" enum:"connected,not_connected,error" doc:"Of the tenant's connections: error when one needs attention"`
	AuthMethods  []string        `json:"authMethods"`
	Capabilities []string        `json:"capabilities"`
	ExtraDetails bool            `json:"extraDetails" doc:"Whether listings carry the wider meta"`
	Meta         connectors.Meta `json:"meta" doc:"What the connector calls a container and an item"`
	Config       map[string]any  `json:"config" doc:"An example configuration"`
	ConfigSchema map[string]any  `json:"configSchema,omitempty" doc:"JSON Schema of the configuration, secrets marked; of one connector only"`
}

// ConnectorsIn asks for all connectors.
type ConnectorsIn struct{}

// ConnectorIn names one connector.
type ConnectorIn struct {
	ID string `path:"id" doc:"Connector" example:"jira"`
}

// Connectors returns every connector with its status for the tenant.
func (s *Service) Connectors(ctx context.Context, t domain.Tenant, _ ConnectorsIn) ([]ConnectorOut, error) {
	st, err := s.Store(ctx)
	if err != nil {
		return nil, err
	}
	conns, err := s.allConnections(ctx, st, t, "")
	if err != nil {
		return nil, err
	}
	out := make([]ConnectorOut, len(s.Definitions))
	for i, def := range s.Definitions {
		set, err := s.setting(ctx, t, def.ID)
		if err != nil {
			return nil, err
		}
		out[i] = describe(def, conns, set)
	}
	return out, nil
}

// Connector returns one connector with the JSON Schema of its configuration.
func (s *Service) Connector(ctx context.Context, t domain.Tenant, in ConnectorIn) (ConnectorOut, error) {
	def, err := s.definition(in.ID)
	if err != nil {
		return ConnectorOut{}, err
	}
	st, err := s.Store(ctx)
	if err != nil {
		return ConnectorOut{}, err
	}
	conns, err := s.allConnections(ctx, st, t, def.ID)
	if err != nil {
		return ConnectorOut{}, err
	}
	set, err := s.setting(ctx, t, def.ID)
	out := describe(def, conns, set)
	out.ConfigSchema = def.Schema()
	return out, err
}

func describe(def *connectors.Definition, conns []domain.Connection, set domain.ConnectorSetting) ConnectorOut {
	status := "not_connected"
	for _, c := range conns {
		switch {
		case c.ConnectorID != def.ID || c.Status == domain.Revoked:
		case c.Status != domain.Connected:
			status = "error"
		case status == "not_connected":
			status = "connected"
		}
	}
	return ConnectorOut{
		ID: def.ID, Group: def.Group, Name: def.Name, Summary: def.Summary, Status: status,
		AuthMethods: def.AuthMethods(), Capabilities: def.Capabilities(), ExtraDetails: set.ExtraDetails,
		Meta: connectors.Meta{{Name: "container", Value: def.Container}, {Name: "item", Value: def.Item}}, Config: def.Example(),
	}
}

// PatchConnectorIn changes what the tenant chose for a connector.
type PatchConnectorIn struct {
	ConnectorIn
	Body struct {
		Workspace
		ExtraDetails bool `json:"extraDetails" doc:"Whether listings carry the wider meta"`
	}
}

// Workspace returns the tenant named beside the header.
func (in PatchConnectorIn) Workspace() string { return in.Body.WorkspaceID }

// Workspace is the tenant named in a body; another one than the header's is refused.
type Workspace struct {
	WorkspaceID string `json:"workspaceId,omitempty" doc:"The tenant again; another one is refused"`
}

// PatchConnector keeps what the tenant chose and returns the connector.
func (s *Service) PatchConnector(ctx context.Context, t domain.Tenant, in PatchConnectorIn) (ConnectorOut, error) {
	def, err := s.definition(in.ID)
	if err != nil {
		return ConnectorOut{}, err
	}
	st, err := s.Store(ctx)
	if err != nil {
		return ConnectorOut{}, err
	}
	err = s.audited(ctx, t, "connector.update", target{"connector", def.ID}, map[string]any{"extraDetails": in.Body.ExtraDetails}, func() error {
		set, err := s.setting(ctx, t, def.ID)
		if err != nil {
			return err
		}
		if set.Revision == 0 {
			set.Meta = s.newMeta(t)
			set.Revision = 0
		}
		set.ExtraDetails, set.UpdatedAt = in.Body.ExtraDetails, s.Now().UTC()
		_, err = st.PutConnectorSetting(ctx, set)
		return err
	})
	if err != nil {
		return ConnectorOut{}, err
	}
	return s.Connector(ctx, t, in.ConnectorIn)
}

// setting returns what the tenant chose for the connector, the zero choice with revision 0 where it chose nothing.
func (s *Service) setting(ctx context.Context, t domain.Tenant, connectorID string) (domain.ConnectorSetting, error) {
	st, err := s.Store(ctx)
	if err != nil {
		return domain.ConnectorSetting{}, err
	}
	set, err := st.ConnectorSetting(ctx, t, connectorID)
	if connectors.CodeOf(err) == connectors.NotFound {
		return domain.ConnectorSetting{Meta: domain.Meta{Tenant: t}, ConnectorID: connectorID}, nil
	}
	return set, err
}

// ProbeIn asks for a live check: of a configuration, or {connectionId}, or {} for the tenant's only connection.
type ProbeIn struct {
	ConnectorIn
	Body map[string]any `doc:"A configuration, or {connectionId}, or {}"`
}

// Workspace returns the tenant named beside the header.
func (in ProbeIn) Workspace() string { w, _ := in.Body["workspaceId"].(string); return w }

// Probe calls the connected system and tells what answered.
func (s *Service) Probe(ctx context.Context, t domain.Tenant, in ProbeIn) (connectors.ProbeResult, error) {
	cfg := maps.Clone(in.Body)
	for _, name := range []string{"connectionId", "workspaceId"} {
		if v, given := cfg[name]; given {
			if _, ok := v.(string); !ok {
				return connectors.ProbeResult{}, connectors.InvalidFields(connectors.Fault{Field: name, Message: "must be a text"})
			}
		}
	}
	id, _ := cfg["connectionId"].(string)
	delete(cfg, "connectionId")
	delete(cfg, "workspaceId")
	if id != "" && len(cfg) > 0 {
		return connectors.ProbeResult{}, connectors.InvalidFields(connectors.Fault{Field: "connectionId", Message: "give either a connection or a configuration"})
	}
	o, err := s.open(ctx, t, Use{ConnectorID: in.ID, Connection: id, Config: cfg})
	if err != nil {
		return connectors.ProbeResult{}, err
	}
	defer o.done()
	r, err := o.Probe(ctx)
	s.used(ctx, o, err)
	return r, err
}

// ValidateIn asks for an offline check of a configuration.
type ValidateIn struct {
	ConnectorIn
	Body struct {
		Workspace
		Config map[string]any `json:"config" required:"true"`
	}
}

// Workspace returns the tenant named beside the header.
func (in ValidateIn) Workspace() string { return in.Body.WorkspaceID }

// ValidOut says that what was checked is sound.
type ValidOut struct {
	Valid bool `json:"valid"`
}

// Validate checks a configuration without a request: its fields, their formats, the host.
func (s *Service) Validate(_ context.Context, t domain.Tenant, in ValidateIn) (ValidOut, error) {
	def, err := s.definition(in.ID)
	if err != nil {
		return ValidOut{}, err
	}
	o, err := s.openGiven(t, def, in.Body.Config)
	if err != nil {
		return ValidOut{}, err
	}
	o.done()
	return ValidOut{true}, nil
}

// ConnectorIDs returns the ids of all connectors, sorted.
func (s *Service) ConnectorIDs() []string {
	ids := []string{}
	for _, d := range s.Definitions {
		ids = append(ids, d.ID)
	}
	slices.Sort(ids)
	return ids
}
