package cli

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/service"
)

// completionTime bounds how long a shell waits for dynamic values.
const completionTime = 3 * time.Second

func (c *commandLine) completionCmd(root *cobra.Command) *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use: "completion SHELL", Short: "Print the completion script of a shell", Args: args("SHELL"), ValidArgs: shells,
		Long:    "Print the completion script of a shell: bash, zsh, fish or powershell. It knows connectors, connections and containers.",
		Example: "  source <(ucf completion bash)\n  ucf completion zsh >\"${fpath[1]}/_ucf\"\n  ucf completion fish | source",
		RunE: func(_ *cobra.Command, args []string) error {
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(c.io.Out, true)
			case "zsh":
				return root.GenZshCompletion(c.io.Out)
			case "fish":
				return root.GenFishCompletion(c.io.Out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(c.io.Out)
			}
			return usage("there is no completion for %q; there is for %s", clip(args[0]), strings.Join(shells, ", "))
		},
	}
}

// nothing ends a completion: there are no files to offer.
const nothing = cobra.ShellCompDirectiveNoFileComp

// candidate returns a value and what it is, for a shell. Both may come from elsewhere: a shell must not take a line
// end or a tab in them for the end of the candidate.
func candidate(value, what string) string { return oneLine(value) + "\t" + oneLine(what) }

func (c *commandLine) completeConnectors(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	s, _, err := c.open()
	if err != nil || len(args) > 0 {
		return nil, nothing
	}
	var out []string
	for _, d := range s.Definitions {
		out = append(out, candidate(d.ID, d.Summary))
	}
	return out, nothing
}

// stored reports whether there is a store to complete from: completing must not make one.
func (c *commandLine) stored() bool {
	_, err := os.Stat(c.app.Config.Database())
	return err == nil
}

// completeConnection completes the argument that names a connection.
func (c *commandLine) completeConnection(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, nothing
	}
	return c.connectionNames("", prefix)
}

// completeConnectionFlag completes --connection: with the connections of the connector that the command is about.
func (c *commandLine) completeConnectionFlag(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 && strings.Contains(cmd.Use, " CONNECTOR") {
		return c.connectionNames(args[0], prefix)
	}
	return c.connectionNames("", prefix)
}

func (c *commandLine) connectionNames(connectorID, prefix string) ([]string, cobra.ShellCompDirective) {
	s, t, err := c.open()
	if err != nil || !c.stored() {
		return nil, nothing
	}
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	page, err := s.Connections(ctx, t, service.ConnectionsIn{ConnectorID: connectorID, Limit: connectors.MaxLimit})
	if err != nil {
		return nil, nothing
	}
	var out []string
	for _, k := range page.Items {
		if strings.HasPrefix(k.Name, prefix) {
			out = append(out, candidate(k.Name, k.ConnectorID+" "+k.ID))
		}
	}
	return out, nothing
}

func (c *commandLine) completeContainers(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return nil, nothing
	}
	s, t, err := c.open()
	if err != nil {
		return nil, nothing
	}
	in, err := c.in(s, listOptions{limit: 1, pageSize: connectors.MaxLimit}, args[0])
	if err != nil || len(in.Config) == 0 && !c.stored() {
		return nil, nothing
	}
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	page, err := s.Containers(ctx, t, service.ContainersIn{ListIn: in})
	if err != nil {
		return nil, nothing
	}
	var out []string
	for _, k := range page.Items {
		if strings.HasPrefix(k.ID, prefix) {
			out = append(out, candidate(k.ID, k.Label))
		}
	}
	return out, nothing
}
