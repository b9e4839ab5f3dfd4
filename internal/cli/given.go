package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
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
	cmd.Flags().StringArrayVar(&g.set, "set", nil, "field of the configuration, name=value; repeatable, not for secrets")
	cmd.Flags().StringVar(&g.configFile, "config-file", "", "JSON or YAML file with the configuration; - is standard input")
}

// maxConfigFile bounds a configuration file, in bytes.
const maxConfigFile = 1 << 20

// config returns what is given for a connector; it is empty when nothing is.
func (c *commandLine) config(g given, def *connectors.Definition) (map[string]any, error) {
	out := c.fromEnvironment(def)
	if g.configFile != "" {
		file, err := c.readConfigFile(g.configFile)
		if err != nil {
			return nil, err
		}
		for k, v := range file {
			out[k] = v
		}
	}
	for _, kv := range g.set {
		name, value, ok := strings.Cut(kv, "=")
		if !ok {
			return nil, usage("--set needs name=value, not %q", clip(name))
		}
		if f, ok := def.Field(name); ok && f.Kind == connectors.KindSecret {
			return nil, connectors.InvalidFields(connectors.Fault{
				Field: name, Message: "is a secret and never a flag's value: use --token-stdin, a prompt, or " + envName(def, name),
			})
		}
		out[name] = value
	}
	return out, nil
}

func (c *commandLine) readConfigFile(path string) (map[string]any, error) {
	in := c.io.In
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, connectors.Wrap(connectors.InvalidRequest, err, "the config file %s cannot be read", path)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxConfigFile+1))
	if err != nil || len(text) > maxConfigFile {
		return nil, connectors.Wrap(connectors.InvalidRequest, err, "the config file %s cannot be read, or is over 1 MiB", path)
	}
	return fromYAML(text)
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

// ask prompts for the required fields that are missing, on a terminal; elsewhere they stay missing, and the check of
// the configuration names them.
func (c *commandLine) ask(ctx context.Context, def *connectors.Definition, cfg map[string]any) error {
	if !c.io.InTTY || !c.io.ErrTTY {
		return nil
	}
	method := def.Auth[0].ID
	if id, ok := cfg["auth_method"].(string); ok {
		method = id
	}
	for _, f := range def.FieldsOf(method) {
		_, have := cfg[f.Name]
		if have || !f.Required || c.coveredByShorthand(def, cfg) {
			continue
		}
		v, err := c.prompt(ctx, f)
		if err != nil {
			return err
		}
		if v != "" {
			cfg[f.Name] = v
		}
	}
	return nil
}

// coveredByShorthand reports whether a shorthand such as a DSN stands for the fields.
func (c *commandLine) coveredByShorthand(def *connectors.Definition, cfg map[string]any) bool {
	for _, f := range def.Fields {
		if _, have := cfg[f.Name]; have && f.Shorthand {
			return true
		}
	}
	return false
}

// prompt asks for one field; what is typed for a secret is not shown.
func (c *commandLine) prompt(ctx context.Context, f connectors.Field) (string, error) {
	p := c.errPainter()
	hint := f.Default
	if hint == "" {
		hint = f.Example
	}
	if f.Kind == connectors.KindSecret {
		hint = "hidden"
	}
	fmt.Fprintf(c.io.Err, "%s\n%s %s: ", p.muted(f.Help), p.head(f.Label), p.muted("("+hint+")"))
	if f.Kind == connectors.KindSecret {
		return c.untilInterrupted(ctx, c.readHidden)
	}
	return c.untilInterrupted(ctx, c.readLine)
}

// untilInterrupted returns what read returns, or early when the command is interrupted: a read from a terminal does
// not end by itself, and an echo that was switched off has to come back.
func (c *commandLine) untilInterrupted(ctx context.Context, read func() (string, error)) (string, error) {
	if f, ok := c.io.In.(*os.File); ok {
		if state, err := term.GetState(int(f.Fd())); err == nil {
			defer func() { _ = term.Restore(int(f.Fd()), state) }()
		}
	}
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

// readToken reads a secret from standard input, without the line end behind it.
func (c *commandLine) readToken() (string, error) {
	line, err := bufio.NewReader(io.LimitReader(c.io.In, 64<<10)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", connectors.Wrap(connectors.InvalidRequest, err, "standard input cannot be read")
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", usage("standard input holds no secret")
	}
	return line, nil
}
