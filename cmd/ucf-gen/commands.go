package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/unified-connector/ucf/internal/cli"
)

// cliPages writes a page for each command.
func cliPages() ([]generated, error) {
	root := cli.Root()
	root.DisableAutoGenTag = true
	var out []generated
	index := notice + "# Commands\n\n"
	err := walk(root, func(c *cobra.Command) error {
		name := strings.ReplaceAll(c.CommandPath(), " ", "_") + ".md"
		var b bytes.Buffer
		if err := doc.GenMarkdownCustom(c, &b, func(s string) string { return s }); err != nil {
			return err
		}
		index += fmt.Sprintf("- [`%s`](%s): %s\n", c.CommandPath(), name, c.Short)
		out = append(out, generated{"docs/cli/" + name, append([]byte(notice), b.Bytes()...)})
		return nil
	})
	return append(out, generated{"docs/cli/README.md", []byte(index)}), err
}

// walk visits the commands that help shows.
func walk(c *cobra.Command, visit func(*cobra.Command) error) error {
	if c.Hidden || !c.IsAvailableCommand() && c.HasParent() || c.Name() == "help" {
		return nil
	}
	c.InitDefaultHelpFlag()
	if err := visit(c); err != nil {
		return err
	}
	for _, sub := range c.Commands() {
		if err := walk(sub, visit); err != nil {
			return err
		}
	}
	return nil
}

// completions writes the completion scripts of four shells.
func completions() ([]generated, error) {
	root := cli.Root()
	shells := []struct {
		file string
		gen  func(*bytes.Buffer) error
	}{
		{"ucf.bash", func(b *bytes.Buffer) error { return root.GenBashCompletionV2(b, true) }},
		{"_ucf", func(b *bytes.Buffer) error { return root.GenZshCompletion(b) }},
		{"ucf.fish", func(b *bytes.Buffer) error { return root.GenFishCompletion(b, true) }},
		{"ucf.ps1", func(b *bytes.Buffer) error { return root.GenPowerShellCompletionWithDesc(b) }},
	}
	var out []generated
	for _, s := range shells {
		var b bytes.Buffer
		if err := s.gen(&b); err != nil {
			return nil, err
		}
		out = append(out, generated{"completions/" + s.file, b.Bytes()})
	}
	return out, nil
}
