package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/unified-connector/ucf/connectors"
)

// given is a connector's configuration as the operator gives it: the first of --set, --config-file and environment
// that has a field.
type given struct {
	set        []string
	configFile string
}

func (g *given) flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&g.set, "set", nil, "field of the configuration, `NAME=VALUE`; repeatable, not for secrets")
	cmd.Flags().StringVar(&g.configFile, "config-file", "", "JSON or YAML `FILE` with the configuration; - is standard input")
}

// config returns what is given for a connector; it is empty when nothing is. An OAuth app in the environment is
// there for `ucf connect`: without a token it is no configuration to work with.
func (c *commandLine) config(g given, def *connectors.Definition) (map[string]any, error) {
	out, err := c.everything(g, def)
	m, ok := methodOf(def, true)
	if err != nil || !ok || out[m.Secret] != nil || out["auth_method"] == m.ID {
		return out, err
	}
	for name, v := range c.fromEnvironment(def) {
		if f, ok := def.Field(name); ok && slices.Equal(f.Methods, []string{m.ID}) && out[name] == v {
			delete(out, name)
		}
	}
	return out, nil
}

// everything returns all that is given for a connector. What no connector calls a field is refused here, because a
// service may take it for something else than a field.
func (c *commandLine) everything(g given, def *connectors.Definition) (map[string]any, error) {
	out := c.fromEnvironment(def)
	if g.configFile != "" {
		file, err := c.readConfigFile(g.configFile)
		if err != nil {
			return nil, err
		}
		maps.Copy(out, file)
	}
	for _, kv := range g.set {
		name, value, ok := strings.Cut(kv, "=")
		if !ok {
			return nil, usage("--set needs name=value, not %q", clip(name))
		}
		if f, ok := def.Field(name); ok && f.Kind == connectors.KindSecret {
			return nil, connectors.InvalidFields(connectors.Fault{
				Field: name, Message: "is a secret and never a flag's value: use " + secretWays(def, f),
			})
		}
		out[name] = value
	}
	for _, name := range []string{"connectionId", "workspaceId"} {
		if _, given := out[name]; given {
			return nil, connectors.InvalidFields(connectors.Fault{Field: name, Message: "unknown field; use --connection or --tenant"})
		}
	}
	return out, nil
}

// secretWays names the ways to give a secret.
func secretWays(def *connectors.Definition, f connectors.Field) string {
	ways := envName(def, f.Name) + " or --config-file"
	if key, ok := methodOf(def, false); ok && f.Name == key.Secret {
		ways = "--token-stdin, a prompt, " + ways
	}
	return ways
}

// fromEnvironment returns the fields that the environment has, or the .env file that --env-file names.
func (c *commandLine) fromEnvironment(def *connectors.Definition) map[string]any {
	out := map[string]any{}
	names := []string{"auth_method"}
	for _, f := range def.Fields {
		names = append(names, f.Name)
	}
	for _, name := range names {
		if v := c.app.Config.Getenv(envName(def, name)); v != "" {
			out[name] = v
		}
	}
	return out
}

func envName(def *connectors.Definition, field string) string {
	return "UCF_" + strings.ToUpper(def.ID+"_"+field)
}

// asks reports whether there is somebody to ask: nothing that is not a terminal is prompted.
func (c *commandLine) asks() bool { return c.io.InTTY && c.io.ErrTTY }

// ask prompts for the required fields that are missing, on a terminal; elsewhere they stay missing, and the check of
// the configuration names them.
func (c *commandLine) ask(ctx context.Context, def *connectors.Definition, m connectors.AuthMethod, cfg map[string]any) error {
	if !c.asks() || coveredByShorthand(def, cfg) {
		return nil
	}
	for _, f := range def.FieldsOf(m.ID) {
		if _, have := cfg[f.Name]; have || !f.Required {
			continue
		}
		if err := c.askField(ctx, def, f, cfg); err != nil {
			return err
		}
	}
	return nil
}

