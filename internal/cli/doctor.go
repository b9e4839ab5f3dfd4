package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/config"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/secret"
	"github.com/unified-connector/ucf/internal/service"
)

// finding is what one check of the doctor found.
type finding struct {
	Check  string          `json:"check"`
	Status string          `json:"status"` // ok, warn or fail
	Detail string          `json:"detail"`
	Code   connectors.Code `json:"code,omitempty"`
}

func ok(check, detail string) finding { return finding{Check: check, Status: "ok", Detail: detail} }

func warn(check, detail string) finding { return finding{Check: check, Status: "warn", Detail: detail} }

func failed(check string, err error) finding {
	e := connectors.AsError(err)
	return finding{Check: check, Status: "fail", Detail: e.Message, Code: e.Code}
}

func (c *commandLine) doctorCmd() *cobra.Command {
	var probe, fix bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "Find what is misconfigured", Args: args(),
		Long: "Find what is misconfigured: settings, key, data folder, OAuth apps, store, consents, connections. With --probe\n" +
			"every connection calls its system. The exit code is that of the first check that fails.",
		Example: "  ucf doctor\n  ucf doctor --probe -o json\n  ucf doctor --fix",
		RunE: func(cmd *cobra.Command, _ []string) error {
			found := c.examine(cmd.Context(), probe, fix)
			v := view{head: []string{"CHECK", "STATUS", "DETAIL"}, paint: paintStatus(1), wrap: true}
			for _, f := range found {
				v.rows = append(v.rows, []string{f.Check, f.Status, f.Detail})
			}
			if err := c.show(map[string]any{"checks": found}, v); err != nil {
				return err
			}
			return worst(found)
		},
	}
	cmd.Flags().BoolVar(&probe, "probe", false, "probe every connection")
	cmd.Flags().BoolVar(&fix, "fix", false, "remove credentials that no connection refers to")
	return cmd
}

