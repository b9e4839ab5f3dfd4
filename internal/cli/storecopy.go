package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/app"
)

func (c *commandLine) storeCopyCmd() *cobra.Command {
	var to string
	var force, undo bool
	cmd := &cobra.Command{
		Use: "copy --to mongodb|sqlite", Short: "Move everything between the embedded store and MongoDB", Args: args(),
		Long: "Move everything between the embedded store (UCF_DATA_DIR) and a database of MongoDB (MONGODB_URL, MONGODB_DB): the one\n" +
			"end is copied into the other, which has to be empty, and is not used again afterwards, because two stores that refresh\n" +
			"the same credentials would end them. A file gets another name, a database is marked (--undo takes that back).\n" +
			"Stop every `ucf serve` first. A copy that broke off goes on when it is run again. Jobs that ran are queued again, and\n" +
			"readers of records are told to begin anew. Credentials stay sealed as they are: take the encryption key along.",
		Example: "  MONGODB_URL=mongodb://db.example:27017 ucf store copy --to mongodb\n  ucf store copy --to sqlite",
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case undo && (force || to != ""):
				return connectors.Errorf(connectors.InvalidRequest, "--undo stands alone: it takes a database of MongoDB that was copied back into use")
			case undo:
				return c.undoCopy(cmd.Context())
			case to != toMongo && to != toSQLite:
				return connectors.Errorf(connectors.InvalidRequest, "--to is %.20q: say %s or %s", to, toMongo, toSQLite)
			case force && to == toMongo:
				return connectors.Errorf(connectors.InvalidRequest, "--force is for --to sqlite: a database of MongoDB that holds something is never replaced; choose another MONGODB_DB, or drop it")
			}
			return c.copyStore(cmd.Context(), to, force)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "where to: mongodb or sqlite")
	cmd.Flags().BoolVar(&force, "force", false, "with --to sqlite: keep a store that is there beside, and put the copy in its place")
	cmd.Flags().BoolVar(&undo, "undo", false, "take a database of MongoDB that was copied, or whose copy broke off, back into use")
	_ = cmd.RegisterFlagCompletionFunc("to", cobra.FixedCompletions([]cobra.Completion{toMongo, toSQLite}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// The ends of a copy.
const (
	toMongo  = "mongodb"
	toSQLite = "sqlite"
)

func (c *commandLine) copyStore(ctx context.Context, to string, force bool) error {
	a, err := c.build(true, "")
	if err != nil {
		return err
	}
	bar := progressBar{c: c}
	progress := func(done app.Copied, total int) {
		bar.what = done.Collection
		bar.show(done.Found, total)
	}
	var out app.Moved
	if to == toMongo {
		out, err = a.CopyToMongo(ctx, progress)
	} else {
		c.note("waiting until every ucf over the database has seen that it is copied")
		out, err = a.CopyToSQLite(ctx, force, progress)
	}
	bar.end()
	if err != nil {
		return err
	}
	if err := c.show(out, copiedView(out.Collections)); err != nil {
		return err
	}
	c.copyNotes(a, to, out)
	return nil
}

// copyNotes tells what to do now.
func (c *commandLine) copyNotes(a *app.App, to string, out app.Moved) {
	if out.Kept != "" {
		c.notef("the store that was there is %s now", out.Kept)
	}
	if to == toSQLite {
		c.note("unset MONGODB_URL from now on; the database refuses to be used, and can be dropped when this store has been backed up")
	} else {
		c.notef("keep MONGODB_URL set from now on; the embedded store is %s now, and can be removed when the database has been backed up", out.Origin)
	}
	if to == toMongo && a.Config.EncryptionKey.IsZero() {
		c.notef("set ENCRYPTION_KEY to what %s holds: MongoDB needs it, and every process over it the same", a.Config.KeyFile())
	}
}

func (c *commandLine) undoCopy(ctx context.Context) error {
	a, err := c.build(true, "")
	if err != nil {
		return err
	}
	if err := a.UndoCopy(ctx); err != nil {
		return err
	}
	c.note("the database is in use again: do not use the embedded store that it was copied to")
	return nil
}

func copiedView(list []app.Copied) view {
	v := view{head: []string{"COLLECTION", "FOUND", "WRITTEN", "STORED"}}
	for _, one := range list {
		v.rows = append(v.rows, []string{one.Collection, fmt.Sprint(one.Found), fmt.Sprint(one.Written), fmt.Sprint(one.Stored)})
	}
	return v
}
