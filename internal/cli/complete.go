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

func (c *commandLine) completeConnectors(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	s, _, err := c.open()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, d := range s.Definitions {
		out = append(out, d.ID+"\t"+d.Summary)
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// stored reports whether there is a store to complete from: completing must not make one.
func (c *commandLine) stored() bool {
	_, err := os.Stat(c.app.Config.Database())
	return err == nil
}

func (c *commandLine) completeConnections(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	const done = cobra.ShellCompDirectiveNoFileComp
	s, t, err := c.open()
	if err != nil || !c.stored() || len(args) > 0 && cmd.ValidArgsFunction != nil && strings.HasSuffix(cmd.Use, "CONNECTION") {
		return nil, done
	}
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	page, err := s.Connections(ctx, t, service.ConnectionsIn{Limit: connectors.MaxLimit})
	if err != nil {
		return nil, done
	}
	var out []string
	for _, k := range page.Items {
		if strings.HasPrefix(k.Name, prefix) {
			out = append(out, k.Name+"\t"+k.ConnectorID+" "+k.ID)
		}
	}
	return out, done
}

func (c *commandLine) completeContainers(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	const done = cobra.ShellCompDirectiveNoFileComp
	if len(args) != 1 {
		return nil, done
	}
	s, t, err := c.open()
	if err != nil {
		return nil, done
	}
	in, err := c.in(s, listOptions{limit: 1, pageSize: connectors.MaxLimit}, args[0])
	if err != nil || len(in.Config) == 0 && !c.stored() {
		return nil, done
	}
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	page, err := s.Containers(ctx, t, service.ContainersIn{ListIn: in})
	if err != nil {
		return nil, done
	}
	var out []string
	for _, k := range page.Items {
		if strings.HasPrefix(k.ID, prefix) {
			out = append(out, k.ID+"\t"+k.Label)
		}
	}
	return out, done
}
