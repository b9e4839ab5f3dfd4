package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/internal/service"
)

func (c *commandLine) tokensRotateCmd() *cobra.Command {
	return &cobra.Command{
		Use: "rotate-key", Short: "Seal all stored credentials with the first key of ENCRYPTION_KEY", Args: args(),
		Long: "Seal all stored credentials, those of every tenant, with the first key of ENCRYPTION_KEY, while everything goes on\n" +
			"working. It may be interrupted and started again at any time.\n\n" +
			"To change the key: make a new one (`ucf keygen`), set ENCRYPTION_KEY=new,old everywhere, restart every running\n" +
			"`ucf serve` with it, run this command, then remove the old key. A server that knows only the old key cannot open\n" +
			"what is sealed with the new one.",
		Example: "  ENCRYPTION_KEY=$(ucf keygen),$ENCRYPTION_KEY ucf tokens rotate-key",
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.rotateKeys(cmd.Context()) },
	}
}

func (c *commandLine) rotateKeys(ctx context.Context) error {
	s, _, err := c.open()
	if err != nil {
		return err
	}
	bar := progressBar{c: c, what: "credentials sealed anew"}
	out, err := s.RotateKeys(ctx, bar.show)
	bar.end()
	if err != nil {
		if out.Resealed > 0 {
			c.notef("%d credentials were sealed anew; the same command goes on with the rest", out.Resealed)
		}
		return err
	}
	if err := c.show(out, fields("sealed with", out.KeyID, "sealed anew", fmt.Sprint(out.Resealed), "not needed", join(out.OldKeys))); err != nil {
		return err
	}
	if len(out.OldKeys) > 0 {
		c.note(c.oldKeysNote(out))
	}
	return nil
}

// oldKeysNote tells what may be removed, and what ends with it.
func (c *commandLine) oldKeysNote(out service.RotatedOut) string {
	where := "ENCRYPTION_KEY"
	if c.app.Config.EncryptionKey.IsZero() {
		where = c.app.Config.KeyFile()
	}
	which := fmt.Sprintf("the second key of %s (id %s)", where, join(out.OldKeys))
	if n := len(out.OldKeys); n > 1 {
		which = fmt.Sprintf("all but the first key of %s (the %d with the ids %s)", where, n, join(out.OldKeys))
	}
	return which + " may be removed when every running `ucf serve` has been restarted with both, new one first; " +
		"cursors that were handed out before, and consents that are under way, end with it"
}

// progressBar shows on a terminal how far long work is, and elsewhere a line now and then.
type progressBar struct {
	c     *commandLine
	what  string
	moved bool
}

// lineEvery is how many steps there are to a line where no terminal shows a bar.
const lineEvery = 100

// show tells how much is done; total is 0 where nobody knows.
func (b *progressBar) show(done, total int) {
	c := b.c
	if !c.spins() {
		if done%lineEvery == 0 || total > 0 && done == total {
			c.note(b.text(done, total))
		}
		return
	}
	b.moved = true
	text := b.text(done, total)
	const most = 40
	room := most
	if c.io.Width > 0 {
		room = min(most, c.io.Width-cells(text)-2)
	}
	if total > 0 && room >= minColumn {
		full := min(room, room*done/total)
		p := c.errPainter()
		text = p.colour(headColour, strings.Repeat("█", full)) + p.colour(mutedColour, strings.Repeat("░", room-full)) + " " + text
	}
	fmt.Fprintf(c.io.Err, "\r\033[K%s", text)
}

func (b *progressBar) text(done, total int) string {
	if total > 0 {
		return fmt.Sprintf("%d of %d %s", done, max(done, total), b.what)
	}
	return fmt.Sprintf("%d %s", done, b.what)
}

// end removes the bar.
func (b *progressBar) end() {
	if b.moved {
		fmt.Fprint(b.c.io.Err, "\r\033[K")
	}
}

// refsOf names connections.
func refsOf(refs []service.ConnectionRef) string {
	names := make([]string, len(refs))
	for i, r := range refs {
		names[i] = r.ConnectorID + "/" + r.Name
	}
	slices.Sort(names)
	return join(names)
}