// askField prompts for a field until what is typed can be its value.
func (c *commandLine) askField(ctx context.Context, def *connectors.Definition, f connectors.Field, cfg map[string]any) error {
	for {
		v, err := c.prompt(ctx, f)
		if err != nil {
			return err
		}
		cfg[f.Name] = v
		fault := faultIn(def, f.Name, cfg)
		if fault == "" {
			return nil
		}
		fmt.Fprintf(c.io.Err, "%s %s\n", c.errPainter().colour(badColour, f.Label), oneLine(fault))
	}
}

// faultIn returns what is wrong with one field of a configuration that may lack others.
func faultIn(def *connectors.Definition, field string, cfg map[string]any) string {
	_, err := def.ParseConfig(cfg)
	faults, _ := connectors.AsError(err).Details["fields"].([]connectors.Fault)
	for _, f := range faults {
		if f.Field == field {
			return f.Message
		}
	}
	return ""
}

// coveredByShorthand reports whether a shorthand such as a DSN stands for the fields.
func coveredByShorthand(def *connectors.Definition, cfg map[string]any) bool {
	for _, f := range def.Fields {
		if _, have := cfg[f.Name]; have && f.Shorthand {
			return true
		}
	}
	return false
}

// prompt asks for one field; what is typed for a secret is not shown.
func (c *commandLine) prompt(ctx context.Context, f connectors.Field) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	p := c.errPainter()
	hint := f.Example
	if f.Kind == connectors.KindSecret {
		hint = "hidden"
	}
	if hint != "" {
		hint = p.colour(mutedColour, " ("+hint+")")
	}
	read := c.readLine
	if f.Kind == connectors.KindSecret {
		// Before the prompt is there to be answered, or what is pasted at once would be shown.
		defer c.hideTyping()()
		read = c.readHidden
	}
	fmt.Fprintf(c.io.Err, "%s\n%s%s: ", p.colour(mutedColour, f.Help), p.head(f.Label), hint)
	return c.untilInterrupted(ctx, read)
}

// untilInterrupted returns what read returns, or early when the command is interrupted: a read from a terminal does
// not end by itself.
func (c *commandLine) untilInterrupted(ctx context.Context, read func() (string, error)) (string, error) {
	type line struct {
		text string
		err  error
	}
	typed := make(chan line, 1)
	go func() {
		text, err := read()
		typed <- line{text, err}
	}()
	select {
	case l := <-typed:
		return l.text, l.err
	case <-ctx.Done():
		fmt.Fprintln(c.io.Err)
		return "", ctx.Err()
	}
}

// hideTyping makes the terminal stop to show what is typed, and returns what brings it back to where it was.
func (c *commandLine) hideTyping() (restore func()) {
	f, ok := c.io.In.(*os.File)
	if !ok {
		return func() {}
	}
	fd := int(f.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return func() {}
	}
	hideTyping(fd)
	return func() { _ = term.Restore(fd, state) }
}

func (c *commandLine) readHidden() (string, error) {
	f, ok := c.io.In.(*os.File)
	if !ok {
		return c.readLine()
	}
	b, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(c.io.Err)
	if err != nil {
		return "", connectors.Wrap(connectors.InvalidRequest, err, "nothing was typed")
	}
	return strings.TrimSpace(string(b)), nil
}

// readLine reads one line, byte by byte, so that nothing behind it is swallowed.
func (c *commandLine) readLine() (string, error) {
	var b strings.Builder
	one := make([]byte, 1)
	for b.Len() < maxConfigFile {
		n, err := c.io.In.Read(one)
		if n == 1 && one[0] == '\n' {
			break
		}
		b.Write(one[:n])
		if err == io.EOF && b.Len() > 0 {
			break
		}
		if err != nil {
			return "", connectors.Wrap(connectors.InvalidRequest, err, "nothing was typed")
		}
	}
	return strings.TrimSpace(b.String()), nil
}

// readToken reads a secret, the first line of standard input. A terminal is asked, so that what is
// typed there is not shown.
func (c *commandLine) readToken(ctx context.Context, f connectors.Field) (string, error) {
	if c.asks() {
		return c.prompt(ctx, f)
	}
	const most = 64 << 10
	line, err := bufio.NewReader(io.LimitReader(c.io.In, most)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", unreadable("standard input", err)
	}
	if len(line) == most {
		return "", usage("the first line of standard input is too long for a secret: is it the right file?")
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", usage("standard input holds no secret")
	}
	return line, nil
}