// worst returns an error with the code of the first failed check.
func worst(found []finding) error {
	var names []string
	var code connectors.Code
	for _, f := range found {
		if f.Status == "fail" {
			names = append(names, f.Check)
			if code == "" {
				code = f.Code
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	return connectors.Errorf(code, "not healthy: %s", strings.Join(names, ", "))
}

func (c *commandLine) examine(ctx context.Context, probe, fix bool) []finding {
	s, t, err := c.open()
	if err != nil {
		return []finding{ok("version", Version()), failed("settings", err)}
	}
	cfg := c.app.Config
	found := []finding{ok("version", Version()), settingsFinding(cfg), c.configFinding(cfg), keyFinding(cfg), dataFinding(cfg)}
	found = append(found, examineApps(s, cfg)...)
	stored, there := storeFinding(ctx, s, cfg)
	found = append(found, stored)
	if !there {
		return found
	}
	if err := s.CheckKeys(ctx); err != nil {
		return append(found, failed("keys", err))
	}
	found = append(found, ok("keys", "all stored credentials are sealed with keys at hand"))
	found = append(found, examineTokens(ctx, s, t, fix)...)
	found = append(found, c.examineBudgets(ctx, s)...)
	return append(found, examineConnections(ctx, s, t, probe)...)
}

// storeFinding tells where the state is kept, and whether there is a store that answers.
func storeFinding(ctx context.Context, s *service.Service, cfg *config.Config) (finding, bool) {
	const check = "store"
	where := "MongoDB, database " + cfg.MongoDB + ","
	if cfg.MongoURL.IsZero() {
		where = cfg.Database()
		if _, err := os.Stat(where); errors.Is(err, fs.ErrNotExist) && cfg.DataDir != "" {
			return ok(check, "none yet: "+where+" is made on first use"), false
		}
	}
	if err := s.Ready(ctx); err != nil {
		return failed(check, err), false
	}
	return ok(check, where+" opens and answers"), true
}

func settingsFinding(cfg *config.Config) finding {
	var set []string
	for name, source := range cfg.Sources {
		if source != "default" && source != "flag" {
			set = append(set, name+" from the "+source)
		}
	}
	slices.Sort(set)
	if len(set) == 0 {
		return ok("settings", "all default; config folder "+cfg.ConfigDir)
	}
	return ok("settings", strings.Join(set, ", "))
}

// configFinding tells which config file is read, and warns of one that holds a key for everybody to read.
func (c *commandLine) configFinding(cfg *config.Config) finding {
	const check = "config file"
	path := cmp.Or(c.flags.config, filepath.Join(cfg.ConfigDir, "config.yaml"))
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ok(check, "none; "+path+" would be read")
	case err != nil:
		return failed(check, unreadable("the config file "+path, err))
	case openToOthers(info) && cfg.Sources["ENCRYPTION_KEY"] == "config file":
		return failed(check, usage("%s holds the encryption key and may be read by others: chmod 600 it, and consider the key known", path))
	}
	return ok(check, fmt.Sprintf("%s, mode %04o", path, info.Mode().Perm()))
}

// openToOthers reports whether others than the owner may use a file.
func openToOthers(info fs.FileInfo) bool {
	return filepath.Separator == '/' && info.Mode().Perm()&0o077 != 0
}

func keyFinding(cfg *config.Config) finding {
	const check = "encryption key"
	if !cfg.EncryptionKey.IsZero() {
		if _, err := secret.Parse(cfg.EncryptionKey); err != nil {
			return failed(check, err)
		}
		return ok(check, "from the "+cfg.Sources["ENCRYPTION_KEY"])
	}
	if !cfg.MongoURL.IsZero() {
		return failed(check, usage("with MONGODB_URL an ENCRYPTION_KEY is needed, the same for every process on that database: make one with `ucf keygen`"))
	}
	info, err := os.Stat(cfg.KeyFile())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ok(check, "none yet: "+cfg.KeyFile()+" is made on first use")
	case err != nil:
		return failed(check, unreadable("the key file "+cfg.KeyFile(), err))
	case openToOthers(info):
		return failed(check, usage("%s may be read by others: chmod 600 it, and consider the key known", cfg.KeyFile()))
	}
	return warn(check, cfg.KeyFile()+": back it up, apart from the data; without it stored credentials are lost")
}

// lowSpace is how much a data folder should have left: the store refuses to write on a full disk.
const lowSpace = 100 << 20

func dataFinding(cfg *config.Config) finding {
	const check = "data folder"
	if !cfg.MongoURL.IsZero() {
		return ok(check, "not used: MongoDB carries the state")
	}
	if cfg.DataDir == "" {
		return failed(check, usage("there is no home folder to keep data in: set UCF_DATA_DIR"))
	}
	at, note := cfg.DataDir, ""
	info, err := os.Stat(at)
	for errors.Is(err, fs.ErrNotExist) && filepath.Dir(at) != at {
		at, note = filepath.Dir(at), ", made on first use"
		info, err = os.Stat(at)
	}
	switch {
	case err != nil:
		return failed(check, connectors.Wrap(connectors.Unavailable, err, "%s", unreadable("the data folder "+at, err)))
	case !info.IsDir():
		return failed(check, connectors.Errorf(connectors.Unavailable, "%s is not a folder: set UCF_DATA_DIR", at))
	case !writable(at):
		return failed(check, connectors.Errorf(connectors.Unavailable, "%s may not be written to: change its owner or mode, or set UCF_DATA_DIR", at))
	}
	free, known := freeSpace(at)
	if known && free < lowSpace {
		return warn(check, fmt.Sprintf("%s has %d MB left: make room", at, free>>20))
	}
	if known {
		note += fmt.Sprintf(", %d GB free", free>>30)
	}
	return ok(check, cfg.DataDir+note)
}

// nearly is the share of a rate limit, in percent, from which on it is worth a warning.
const nearly = 80

// examineBudgets tells how much is used of the providers' rate limits.
func (c *commandLine) examineBudgets(ctx context.Context, s *service.Service) []finding {
	budgets, err := s.Budgets(ctx)
	if err != nil {
		return []finding{failed("rate limits", err)}
	}
	var found []finding
	for _, b := range budgets {
		detail := ""
		if b.Of > 0 {
			detail = fmt.Sprintf("%d of %d used (%d %%)", b.Used, b.Of, b.Used*100/b.Of)
		}
		if b.Until != nil {
			detail += " until " + c.when(b.Until)
		}
		f := ok("rate limit "+b.Key, detail)
		if b.Of > 0 && b.Used*100/b.Of >= nearly {
			f.Status = "warn"
		}
		if b.PausedUntil != nil {
			f.Status, f.Detail = "warn", strings.TrimPrefix(detail+", the provider takes no requests until "+c.when(b.PausedUntil), ", ")
		}
		found = append(found, f)
	}
	return found
}

func examineConnections(ctx context.Context, s *service.Service, t domain.Tenant, probe bool) []finding {
	var found []finding
	in := service.ConnectionsIn{Limit: connectors.MaxLimit}
	for {
		page, err := s.Connections(ctx, t, in)
		if err != nil {
			return append(found, failed("connections", err))
		}
		for _, k := range page.Items {
			found = append(found, examineConnection(ctx, s, t, k, probe)...)
		}
		if page.Next == "" {
			return found
		}
		in.Cursor = string(page.Next)
	}
}

func examineConnection(ctx context.Context, s *service.Service, t domain.Tenant, k service.ConnectionOut, probe bool) []finding {
	check := "connection " + k.ConnectorID + "/" + k.Name
	if k.Status == domain.Revoked {
		return []finding{warn(check, "revoked: connect again, or delete it")}
	}
	if probe {
		r, err := s.Probe(ctx, t, service.ProbeIn{ConnectorIn: service.ConnectorIn{ID: k.ConnectorID}, Body: map[string]any{"connectionId": k.ID}})
		if err != nil {
			return []finding{failed(check, err)}
		}
		found := []finding{ok(check, fmt.Sprintf("%s as %s, %d ms", r.Instance.Name, r.Account.Name, r.LatencyMS))}
		for _, w := range r.Warnings {
			found = append(found, warn(check+" "+w.Code, w.Message))
		}
		return found
	}
	in := service.ValidateConnectionIn{}
	in.Body.ConnectionID = k.ID
	if _, err := s.ValidateConnection(ctx, t, in); err != nil {
		return []finding{failed(check, err)}
	}
	if k.Status != domain.Connected {
		return []finding{warn(check, string(k.Status)+": "+k.Reason)}
	}
	return []finding{ok(check, "the credential opens; --probe asks the system")}
}
